"""How long a student will wait, as a range that can be kept, and what he can do meanwhile.

Calls leave the queue as agents become free. With `n` agents and a mean handle time `h`, that is a stream with
rate `n / h`; waiting for the `k`-th departure takes a gamma-distributed time of shape `k`. The range runs
from its 20th to its 90th percentile, widened while few were seen. Nobody at work: no estimate.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from signalling.desk.model import QueueId

PRIOR_S = {False: 480.0, True: 420.0}
"""Handle time of a voice or video call, and of a chat, before any was seen."""

PRIOR_WEIGHT = 4
"""The prior counts like so many observed calls."""

REMEMBERED = 200
"""Handle times kept per queue: an evening's worth, so that the estimate follows the day."""

LOW_Z, HIGH_Z = -0.84, 1.28
"""20th and 90th percentile of the normal distribution."""

RING_S = 30.0
"""A free agent still has to see the offer and accept; one may let it pass."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A range of seconds; show it in minutes."""

    low_s: float
    high_s: float
    samples: int
    """How many observed calls it rests on."""

    @property
    def middle_s(self) -> float:
        """One figure, where there is room for one only; the cautious half of the range."""
        return (self.low_s + 2 * self.high_s) / 3


class HandleTimes:
    """The last handle times of each queue, voice and video apart from chat."""

    def __init__(self) -> None:
        self._seen: dict[tuple[QueueId, bool], deque[float]] = {}

    def observe(self, queue: QueueId, chat: bool, seconds: float) -> None:
        """An agent was free again after serving a call this long."""
        self._seen.setdefault((queue, chat), deque(maxlen=REMEMBERED)).append(max(1.0, seconds))

    def of(self, queue: QueueId, chat: bool) -> Observed:
        """What is known of a queue."""
        seen = self._seen.get((queue, chat), ())
        total = sum(seen) + PRIOR_S[chat] * PRIOR_WEIGHT
        return Observed(total / (len(seen) + PRIOR_WEIGHT), len(seen))


@dataclass(frozen=True, slots=True)
class Observed:
    """A mean handle time and how many calls stand behind it."""

    mean_s: float
    samples: int


def estimate(*, ahead: int, servers: int, free: int, observed: Observed) -> Estimate | None:
    """The wait of a call with `ahead` calls before it.

    :param servers: calls that the agents at work can serve at once.
    :param free: of these, how many could start now.
    :returns: ``None`` if nobody is at work.
    """
    if servers <= 0:
        return None
    needed = ahead + 1 - free
    if needed <= 0:
        return Estimate(0.0, RING_S, observed.samples)
    between_s = observed.mean_s / servers
    doubt = 1.0 / math.sqrt(observed.samples + PRIOR_WEIGHT)
    low = between_s * _gamma_quantile(needed, LOW_Z) * (1.0 - doubt / 2)
    high = between_s * _gamma_quantile(needed, HIGH_Z) * (1.0 + doubt) + RING_S
    low_step, high_step = _step(low), _step(high)
    return Estimate(
        math.floor(low / low_step) * low_step, math.ceil(high / high_step) * high_step, observed.samples
    )


def _gamma_quantile(shape: int, z: float) -> float:
    """Wilson and Hilferty's approximation; good to a few per cent for shape 1 and better above."""
    spread = 1.0 / (9.0 * shape)
    return shape * float(max(0.0, 1.0 - spread + z * math.sqrt(spread)) ** 3)


def _step(seconds: float) -> float:
    """Half minutes below five minutes, then whole ones."""
    return 30.0 if seconds < 300 else 60.0


@dataclass(frozen=True, slots=True)
class Advice:
    """What to try while waiting. `say` is for adults, `child` for children's accounts."""

    code: str
    say: Mapping[str, str]
    child: Mapping[str, str]


_ADVICE: Mapping[str, tuple[Advice, ...]] = {
    "no_sound": (
        Advice(
            "check_volume",
            {
                "zh-CN": "请看看设备的音量是不是开着，耳机有没有插好。",
                "en": "Check that the volume is up and your headphones are plugged in.",
            },
            {
                "zh-CN": "看看声音是不是开着，耳机有没有插好。",
                "en": "See if the sound is on and your headphones are plugged in.",
            },
        ),
    ),
    "no_picture": (
        Advice(
            "reload_class",
            {
                "zh-CN": "可以退出课堂再进一次，求助不会断。",
                "en": "You can leave the class and enter again; your request stays.",
            },
            {
                "zh-CN": "可以退出课堂再进一次，我们还在。",
                "en": "You can leave the class and come back; we are still here.",
            },
        ),
    ),
    "stutter": (
        Advice(
            "closer_to_router",
            {
                "zh-CN": "试试离路由器近一点，或换成手机流量。",
                "en": "Try moving closer to your router, or use mobile data.",
            },
            {
                "zh-CN": "试试离路由器近一点，也可以请爸爸妈妈帮忙。",
                "en": "Try moving closer to the router, or ask your parents to help.",
            },
        ),
    ),
    "general": (
        Advice(
            "stay_in_class",
            {
                "zh-CN": "您可以继续上课，接通时我们会提醒您。",
                "en": "You can go on with the class; we tell you when somebody is there.",
            },
            {
                "zh-CN": "你可以继续上课，老师来了会提醒你。",
                "en": "You can go on with the class; we tell you when a teacher is here.",
            },
        ),
    ),
}


def advice(topic: str) -> tuple[Advice, ...]:
    """What somebody with this topic can try meanwhile; never empty."""
    return _ADVICE.get(topic, ()) + (_ADVICE["general"] if topic != "general" else ()) or _ADVICE["general"]
