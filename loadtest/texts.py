"""What the demonstration says, in Simplified Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("zh-CN", "en")

_TEXTS: Mapping[str, tuple[str, str]] = {
    "title": ("举手演示：一次答疑通话", "Raisehand demo: one support call"),
    "server": ("服务器已启动，可以接听", "the server started and takes calls"),
    "student_joins": ("学生加入", "the student joins"),
    "agent_joins": ("答疑老师加入，双方看到对方在线", "the agent joins; each sees the other there"),
    "agent_hears": ("学生说话，老师听到", "the student speaks; the agent hears it"),
    "student_hears": ("老师说话，学生听到", "the agent speaks; the student hears it"),
    "agent_sees": ("学生打开摄像头，老师看到画面", "the student's camera is on; the agent sees it"),
    "student_sees": ("老师打开摄像头，学生看到画面", "the agent's camera is on; the student sees it"),
    "agent_sees_screen": (
        "学生共享屏幕，老师看到习题",
        "the student's screen is shared; the agent sees it",
    ),
    "chat": ("学生发送文字，老师收到", "the student writes; the agent reads it"),
    "measure": ("测量通话质量", "the call is measured"),
    "mute": ("学生静音，老师不再听到", "the student mutes; the agent no longer hears anything"),
    "unmute": ("学生取消静音，老师又听到", "the student unmutes; the agent hears again"),
    "cut": ("信令连接被切断，画面不中断", "the student's WebSocket is killed; the picture goes on"),
    "resumed": ("信令自动恢复，无需重新加入", "signalling resumes by itself, without joining anew"),
    "third": ("第三方（专家）中途加入，听到并看到双方", "a specialist joins late; hears and sees both"),
    "leave": ("学生离开，老师立即知道", "the student leaves; the agent is told"),
    "stop": ("服务器收到 SIGTERM 后正常退出", "the server ends cleanly on SIGTERM"),
    "files": ("文件已保存到", "files are in"),
    "success": ("全部步骤已验证", "every step was seen to work"),
    "failure": ("有步骤失败", "steps failed"),
    "steps_left": ("未执行的步骤", "steps not reached"),
    "timeout": ("超过时间限制", "out of time"),
    "stream": ("媒体流", "stream"),
    "first_media": ("首帧/首音 ms", "first media ms"),
    "fps": ("帧率", "fps"),
    "kbps": ("kbit/s", "kbit/s"),
    "loss": ("丢包 %", "loss %"),
    "jitter": ("抖动 ms", "jitter ms"),
    "latency": ("延迟 p50/p95 ms", "latency p50/p95 ms"),
    "size": ("分辨率", "size"),
    "codec": ("编码", "codec"),
    "student": ("学生", "student"),
    "agent": ("老师", "agent"),
    "specialist": ("专家", "specialist"),
    "speech": ("语音", "speech"),
    "camera": ("摄像头", "camera"),
    "screen": ("屏幕", "screen"),
    "moment": ("时刻", "moment"),
    "server_ready": ("服务器就绪", "server ready"),
    "connect_student": ("学生连接", "student connected"),
    "connect_agent": ("老师连接", "agent connected"),
    "silence_after_mute": ("静音生效", "mute took effect"),
    "resume_after_cut": ("切断后恢复", "resumed after the cut"),
    "longest_gap": ("切断期间画面最长间隔", "longest picture gap around the cut"),
    "latency_note": (
        "延迟：从绘制画面到对方解码完成（同一台机器，含编码、网络、抖动缓冲与解码）",
        "latency: from drawing a frame to the other side's decoded frame (one machine; encoder, network,"
        " jitter buffer and decoder included)",
    ),
    "student_says": (
        "老师您好，我的麦克风在课堂上没有声音，您能帮我看看吗？我这里有一道题也不会做。",
        "Hello, my microphone does not work in class. Could you have a look, please? "
        "And I am stuck with exercise three.",
    ),
    "agent_says": (
        "你好，我听得很清楚。请把屏幕共享给我，我们一起来看。",
        "Hello, I can hear you well. Please share your screen with me, and we will look at it together.",
    ),
    "chat_text": ("第三题我不会。", "I am stuck with exercise three."),
    "voice": ("cmn", "en-us"),
}


def language_of(environment: Mapping[str, str]) -> str:
    """zh-CN when the locale's variables ask for Chinese, else en."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = environment.get(name)
        if value:
            return "zh-CN" if value.lower().startswith("zh") else "en"
    return "en"


def text(key: str, language: str) -> str:
    """The text of a key; raises KeyError for an unknown one."""
    return _TEXTS[key][0 if language == "zh-CN" else 1]
