"""CPU per `Forwarder.forward` call, against the same loop around an empty function.

Run: python tests/bench/forwarder.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from mediaserver.flow.forwarder import Forwarder, OutgoingStream
from mediaserver.flow.media_packet import MediaPacket
from mediaserver.flow.receiver import StreamReceiver
from mediaserver.flow.send_queue import SendQueue
from mediaserver.rtp.extensions import HeaderExtension, build_extensions
from mediaserver.rtp.packet import build_rtp, parse_rtp
from mediaserver.rtp.payload.vp8 import parse_vp8_descriptor
from mediaserver.rtp.rtcp import ReportBlock

PACKETS = 2_000
SUBSCRIBERS = 32
ROUNDS = 7
VIDEO_IDS = {HeaderExtension.MID: 1, HeaderExtension.TRANSPORT_SEQUENCE: 3, HeaderExtension.AUDIO_LEVEL: 5}


def _vp8(picture_id: int, start: bool, key: bool) -> bytes:
    head = bytes(
        (0x90 if start else 0x80, 0xE0, 0x80 | picture_id >> 8, picture_id & 0xFF, picture_id & 0xFF, 0)
    )
    return head + (b"\x00" if key else b"\x01") + bytes(1100 - len(head) - 1)


def _video_packets(layer: int = 0, first: int = 70_000) -> list[MediaPacket]:
    packets = []
    for index in range(PACKETS):
        picture, part = divmod(index, 8)
        payload = _vp8(picture, part == 0, index == 0)
        packets.append(
            MediaPacket(
                first + index, 3000 * picture, part == 7, 96, payload, picture / 30, layer,
                keyframe=index == 0, frame_start=part == 0, vp8=parse_vp8_descriptor(payload),
            )
        )  # fmt: skip
    return packets


def _audio_packets() -> list[MediaPacket]:
    return [
        MediaPacket(70_000 + index, 960 * index, False, 111, bytes(100), index / 50, audio_level=index % 60)
        for index in range(PACKETS)
    ]


def _forwarder(codec: str, queue: SendQueue) -> Forwarder:
    rate = 48_000 if codec == "opus" else 90_000
    stream = OutgoingStream(1000, 96, rate, codec, "0", 1001, 97, VIDEO_IDS)
    forwarder = Forwarder(stream, queue)
    forwarder.on_report_block(ReportBlock(1000, 0, 0, 0, 0, 0, 0), 0.0)
    return forwarder


def _measure(
    functions: list[Callable[[MediaPacket], object]], packets: list[MediaPacket], drain: Callable[[], None]
) -> float:
    begin = time.process_time()
    for packet in packets:
        for function in functions:
            function(packet)
        drain()
    return (time.process_time() - begin) / (len(packets) * len(functions)) * 1e6


def _fan_out(
    name: str, codec: str, packets: list[MediaPacket], lead_in: list[MediaPacket] | None = None
) -> None:
    figures, empties = [], []
    for _ in range(ROUNDS):
        dirty: list[SendQueue] = []
        queues = [SendQueue(dirty) for _ in range(SUBSCRIBERS)]
        forwarders = [_forwarder(codec, queue) for queue in queues]

        def drain(dirty: list[SendQueue] = dirty) -> None:
            for queue in dirty:
                queue.drain(0.0)
            dirty.clear()

        for forwarder in forwarders:
            for packet in lead_in or ():
                forwarder.forward(packet)
            if lead_in:
                forwarder.set_target_layer(packets[0].layer)
        drain()
        figures.append(_measure([f.forward for f in forwarders], packets, drain))
        empties.append(_measure([_nothing] * SUBSCRIBERS, packets, drain))
        sent = sum(f.stats(0.0).packets_sent for f in forwarders)
        assert sent == SUBSCRIBERS * (len(packets) + len(lead_in or ())), sent
    print(f"{name:44} {statistics.median(figures):6.3f} µs   empty {statistics.median(empties):6.3f} µs")


def _nothing(packet: MediaPacket) -> None:
    pass


def _receive() -> None:
    ids = {3: HeaderExtension.TRANSPORT_SEQUENCE, 1: HeaderExtension.MID}
    datagrams = []
    for index in range(PACKETS):
        picture, part = divmod(index, 8)
        extension = build_extensions([(3, index.to_bytes(2))])
        assert extension
        datagrams.append(
            build_rtp(
                payload_type=96, sequence_number=index, timestamp=3000 * picture, ssrc=5, marker=part == 7,
                extensions=[(3, index.to_bytes(2))], payload=_vp8(picture, part == 0, index == 0),
            )
        )  # fmt: skip
    figures = []
    for _ in range(ROUNDS):
        receiver = StreamReceiver(5, "VP8", 90_000, nack=True)
        begin = time.process_time()
        for datagram in datagrams:
            receiver.on_rtp(parse_rtp(datagram), ids, 1.0)
        figures.append((time.process_time() - begin) / PACKETS * 1e6)
    print(f"{'StreamReceiver.on_rtp with parse_rtp':44} {statistics.median(figures):6.3f} µs")


if __name__ == "__main__":
    _fan_out("video, steady", "VP8", _video_packets())
    _fan_out("video, after a layer switch (picture ids)", "VP8", _video_packets(1, 300_000), _video_packets())
    _fan_out("audio with level", "opus", _audio_packets())
    _receive()
