"""One track on its way to one subscriber: the media section that carries it and its forwarder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mediaserver.clock import monotonic

if TYPE_CHECKING:
    from mediaserver.flow.forwarder import Forwarder
    from mediaserver.room.track import PublishedTrack


class Downlink:
    """Waits for a media section, then forwards; knows nothing of why it is open or closed."""

    __slots__ = (
        "_on_unsupported",
        "_wanted_layer",
        "forwarder",
        "mid",
        "rtx_ssrc",
        "source",
        "ssrc",
        "stream_id",
        "track",
        "track_id",
    )

    def __init__(
        self,
        track: PublishedTrack,
        *,
        stream_id: str,
        track_id: str,
        on_unsupported: Callable[[], None],
    ) -> None:
        self.track = track
        """The track as negotiated: kind, codec and names."""
        self.source: PublishedTrack | None = track
        """The track whose packets are forwarded now."""
        self.stream_id = stream_id
        self.track_id = track_id
        self.mid: str | None = None
        """The media section that carries it, once there is one."""
        self.ssrc = 0
        self.rtx_ssrc = 0
        self.forwarder: Forwarder | None = None
        self._wanted_layer: int | None = None
        self._on_unsupported = on_unsupported

    def set_wanted_layer(self, layer: int | None) -> None:
        """Open the gate for a layer, or close it with None; takes effect with the next packet."""
        self._wanted_layer = layer
        self._steer()

    def unsupported(self) -> None:
        """The subscriber cannot decode the track's codec."""
        self._on_unsupported()

    def ready(self, forwarder: Forwarder) -> None:
        """The section is negotiated: forward from now on."""
        if self.forwarder is not None and self.source is not None:
            self.source.remove_forwarder(self.forwarder)
        self.forwarder = forwarder
        source = self.source
        if source is not None:
            forwarder.set_source(scalable=source.scalable)
        self._steer()
        if source is not None:
            source.add_forwarder(forwarder)

    def attach_to(self, source: PublishedTrack, *, replaced: bool) -> None:
        """Forward another track of the same codec from now on, numbering continued."""
        self.source = source
        if self.forwarder is not None:
            if replaced:
                self.forwarder.set_source(scalable=source.scalable)
            source.add_forwarder(self.forwarder)

    def detach_from(self, source: PublishedTrack) -> None:
        """Forward nothing of a track any more."""
        if self.forwarder is not None:
            source.remove_forwarder(self.forwarder)
        if self.source is source:
            self.source = None

    def request_keyframe_if_needed(self, now: float) -> None:
        """Pass on the forwarder's wish for a key frame."""
        if self.forwarder is None or self.source is None:
            return
        layer = self.forwarder.wants_keyframe_of_layer
        if layer is not None:
            self.source.request_keyframe(layer, now)

    def _steer(self) -> None:
        if self.forwarder is not None:
            self.forwarder.set_target_layer(self._wanted_layer)
            self.request_keyframe_if_needed(monotonic())
