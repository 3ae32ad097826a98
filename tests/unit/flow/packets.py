"""Packets for the tests of flow."""

from __future__ import annotations

from mediaserver.flow.forwarder import Forwarder, OutgoingStream
from mediaserver.flow.media_packet import MediaPacket, PacketSource
from mediaserver.flow.send_queue import SendQueue
from mediaserver.rtp.extensions import HeaderExtension
from mediaserver.rtp.packet import RtpPacket, parse_rtp
from mediaserver.rtp.payload.vp8 import parse_vp8_descriptor

IDS = {
    HeaderExtension.MID: 1,
    HeaderExtension.TRANSPORT_SEQUENCE: 3,
    HeaderExtension.AUDIO_LEVEL: 5,
    HeaderExtension.VIDEO_ORIENTATION: 6,
}


def vp8(
    picture_id: int, tl0: int = 0, tid: int = 0, *, start: bool = True, key: bool = False, sync: bool = False
) -> bytes:
    head = bytes(
        (
            0x90 if start else 0x80,
            0xE0,
            0x80 | (picture_id >> 8 & 0x7F),
            picture_id & 0xFF,
            tl0 & 0xFF,
            tid << 6 | (0x20 if sync else 0),
        )
    )
    return head + (b"\x00" if key else b"\x01") + b"data"


def video(
    sequence: int,
    timestamp: int = 0,
    *,
    payload: bytes | None = None,
    layer: int = 0,
    key: bool = False,
    marker: bool = True,
    arrival: float = 0.0,
    tid: int = 0,
    source: PacketSource | None = None,
    spatial: int = 0,
) -> MediaPacket:
    payload = b"payload-%d" % sequence if payload is None else payload
    descriptor = None
    if payload[:2] in (b"\x90\xe0", b"\x80\xe0"):
        descriptor = parse_vp8_descriptor(payload)
        tid = descriptor.temporal_layer or 0
    return MediaPacket(
        sequence, timestamp, marker, 96, payload, arrival, layer, keyframe=key, frame_start=True,
        temporal_layer=tid, spatial_layer=spatial, vp8=descriptor, source=source, frame_end=True,
    )  # fmt: skip


def audio(
    sequence: int,
    timestamp: int,
    payload: bytes = b"opus",
    *,
    level: int | None = None,
    red: bool = False,
    arrival: float = 0.0,
) -> MediaPacket:
    return MediaPacket(
        sequence,
        timestamp,
        False,
        63 if red else 111,
        payload,
        arrival,
        audio_level=level,
        voice=True,
        red=red,
    )


class Rig:
    """A forwarder and what comes out of it."""

    def __init__(self, codec: str = "VP8", **options: object) -> None:
        self.dirty: list[SendQueue] = []
        self.queue = SendQueue(self.dirty)
        fields: dict[str, object] = {
            "ssrc": 1000,
            "payload_type": 100,
            "clock_rate": 48_000 if codec == "opus" else 90_000,
            "codec": codec,
            "mid": "m1",
            "rtx_ssrc": 1001,
            "rtx_payload_type": 101,
            "extension_ids": IDS,
        }
        fields.update(options)
        self.stream = OutgoingStream(**fields)  # type: ignore[arg-type]
        self.forwarder = Forwarder(self.stream, self.queue, first_sequence=100, first_timestamp=5000)

    def send(self, *packets: MediaPacket) -> list[RtpPacket]:
        for packet in packets:
            self.forwarder.forward(packet)
        return self.drain()

    def drain(self) -> list[RtpPacket]:
        self.dirty.clear()
        return [parse_rtp(header + payload) for header, payload, _ in self.queue.drain(0.0)]
