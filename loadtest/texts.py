"""What the demonstration says, in Simplified Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("zh-CN", "en")

_TEXTS: Mapping[str, tuple[str, str]] = {
    "title": ("举手演示：一次求助的全过程", "Raisehand demo: one call for help, from press to rating"),
    "server": ("服务器已启动，可以接听", "the server started and takes calls"),
    "at_work": ("客服登录上线，等待求助", "agents log in and wait for calls"),
    "press": (
        "301 班 VIP 学生上课中断，还剩 12 分钟，点了求助：工单已建",
        "a VIP student of class 301, 12 minutes left, presses help: a ticket",
    ),
    "ring": (
        "空闲的技术客服收到振铃，看到学生和课程情况",
        "a free technical agent rings, knowing who and what",
    ),
    "music": (
        "学生听到等候音乐，此时不发送任何声音画面",
        "the student hears music, and may send nothing yet",
    ),
    "expires": ("第一位客服没有接，转给另一位", "the first agent does not answer; another one rings"),
    "late": ("第一位客服接晚了，被礼貌拒绝", "the first agent accepts too late and is politely refused"),
    "accept": ("另一位客服接入，双方听到并看到对方", "the other accepts; both hear and see each other"),
    "share": ("学生共享屏幕，客服看到习题", "the student's screen is shared; the agent sees it"),
    "chat": ("学生发送文字，客服收到", "the student writes; the agent reads it"),
    "measure": ("测量通话质量", "the call is measured"),
    "guest": ("任课老师点链接加入，三方互相听到看到", "a teacher joins by link; all three hear and see"),
    "hold": (
        "客服保持通话：学生听音乐，客服听不到学生",
        "on hold: music for the student, nothing to the agent",
    ),
    "resume": ("恢复通话", "back in the talk"),
    "cut": ("学生的信令连接被切断，画面不中断，自动恢复", "the student's WebSocket is killed; all goes on"),
    "consult": ("请专家协助：两位客服交谈，学生听音乐", "a specialist is consulted; music for the student"),
    "transfer": ("转接完成：学生直接听到专家，没有重连", "transferred: the student hears the specialist"),
    "monitor": ("主管旁听：听到看到一切，学生毫无察觉", "a supervisor monitors; the student knows nothing"),
    "whisper": ("主管耳语：只有客服听到", "the supervisor whispers; only the agent hears"),
    "barge": ("主管插话：学生也听到看到", "the supervisor barges in; the student hears and sees"),
    "unbarge": ("主管退回旁听", "the supervisor goes back to monitoring"),
    "end": ("客服结束通话，所有人收到通知", "the agent ends the call; everybody is told"),
    "wrap_up": ("客服填写小结", "the agent wraps up"),
    "rating": ("学生评价", "the student rates"),
    "events": ("事件日志完整、有序、不重复", "the event log is complete, in order, without doubles"),
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
    "agent": ("客服", "agent"),
    "teacher": ("任课老师", "teacher"),
    "specialist": ("专家", "specialist"),
    "supervisor": ("主管", "supervisor"),
    "student_name": ("小明", "Ming"),
    "speech": ("语音", "speech"),
    "camera": ("摄像头", "camera"),
    "screen": ("屏幕", "screen"),
    "moment": ("时刻", "moment"),
    "target": ("目标", "target"),
    "server_ready": ("服务器就绪", "server ready"),
    "press_to_ticket": ("按下求助 → 工单", "press → ticket"),
    "press_to_ring": ("按下求助 → 客服振铃", "press → ring"),
    "press_to_music": ("按下求助 → 等候音乐（含加入）", "press → music (joining included)"),
    "expiry_to_ring": ("无人接听 → 另一位振铃", "expiry → next ring"),
    "accept_to_audio": ("接入 → 互相听到", "accept → both hear"),
    "accept_to_video": ("接入 → 互相看到", "accept → both see"),
    "hold_switch": ("保持", "hold"),
    "hold_music": ("保持 → 听到音乐", "hold → music"),
    "resume_switch": ("恢复", "resume"),
    "transfer_switch": ("转接 → 听到专家", "transfer → specialist heard"),
    "transfer_silence": ("转接静音", "transfer silence"),
    "monitor_first_sound": ("旁听 → 听到双方（含加入）", "monitor → hears both (joining included)"),
    "whisper_switch": ("旁听 → 耳语", "monitor → whisper"),
    "barge_switch": ("耳语 → 插话", "whisper → barge"),
    "monitor_switch": ("插话 → 旁听", "barge → monitor"),
    "end_to_told": ("结束 → 学生得知", "end → student told"),
    "resume_after_cut": ("切断后恢复", "resumed after the cut"),
    "longest_gap": ("切断期间画面最长间隔", "longest picture gap around the cut"),
    "moments_note": (
        "时刻含 SDK 的抖动缓冲与解码；只量服务器请用 raisehand bench --only desk",
        "the SDK's jitter buffer and decoder are included; the server alone: raisehand bench --only desk",
    ),
    "latency_note": (
        "延迟：从绘制画面到对方解码完成（同一台机器，含编码、网络、抖动缓冲与解码）",
        "latency: from drawing a frame to the other side's decoded frame (one machine; encoder, network,"
        " jitter buffer and decoder included)",
    ),
    "chat_text": ("上课听不到老师的声音。", "I cannot hear the teacher in class."),
    "transfer_note": ("耳机驱动需要重装，学生已试过重启。", "The headset's driver; a restart was tried."),
    "wrap_up_notes": ("重装耳机驱动后恢复。", "Works again with the headset's driver installed anew."),
    "thanks": ("谢谢老师", "thank you"),
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
