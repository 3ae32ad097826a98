"""What students can ask about: the list that their button shows, and what each may try meanwhile.

Administrators replace the list; until then there is one that fits most schools. Which queue takes a topic
stands with the queues (`QueueConfig.topics`), so that routing needs nothing from here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from signalling.desk import estimate
from signalling.desk.estimate import Advice
from signalling.store.administration import StoredTopics

FRESH_S: Final = 5.0
"""How long the list is believed: the delay of a change on other nodes, in seconds."""


class Choice(StrEnum):
    """The three big choices of the button."""

    NO_SOUND = "no_sound"
    NO_PICTURE = "no_picture"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Words:
    """A text in both languages; both empty: none."""

    zh: str = ""
    en: str = ""


@dataclass(frozen=True, slots=True)
class Topic:
    """Something to ask about."""

    id: str
    choice: Choice
    name: Words
    advice: Words = Words()
    """What to try while waiting; none: what the desk knows."""
    child_advice: Words = Words()
    """The same for children's accounts; none: as for adults."""


def _topic(topic: str, choice: Choice, zh: str, en: str) -> Topic:
    return Topic(topic, choice, Words(zh, en))


DEFAULT_TOPICS: Final = (
    _topic("no_sound", Choice.NO_SOUND, "听不到声音", "No sound"),
    _topic("no_picture", Choice.NO_PICTURE, "看不到画面", "No picture"),
    _topic("stutter", Choice.OTHER, "声音或画面卡顿", "Sound or picture stutters"),
    _topic("cannot_enter", Choice.OTHER, "进不了教室", "Cannot enter the class"),
    _topic("screen_share", Choice.OTHER, "共享屏幕有问题", "Trouble sharing the screen"),
    _topic("app", Choice.OTHER, "软件或账号问题", "App or account"),
    _topic("homework", Choice.OTHER, "作业", "Homework"),
    _topic("replay", Choice.OTHER, "看回放", "Watching a replay"),
    _topic("schedule", Choice.OTHER, "上课时间", "Lesson times"),
    _topic("teacher", Choice.OTHER, "老师", "Teacher"),
    _topic("course", Choice.OTHER, "选课", "Choosing a course"),
    _topic("price", Choice.OTHER, "价格", "Price"),
    _topic("refund", Choice.OTHER, "退费", "Refund"),
    _topic("renewal", Choice.OTHER, "续费", "Renewal"),
    _topic("general", Choice.OTHER, "其他问题", "Something else"),
)


class TopicList:
    """The topics as of a few seconds ago at most."""

    def __init__(self, store: StoredTopics, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store: Final = store
        self._monotonic: Final = monotonic
        self._read_at: float | None = None
        self._version = 0
        self._topics: tuple[Topic, ...] = DEFAULT_TOPICS

    @property
    def version(self) -> int:
        """Grows with every change; 0: the list that comes with the program."""
        return self._version

    async def current(self) -> tuple[Topic, ...]:
        """The list; raises StoreError."""
        now = self._monotonic()
        if self._read_at is None or now - self._read_at > FRESH_S:
            stored = await self._store.get()
            if stored is not None:
                self._version, items = stored
                self._topics = tuple(_load(item) for item in items)
            self._read_at = now
        return self._topics

    async def replace(self, topics: Sequence[Topic], version: int) -> None:
        """A new list instead of the one with this version; raises StoreError, ConcurrencyError."""
        self._version = await self._store.put([asdict(topic) for topic in topics], version)
        self._topics = tuple(topics)
        self._read_at = self._monotonic()

    def forget(self) -> None:
        """Read the list afresh next time."""
        self._read_at = None

    def advice(self, topic: str) -> tuple[Advice, ...]:
        """What somebody with this topic can try meanwhile; never empty."""
        known = estimate.advice(topic)
        for each in self._topics:
            if each.id == topic and (each.advice.zh or each.advice.en):
                own = Advice(topic, _said(each.advice), _said(each.child_advice, each.advice))
                general = estimate.advice("general")
                return (own, *(more for more in general if topic != "general"))
        return known


def _said(words: Words, otherwise: Words = Words()) -> dict[str, str]:
    zh = words.zh or words.en or otherwise.zh or otherwise.en
    en = words.en or words.zh or otherwise.en or otherwise.zh
    return {"zh-CN": zh, "en": en}


def _load(item: dict[str, Any]) -> Topic:
    return Topic(
        id=item["id"],
        choice=Choice(item["choice"]),
        name=Words(**item["name"]),
        advice=Words(**item["advice"]),
        child_advice=Words(**item["child_advice"]),
    )
