"""A received stream: one SSRC of a publisher, the track it belongs to and what happens to its packets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mediaserver.flow.receiver import StreamReceiver
    from mediaserver.room.track import PublishedTrack
    from mediaserver.sdp.codecs import NegotiatedCodec


class Uplink:
    """One simulcast layer (or the only stream) of a published track, as it arrives."""

    __slots__ = ("_poll_soon", "codec", "mid", "receiver", "rid", "track")

    def __init__(
        self,
        track: PublishedTrack,
        receiver: StreamReceiver,
        mid: str,
        rid: str,
        codec: NegotiatedCodec,
        poll_soon: Callable[[], None],
    ) -> None:
        self.track = track
        self.receiver = receiver
        self.mid = mid
        self.rid = rid
        self.codec = codec
        self._poll_soon = poll_soon

    def request_keyframe(self, now: float) -> None:
        """Ask the publisher for a key frame; the throttle in the receiver decides when it is said."""
        self.receiver.request_keyframe()
        deadline = self.receiver.deadline()
        if deadline is not None and deadline <= now:
            self._poll_soon()
