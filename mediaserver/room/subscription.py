"""One subscriber's interest in one track: what it may have, what it wishes, and what it therefore gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mediaserver.clock import monotonic
from mediaserver.flow.layers import LayerSelector
from mediaserver.flow.layers import Quality as LayerQuality
from mediaserver.room.model import Quality, TrackKind

if TYPE_CHECKING:
    from mediaserver.room.downlink import Downlink
    from mediaserver.room.track import PublishedTrack


class Subscription:
    """A track on its way to a subscriber.

    The media section is negotiated once and then kept: pausing, resuming and choosing a layer only move
    the gate of the downlink, so that none of them costs a new offer.
    """

    __slots__ = ("_selector", "_source", "allowed", "downlink", "track")

    def __init__(self, track: PublishedTrack, downlink: Downlink) -> None:
        self.track = track
        """The track the client subscribed to; its name in all signalling."""
        self._source = track
        self.downlink = downlink
        self.allowed = False
        """Whether the room's audience lets the track through."""
        self._selector = LayerSelector()

    @property
    def source(self) -> PublishedTrack:
        """The track whose packets are sent: the subscribed one unless replaced."""
        return self._source

    def wish(self, *, disabled: bool, quality: Quality, width: int, height: int) -> None:
        """What the client can use now: nothing, a quality, a size in pixels (0: unknown)."""
        self._selector.visible = not disabled
        self._selector.quality = LayerQuality.OFF if quality is Quality.OFF else LayerQuality(int(quality))
        self._selector.request_size(width, height)
        self.apply()

    @property
    def wished_layer(self) -> int | None:
        """The layer to have if the publisher sent all; None for none."""
        if not self.allowed:
            return None
        return self._selector.wished_layer(self._source.layer_states())

    def apply(self) -> None:
        """Put the gate and the layer of the downlink where they belong now."""
        if not self.allowed or not self._selector.visible:
            self.downlink.set_wanted_layer(None)
        elif self._source.info.kind is TrackKind.AUDIO:
            self.downlink.set_wanted_layer(0)
        else:
            self.downlink.set_wanted_layer(self._selector.select(monotonic(), self._source.layer_states()))

    def replace_source(self, source: PublishedTrack) -> None:
        """Send another track of the same codec in the same stream: no offer, continuous numbering.

        Raises `ValueError` when the codecs differ.
        """
        if source.codec != self.track.codec or source.info.kind != self.track.info.kind:
            raise ValueError(f"source codec {source.codec} is not the subscription's {self.track.codec}")
        if source is self._source:
            return
        self.downlink.detach_from(self._source)
        self._source = source
        self.downlink.attach_to(source, replaced=True)
        self.apply()

    def close(self) -> None:
        """Stop receiving the track; its media section becomes free at the next negotiation."""
        self.downlink.detach_from(self._source)
