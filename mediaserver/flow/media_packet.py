"""The form in which a received packet travels from its receiver to every subscriber and sink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mediaserver.rtp.payload.red import primary_of_red

if TYPE_CHECKING:
    from mediaserver.rtp.extensions import HeaderExtension
    from mediaserver.rtp.payload.vp8 import Vp8Descriptor


class PacketSource(Protocol):
    """Where packets come from, as far as those who forward them care."""

    def capture_time(self, timestamp: int) -> float | None:
        """Monotonic seconds at which the sample with this RTP timestamp was captured; None if unknown."""

    def packets_after(self, packet: MediaPacket, now: float) -> list[MediaPacket]:
        """What was received lately behind ``packet``, in order: not empty only if the packet came late."""


class MediaPacket:
    """One media packet, built once when it arrives and shared, unchanged, by all who forward or record it.

    Treat every field as read-only after construction.
    """

    __slots__ = (
        "_body",
        "arrival",
        "audio_level",
        "extended_sequence",
        "frame_end",
        "frame_start",
        "keyframe",
        "layer",
        "marker",
        "passthrough",
        "payload",
        "payload_type",
        "recovered",
        "red",
        "source",
        "spatial_layer",
        "temporal_layer",
        "timestamp",
        "voice",
        "vp8",
    )

    def __init__(
        self,
        extended_sequence: int,
        timestamp: int,
        marker: bool,
        payload_type: int,
        payload: bytes,
        arrival: float,
        layer: int = 0,
        keyframe: bool = False,
        frame_start: bool = False,
        temporal_layer: int = 0,
        spatial_layer: int = 0,
        audio_level: int | None = None,
        voice: bool = False,
        passthrough: tuple[tuple[HeaderExtension, bytes], ...] = (),
        recovered: bool = False,
        vp8: Vp8Descriptor | None = None,
        frame_end: bool = False,
        red: bool = False,
        source: PacketSource | None = None,
    ) -> None:
        self.extended_sequence = extended_sequence
        """The unwrapped sequence number of the publisher's stream (not of a retransmission stream)."""
        self.timestamp = timestamp
        """The publisher's 32-bit RTP timestamp."""
        self.marker = marker
        """The RTP marker bit: for video the last packet of a picture."""
        self.payload_type = payload_type
        """The publisher's payload type."""
        self.payload = payload
        """The payload without padding. Empty for a packet that was padding only: nothing to play, but its
        sequence number is accounted for, so forwarders can close the gap."""
        self.arrival = arrival
        """Monotonic seconds at which the datagram was received."""
        self.layer = layer
        """Simulcast layer, 0 = lowest; 0 for everything that is not simulcast."""
        self.keyframe = keyframe
        """The packet begins a key frame: a decoder can start here."""
        self.frame_start = frame_start
        """The packet is the first of a picture (of a layer's picture, for scalable codecs)."""
        self.temporal_layer = temporal_layer
        """Temporal layer, 0 = base."""
        self.spatial_layer = spatial_layer
        """Spatial layer within one scalable stream, 0 = base."""
        self.audio_level = audio_level
        """RFC 6464 level in -dBov: 0 is loudest, 127 silence; None when the publisher did not say."""
        self.voice = voice
        """RFC 6464 voice activity flag."""
        self.passthrough = passthrough
        """Header extensions handed on as they are: orientation, playout delay, dependency descriptor."""
        self.recovered = recovered
        """The packet came by retransmission."""
        self.vp8 = vp8
        """Where the VP8 payload descriptor keeps its picture id and TL0PICIDX; None for other codecs."""
        self.frame_end = frame_end
        """The packet is the last of a layer's picture (VP9 E bit, dependency descriptor, or the marker)."""
        self.red = red
        """The payload is RED (RFC 2198) around Opus."""
        self.source = source
        """The receiver that made the packet, for its clock; None if it has none."""
        self._body: bytes | None = None

    @property
    def body(self) -> bytes:
        """The payload behind what a subscriber may need otherwise: without the VP8 descriptor, or a RED
        packet's primary block. Made once, whoever asks. Raises ValueError for damaged RED."""
        body = self._body
        if body is None:
            if self.vp8 is not None:
                body = self.payload[self.vp8.size :]
            elif self.red:
                body = primary_of_red(self.payload)
            else:
                body = self.payload
            self._body = body
        return body
