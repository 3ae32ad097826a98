"""A published track: what arrives from its publisher, and the fan-out to everybody who receives it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from mediaserver.clock import unix_us
from mediaserver.flow.layers import LayerState
from mediaserver.room.model import (
    CodecQualities,
    Identity,
    ParticipantSid,
    Quality,
    TrackInfo,
    TrackKind,
    TrackRequest,
    TrackSid,
    new_sid,
)

if TYPE_CHECKING:
    from mediaserver.flow.forwarder import Forwarder
    from mediaserver.flow.media_packet import MediaPacket
    from mediaserver.room.uplink import Uplink

LAYER_OF_RID = {"q": 0, "h": 1, "f": 2}
"""LiveKit clients name their simulcast layers quarter, half and full."""

MIME_OF_KIND = {TrackKind.AUDIO: "audio/opus", TrackKind.VIDEO: "video/vp8"}
"""What a track is announced as until its first packet says better."""


class TrackSink(Protocol):
    """Something that takes a track's packets as they arrive, before they are rewritten for anybody."""

    def on_packet(self, track: PublishedTrack, packet: MediaPacket) -> None:
        """A packet of the track; must be quick and must not raise."""

    def on_muted(self, track: PublishedTrack, muted: bool) -> None:
        """The track was muted or unmuted."""

    def on_sender_report(self, track: PublishedTrack, ntp_time: int, rtp_timestamp: int, at: float) -> None:
        """The publisher told its clock: an instant as 64-bit NTP and as RTP timestamp."""

    def on_end(self, track: PublishedTrack) -> None:
        """The track is gone."""


