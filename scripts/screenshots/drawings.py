"""What the pictures show in cameras and on shared screens: drawn people and a drawn exercise."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from playwright.async_api import Browser, ViewportSize

CAMERA = ViewportSize(width=640, height=480)
SCREEN = ViewportSize(width=1280, height=720)

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Language:
    """Texts of one set of pictures."""

    code: str
    room: str
    student: str
    agent: str
    join: str
    title: str
    exercise: str
    steps: tuple[str, ...]


LANGUAGES = (
    Language(
        code="zh-CN",
        room="数学答疑",
        student="王小明",
        agent="李老师",
        join="加入",
        title="二次函数 · 课堂练习",
        exercise="求 y = x² − 4x + 3 的顶点和与 x 轴的交点。",
        steps=("配方：y = (x − 2)² − 1", "顶点：(2, −1)", "交点：x = 1，x = 3"),
    ),
    Language(
        code="en",
        room="algebra-help",
        student="Ming",
        agent="Ms Li",
        join="Join",
        title="Quadratic functions · exercise",
        exercise="Find the vertex of y = x² − 4x + 3 and where it meets the x axis.",
        steps=(
            "Complete the square: y = (x − 2)² − 1",
            "Vertex: (2, −1)",
            "Meets the axis at x = 1 and x = 3",
        ),
    ),
)


def person(background: str, hair: str, shirt: str) -> str:
    """A drawn person before a wall, as a page."""
    return f"""<!doctype html><body style="margin:0"><svg viewBox="0 0 640 480" width="640" height="480">
    <defs><linearGradient id="wall" x1="0" y1="0" x2="1" y2="1"><stop stop-color="{background}"/>
    <stop offset="1" stop-color="#5b6472"/></linearGradient></defs>
    <rect width="640" height="480" fill="url(#wall)"/>
    <rect x="40" y="60" width="130" height="190" rx="6" fill="#ffffff" opacity=".25"/>
    <rect x="480" y="120" width="120" height="12" fill="#00000040"/>
    <rect x="490" y="60" width="18" height="60" fill="#c9563c"/>
    <rect x="512" y="72" width="14" height="48" fill="#3c7dc9"/>
    <rect x="530" y="66" width="22" height="54" fill="#dfb452"/>
    <path d="M130 480 C140 370 230 340 320 340 C410 340 500 370 510 480 Z" fill="{shirt}"/>
    <rect x="280" y="280" width="80" height="80" rx="34" fill="#dfae8b"/>
    <ellipse cx="320" cy="218" rx="92" ry="112" fill="#efc3a0"/>
    <path d="M224 222 C210 90 280 78 322 82 C390 76 432 110 416 222
    C404 170 380 150 320 150 C262 150 236 170 224 222 Z"
    fill="{hair}"/>
    <circle cx="286" cy="222" r="8" fill="#33261f"/><circle cx="354" cy="222" r="8" fill="#33261f"/>
    <path d="M290 272 Q320 296 350 272" stroke="#8c4a3c" stroke-width="6" fill="none"
    stroke-linecap="round"/></svg>"""


def exercise(language: Language) -> str:
    """A page of an exercise with its graph, as a student would share it."""
    points = " ".join(
        f"{300 + 70 * x / 10:.0f},{260 - 45 * ((x / 10 - 2) ** 2 - 1):.0f}" for x in range(-4, 43)
    )
    steps = "".join(f"<li>{step}</li>" for step in language.steps)
    return f"""<!doctype html><meta charset="utf-8"><body style="margin:0;background:#fff;color:#1d2733;
    font:30px/1.7 system-ui,'Noto Sans CJK SC',sans-serif">
    <header style="background:#22577a;color:#fff;padding:18px 48px;
    font-size:36px">{language.title}</header><main style="display:flex;gap:32px;padding:32px 48px">
    <div style="flex:1"><p>{language.exercise}</p><ol>{steps}</ol></div><svg width="600" height="500">
    <path d="M40 260 H580 M300 20 V480" stroke="#8a96a3" stroke-width="2"/>
    <polyline points="{points}" fill="none" stroke="#d1495b" stroke-width="5"/>
    <circle cx="440" cy="305" r="8" fill="#22577a"/></svg></main>"""


async def draw(browser: Browser, html: str, size: ViewportSize) -> Picture:
    """A page as a picture in BGR."""
    page = await browser.new_page(viewport=size)
    await page.set_content(html)
    encoded = np.frombuffer(await page.screenshot(), np.uint8)
    await page.close()
    picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert picture is not None
    return picture.astype(np.uint8)
