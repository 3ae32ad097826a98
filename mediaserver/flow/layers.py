"""Which simulcast (or spatial) layer a subscriber is to receive: the wish, and what there is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

DEAD_AFTER_S = 1.0
"""A layer without a packet for this long is not being sent, provided another layer is."""

ALIVE_WITHIN_S = 0.5
"""A layer with a packet within this time is being sent; judges the others. When all are silent (a still
screen, a muted camera) nothing can be concluded and everything stays as it is."""

SIZE_TOLERANCE = 0.95
"""A layer of at least this share of the requested size satisfies the request: encoders round and crop."""


class Quality(IntEnum):
    """A subscriber's wish."""

    OFF = -1
    LOW = 0
    MEDIUM = 1
    HIGH = 2


@dataclass(frozen=True, slots=True)
class LayerState:
    """What is known of one layer of a source; the position in a sequence is its number, 0 = lowest."""

    last_arrival: float | None
    """Monotonic seconds of its last packet; None before the first."""
    width: int | None = None
    height: int | None = None


class LayerSelector:
    """One subscriber's wish for one video track, and the layer that fulfils it best.

    It only decides; the forwarder switches when a key frame of the decided layer comes, and asks for one.
    """

    __slots__ = ("_dead", "_height", "_width", "max_layer", "quality", "visible")

    def __init__(self) -> None:
        self.quality = Quality.HIGH
        self.visible = True
        """False while the subscriber does not show the track at all."""
        self.max_layer: int | None = None
        """A limit from elsewhere, such as a bandwidth allocator; None for none."""
        self._width = 0
        self._height = 0
        self._dead: set[int] = set()

    def request_size(self, width: int, height: int) -> None:
        """The size in pixels at which the track is shown; 0 for unknown."""
        self._width = max(0, width)
        self._height = max(0, height)

    def wished_layer(self, layers: Sequence[LayerState]) -> int | None:
        """The layer to have if all were there: the lowest that is large enough, within the wished quality."""
        if not self.visible or self.quality is Quality.OFF or not layers:
            return None
        top = min(int(self.quality), len(layers) - 1) if self.quality is not Quality.HIGH else len(layers) - 1
        if self.max_layer is not None:
            top = min(top, self.max_layer)
        if self._width or self._height:
            for number, layer in enumerate(layers[:top]):
                if layer.width is None or layer.height is None:
                    break
                # The picture may be turned by its orientation, hence the longer with the longer side.
                have, want = sorted((layer.width, layer.height)), sorted((self._width, self._height))
                if have[0] >= want[0] * SIZE_TOLERANCE and have[1] >= want[1] * SIZE_TOLERANCE:
                    return number
        return max(top, 0)

    def select(self, now: float, layers: Sequence[LayerState]) -> int | None:
        """The layer to forward at ``now``; None to forward nothing.

        Falls back to the next lower layer that is being sent, else to the next higher; returns as soon as the
        wished one is sent again.
        """
        wish = self.wished_layer(layers)
        if wish is None:
            return None
        ages = [_NEVER if layer.last_arrival is None else now - layer.last_arrival for layer in layers]
        if min(ages) <= ALIVE_WITHIN_S:
            self._dead = {number for number, age in enumerate(ages) if age >= DEAD_AFTER_S}
        else:
            self._dead = {number for number, age in enumerate(ages) if number in self._dead or age == _NEVER}
        if wish not in self._dead:
            return wish
        below = [number for number in range(wish) if number not in self._dead]
        if below:
            return below[-1]
        above = [number for number in range(wish + 1, len(layers)) if number not in self._dead]
        return above[0] if above else wish


_NEVER = float("inf")