class PublishedTrack:
    """One track of one publisher and everything that fans out from it."""

    __slots__ = (
        "_forwarders",
        "_sinks",
        "announced",
        "cids",
        "gone",
        "info",
        "publisher_identity",
        "publisher_sid",
        "request",
        "scalable",
        "subscribed_quality",
        "subscriber_announced",
        "uplinks",
    )

    def __init__(
        self, publisher_sid: ParticipantSid, publisher_identity: Identity, request: TrackRequest
    ) -> None:
        mime = request.codecs[0].mime_type if request.codecs else ""
        self.request = request
        self.publisher_sid = publisher_sid
        self.publisher_identity = publisher_identity
        self.cids = {request.cid, *(codec.cid for codec in request.codecs if codec.cid)}
        """The client's names for the track's media stream tracks, one per codec."""
        self.info = TrackInfo(
            sid=TrackSid(new_sid("TR_")),
            kind=request.kind,
            name=request.name,
            source=request.source,
            muted=request.muted,
            mime_type=mime or MIME_OF_KIND[request.kind],
            width=request.width,
            height=request.height,
            simulcast=len(request.layers) > 1,
            disable_dtx=request.disable_dtx,
            disable_red=request.disable_red,
            stereo=request.stereo,
            layers=request.layers,
            codecs=request.codecs,
            encryption=request.encryption,
            stream=request.stream,
            backup_codec_policy=request.backup_codec_policy,
            audio_features=request.audio_features,
            packet_trailer_features=request.packet_trailer_features,
            version_us=unix_us(),
        )
        self.announced = False
        """Whether the room knows of the track: from its first packet on (or at once when muted)."""
        self.gone = False
        self.scalable = False
        """Its layers travel in one stream (SVC) instead of several (simulcast)."""
        self.uplinks: dict[int, Uplink] = {}
        """The streams it arrives on, by simulcast layer (0 = lowest)."""
        self.subscribed_quality: tuple[CodecQualities, ...] | None = None
        """What the publisher was last told about the wanted layers."""
        self.subscriber_announced = False
        self._forwarders: tuple[Forwarder, ...] = ()
        self._sinks: tuple[TrackSink, ...] = ()

    @property
    def sid(self) -> TrackSid:
        """The track's identifier in the room."""
        return self.info.sid

    @property
    def codec(self) -> str:
        """The codec's name in lower case, such as ``vp8``."""
        return self.info.mime_type.rpartition("/")[2].lower()

    @property
    def encrypted(self) -> bool:
        """End-to-end encrypted: forwarded, never looked into."""
        return self.info.encryption != 0

    def update(self, **changes: object) -> None:
        """Change fields of the info and count its version up."""
        self.info = replace(self.info, version_us=unix_us(), **changes)  # type: ignore[arg-type]

    # Fan-out -------------------------------------------------------------------------------------

    def deliver(self, packet: MediaPacket) -> None:
        """Hand one packet to every forwarder and sink; nothing of a muted track leaves."""
        if self.info.muted:
            return
        for forwarder in self._forwarders:
            forwarder.forward(packet)
        if self._sinks:
            for sink in self._sinks:
                sink.on_packet(self, packet)

    def add_forwarder(self, forwarder: Forwarder) -> None:
        """Start forwarding to one more subscriber."""
        if forwarder not in self._forwarders:
            if self.info.muted:
                forwarder.pause()
            self._forwarders = (*self._forwarders, forwarder)

    def remove_forwarder(self, forwarder: Forwarder) -> None:
        """Stop forwarding to a subscriber."""
        forwarder.resume()  # it may be given another source, which is not muted
        self._forwarders = tuple(kept for kept in self._forwarders if kept is not forwarder)

    def add_sink(self, sink: TrackSink) -> None:
        """Let a sink take the track's packets from now on."""
        if sink not in self._sinks:
            self._sinks = (*self._sinks, sink)

    def remove_sink(self, sink: TrackSink) -> None:
        """Stop giving packets to a sink."""
        self._sinks = tuple(kept for kept in self._sinks if kept is not sink)

    @property
    def sinks(self) -> tuple[TrackSink, ...]:
        """Everything in the process that takes the track."""
        return self._sinks

    @property
    def forwarders(self) -> tuple[Forwarder, ...]:
        """Everybody the track is forwarded to, open or paused."""
        return self._forwarders

    def set_muted(self, muted: bool) -> bool:
        """Mute or unmute; returns whether that changed anything."""
        if self.info.muted == muted:
            return False
        self.update(muted=muted)
        for forwarder in self._forwarders:
            # So that the gap shows nobody a loss to ask for.
            if muted:
                forwarder.pause()
            else:
                forwarder.resume()
        for sink in self._sinks:
            sink.on_muted(self, muted)
        return True

    def end(self) -> None:
        """The track is over: detach everything."""
        self.gone = True
        sinks, self._sinks = self._sinks, ()
        for sink in sinks:
            sink.on_end(self)
        self._forwarders = ()

    # Layers --------------------------------------------------------------------------------------

    def request_keyframe(self, layer: int, now: float) -> None:
        """Ask the publisher for a key frame of a layer (throttled there)."""
        uplink = self.uplinks.get(layer)
        if uplink is not None:
            uplink.request_keyframe(now)

    def layer_of_rid(self, rid: str, rids: tuple[str, ...]) -> int:
        """The layer index of a ``rid``: LiveKit's names first, else by the order they were offered in.

        Indices are dense: a publisher with only ``h`` and ``q`` has the layers 0 and 1.
        """
        known = [name for name in rids if name in LAYER_OF_RID]
        if rid in LAYER_OF_RID and len(known) == len(rids):
            return sorted(known, key=LAYER_OF_RID.__getitem__).index(rid)
        return rids.index(rid) if rid in rids else 0

    def layer_states(self) -> list[LayerState]:
        """What is known of the layers, lowest first: at least one entry."""
        sizes = sorted(((layer.width, layer.height) for layer in self.info.layers), key=lambda s: s[0] * s[1])
        count = max(len(sizes), max(self.uplinks, default=0) + 1, 1)
        states = []
        for number in range(count):
            uplink = self.uplinks.get(0 if self.scalable else number)
            width, height = sizes[number] if number < len(sizes) else (0, 0)
            states.append(
                LayerState(
                    None if uplink is None else uplink.receiver.last_arrival, width or None, height or None
                )
            )
        return states

    def wanted_layers(self, layers: Iterable[int]) -> tuple[CodecQualities, ...]:
        """What to tell a dynacast publisher when exactly up to these layers are wanted."""
        highest = max(layers, default=-1)
        enabled = tuple(
            (quality, int(quality) <= highest)
            for quality in (Quality.LOW, Quality.MEDIUM, Quality.HIGH)
            if int(quality) < max(len(self.info.layers), 1)
        )
        return (CodecQualities(self.codec, enabled),)
