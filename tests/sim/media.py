"""A publisher, the server's forwarding chain and a subscriber, all in virtual time, connected by real
bytes."""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass, field

from mediaserver.flow.forwarder import Forwarder, OutgoingStream
from mediaserver.flow.layers import LayerSelector
from mediaserver.flow.media_packet import MediaPacket
from mediaserver.flow.receiver import StreamReceiver
from mediaserver.flow.send_queue import SendQueue
from mediaserver.flow.transport_feedback import FeedbackRecorder
from mediaserver.rtp.extensions import HeaderExtension
from mediaserver.rtp.ntp import ntp_from_unix_ns
from mediaserver.rtp.packet import build_rtp, is_rtcp, parse_rtp
from mediaserver.rtp.rtcp import (
    AnyRtcp,
    Nack,
    Pli,
    ReceiverReport,
    SenderReport,
    TransportFeedback,
    pack_compound,
    parse_compound,
)
from tests.sim.network import Link, VirtualTime

VIDEO_RATE = 90_000
EXTENSION_IDS = {
    1: HeaderExtension.MID,
    3: HeaderExtension.TRANSPORT_SEQUENCE,
    5: HeaderExtension.AUDIO_LEVEL,
}
OUTGOING_IDS = {name: identifier for identifier, name in EXTENSION_IDS.items()}

_TAG = struct.Struct("!BBIBB")


def ntp_at(now: float) -> int:
    """The virtual wall clock."""
    return ntp_from_unix_ns(round((1_700_000_000 + now) * 1e9))


@dataclass(frozen=True)
class Picture:
    """What a packet of the model says about its origin, hidden in its payload."""

    source: int
    layer: int
    number: int
    part: int
    parts: int
    key: bool


def vp8_payload(
    picture: Picture, picture_id: int, tl0picidx: int, temporal_layer: int, sync: bool, size: int
) -> bytes:
    """A VP8 packet whose data is a tag; key frames carry the start code and a size by layer."""
    head = bytes(
        (
            0x90 if picture.part == 0 else 0x80,
            0xE0,
            0x80 | (picture_id >> 8 & 0x7F),
            picture_id & 0xFF,
            tl0picidx & 0xFF,
            temporal_layer << 6 | (0x20 if sync else 0),
        )
    )
    frame = b""
    if picture.part == 0:
        width, height = 320 << picture.layer, 180 << picture.layer
        frame = (
            b"\x10\x00\x00\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little")
            if picture.key
            else b"\x11\x00\x00" + bytes(7)
        )
    tag = _TAG.pack(picture.source, picture.layer, picture.number, picture.part, picture.parts)
    body = frame + (b"K" if picture.key else b"D") + tag
    return head + body + bytes(max(0, size - len(head) - len(body)))


def read_picture(payload: bytes) -> Picture:
    """What `vp8_payload` hid."""
    at = 6 + (10 if payload[0] & 0x10 else 0)
    source, layer, number, part, parts = _TAG.unpack_from(payload, at + 1)
    return Picture(source, layer, number, part, parts, payload[at : at + 1] == b"K")


class LayerSender:
    """One simulcast layer of the publisher: numbers, timestamps, a history for RTX."""

    def __init__(
        self, source: int, layer: int, ssrc: int, first_sequence: int, first_timestamp: int, first_id: int
    ):
        self.source, self.layer, self.ssrc = source, layer, ssrc
        self.rtx_ssrc = ssrc + 1
        self.sequence = first_sequence
        self.rtx_sequence = first_sequence ^ 0x1234
        self.first_timestamp = first_timestamp
        self.picture_id = first_id
        self.tl0picidx = first_id & 0xFF
        self.number = 0
        self.key_wanted = True
        self.enabled = True
        self.history: dict[int, tuple[int, bool, bytes]] = {}
        self.packets = self.octets = self.resent = self.keyframes = 0


class Publisher:
    """Sends simulcast VP8 at 30 pictures a second, answers NACK by RTX and PLI by a key frame."""

    def __init__(
        self,
        time: VirtualTime,
        source: int = 1,
        *,
        layers: int = 1,
        first_sequence: int = 65_000,
        first_timestamp: int = 0xFFFF_0000,
        first_picture_id: int = 0x7FF0,
        temporal: bool = False,
        padding_every: int = 0,
        frame_interval: float = 1 / 30,
        packet_size: int = 400,
    ) -> None:
        self.time = time
        self.uplink: Link | None = None
        self.temporal = temporal
        self.padding_every = padding_every
        self.packet_size = packet_size
        self.layers = [
            LayerSender(
                source,
                layer,
                10_000 * source + 10 * layer,
                (first_sequence + 7_000 * layer) & 0xFFFF,
                (first_timestamp + 1_000_000 * layer) & 0xFFFFFFFF,
                (first_picture_id + 500 * layer) & 0x7FFF,
            )
            for layer in range(layers)
        ]
        self._transport_sequence = 0
        self.feedback: list[TransportFeedback] = []
        self._start = time.now
        self._ticks = 0
        time.every(frame_interval, self._frame)
        time.every(0.5, self._report)

    def _timestamp(self, layer: LayerSender) -> int:
        return (layer.first_timestamp + round((self.time.now - self._start) * VIDEO_RATE)) & 0xFFFFFFFF

    def _frame(self) -> None:
        self._ticks += 1
        for layer in self.layers:
            if not layer.enabled:
                continue
            key = layer.key_wanted
            layer.key_wanted = False
            layer.keyframes += key
            temporal = 0 if key or not self.temporal else layer.number & 1
            layer.number += 1
            layer.picture_id = (layer.picture_id + 1) & 0x7FFF
            if temporal == 0:
                layer.tl0picidx = (layer.tl0picidx + 1) & 0xFF
            parts = (6 if key else 2) * (layer.layer + 1)
            timestamp = self._timestamp(layer)
            for part in range(parts):
                picture = Picture(layer.source, layer.layer, layer.number, part, parts, key)
                payload = vp8_payload(
                    picture, layer.picture_id, layer.tl0picidx, temporal, temporal == 1, self.packet_size
                )
                self._send(layer, timestamp, part == parts - 1, payload)
            if self.padding_every and self._ticks % self.padding_every == 0:
                self._send(layer, timestamp, False, b"", padding=50)

    def _send(
        self, layer: LayerSender, timestamp: int, marker: bool, payload: bytes, padding: int = 0
    ) -> None:
        sequence = layer.sequence
        layer.sequence = (sequence + 1) & 0xFFFF
        layer.packets += 1
        layer.octets += len(payload)
        if payload:
            layer.history[sequence] = (timestamp, marker, payload)
            if len(layer.history) > 1000:
                del layer.history[next(iter(layer.history))]
        self._transmit(layer.ssrc, 96, sequence, timestamp, marker, payload, padding)

    def _transmit(
        self,
        ssrc: int,
        payload_type: int,
        sequence: int,
        timestamp: int,
        marker: bool,
        payload: bytes,
        padding: int,
    ) -> None:
        assert self.uplink is not None
        self._transport_sequence += 1
        self.uplink.send(
            build_rtp(
                payload_type=payload_type,
                sequence_number=sequence,
                timestamp=timestamp,
                ssrc=ssrc,
                marker=marker,
                payload=payload,
                padding_length=padding,
                extensions=[(3, (self._transport_sequence & 0xFFFF).to_bytes(2))],
            )
        )

    def _report(self) -> None:
        assert self.uplink is not None
        for layer in self.layers:
            report = SenderReport(
                layer.ssrc,
                ntp_at(self.time.now - 77.0),
                self._timestamp(layer),
                layer.packets,
                layer.octets,
                (),
            )
            self.uplink.send(pack_compound([report]))

    def on_datagram(self, datagram: bytes) -> None:
        """RTCP from the server."""
        for message in parse_compound(datagram):
            if isinstance(message, Nack):
                for layer in self.layers:
                    if layer.ssrc == message.media_ssrc:
                        self._resend(layer, message.lost)
            elif isinstance(message, Pli):
                for layer in self.layers:
                    if layer.ssrc == message.media_ssrc:
                        layer.key_wanted = True
            elif isinstance(message, TransportFeedback):
                self.feedback.append(message)

    def _resend(self, layer: LayerSender, sequences: tuple[int, ...]) -> None:
        for sequence in sequences:
            if sequence in layer.history:
                timestamp, marker, payload = layer.history[sequence]
                layer.rtx_sequence = (layer.rtx_sequence + 1) & 0xFFFF
                layer.resent += 1
                self._transmit(
                    layer.rtx_ssrc,
                    97,
                    layer.rtx_sequence,
                    timestamp,
                    marker,
                    sequence.to_bytes(2) + payload,
                    0,
                )


class Server:
    """The forwarding chain of one publisher or several to one subscriber, polled as a room would."""

    def __init__(
        self, time: VirtualTime, publishers: list[Publisher], *, first_sequence: int = 32_000
    ) -> None:
        self.time = time
        self.publishers = publishers
        self.uplinks: dict[int, Link] = {}
        """Publisher index -> its return path."""
        self.downlink: Link | None = None
        self.dirty: list[SendQueue] = []
        self.queue = SendQueue(self.dirty)
        self.feedback = [FeedbackRecorder(1) for _ in publishers]
        self.receivers: list[dict[int, StreamReceiver]] = [
            {
                layer.ssrc: StreamReceiver(
                    layer.ssrc,
                    "VP8",
                    VIDEO_RATE,
                    nack=True,
                    layer=layer.layer,
                    rtx_ssrc=layer.rtx_ssrc,
                    payload_types={96: "VP8"},
                    rtx_payload_types={97: 96},
                    feedback=self.feedback[index],
                )
                for layer in publisher.layers
            }
            for index, publisher in enumerate(publishers)
        ]
        self.source = 0
        self.stream = OutgoingStream(500, 100, VIDEO_RATE, "VP8", "v0", 501, 101, OUTGOING_IDS)
        self.forwarder = Forwarder(
            self.stream, self.queue, first_sequence=first_sequence, first_timestamp=0xFFFF_FF00
        )
        self.received: list[MediaPacket] = []
        self.layer: int | None = 0
        self.selector: LayerSelector | None = None
        time.every(0.01, self._poll)
        time.every(0.5, self._report)

    def use_source(self, index: int) -> None:
        self.source = index
        self.forwarder.set_source()

    def on_uplink(self, index: int, datagram: bytes) -> None:
        now = self.time.now
        if is_rtcp(datagram):
            for message in parse_compound(datagram):
                if isinstance(message, SenderReport) and message.ssrc in self.receivers[index]:
                    self.receivers[index][message.ssrc].on_sender_report(message, now)
            return
        packet = parse_rtp(datagram)
        receiver = self.receivers[index].get(packet.ssrc)
        if receiver is not None:
            media = receiver.on_rtp(packet, EXTENSION_IDS, now)
        else:
            receiver = self.receivers[index][packet.ssrc - 1]
            media = receiver.on_rtx(packet, EXTENSION_IDS, now)
        if media is not None:
            if media.payload:
                self.received.append(media)
            if index == self.source:
                self.forwarder.forward(media)
        self.flush()

    def flush(self) -> None:
        assert self.downlink is not None
        for queue in self.dirty:
            for header, payload, offset in queue.drain(self.time.now):
                datagram = bytearray(header + payload)
                if offset:
                    number = queue.sent.record(self.time.now, len(datagram))
                    datagram[offset : offset + 2] = number.to_bytes(2)
                self.downlink.send(bytes(datagram))
        self.dirty.clear()

    def _poll(self) -> None:
        now = self.time.now
        if self.selector is not None:
            states = [receiver.layer_state for receiver in self.receivers[self.source].values()]
            layer = self.selector.select(now, states)
            if layer != self.layer:
                self.layer = layer
                self.forwarder.set_target_layer(layer)
        wanted = self.forwarder.wants_keyframe_of_layer
        if wanted is not None:
            for receiver in self.receivers[self.source].values():
                if receiver.layer == wanted:
                    receiver.request_keyframe()
        for index, receivers in enumerate(self.receivers):
            messages: list[AnyRtcp] = []
            for receiver in receivers.values():
                messages += receiver.poll(now)
            messages += self.feedback[index].poll(now)
            if messages:
                self.uplinks[index].send(pack_compound(messages))

    def _report(self) -> None:
        now = self.time.now
        report = self.forwarder.sender_report(now, ntp_at(now))
        if report is not None and self.downlink is not None:
            self.downlink.send(pack_compound([report]))
        for index, receivers in enumerate(self.receivers):
            blocks = tuple(receiver.report_block(now) for receiver in receivers.values())
            self.uplinks[index].send(pack_compound([ReceiverReport(1, blocks)]))

    def on_downlink_return(self, datagram: bytes) -> None:
        now = self.time.now
        for message in parse_compound(datagram):
            if isinstance(message, Nack):
                self.forwarder.on_nack(message.lost, now)
            elif isinstance(message, Pli):
                self.forwarder.on_keyframe_request()
            elif isinstance(message, ReceiverReport):
                for block in message.reports:
                    self.forwarder.on_report_block(block, now)
            elif isinstance(message, TransportFeedback):
                self.queue.sent.on_feedback(message, now)
        self.flush()


@dataclass
class Shown:
    """One picture that the subscriber decoded."""

    at: float
    picture: Picture
    picture_id: int
    tl0picidx: int
    timestamp: int
    sequence: int


@dataclass
class _Assembly:
    timestamp: int
    first: int | None = None
    last: int | None = None


@dataclass
class Subscriber:
    """A decoder model: asks again for what is lost, assembles pictures, decodes what can be decoded.

    It judges only by what is on the wire, and by the tags for what the wire cannot tell.
    """

    time: VirtualTime
    uplink: Link | None = None
    violations: list[str] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    packets: dict[int, tuple[int, bool, bytes]] = field(default_factory=dict)
    empty: set[int] = field(default_factory=set)
    abandoned: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._feedback = FeedbackRecorder(2)
        self._receiver = StreamReceiver(
            500,
            "VP8",
            VIDEO_RATE,
            nack=True,
            rtx_ssrc=501,
            payload_types={100: "VP8"},
            rtx_payload_types={101: 100},
            feedback=self._feedback,
            own_ssrc=2,
        )
        self._next: int | None = None
        self._newest = -1
        self._decoding: Picture | None = None
        self._stuck_since: float | None = None
        self.media_datagrams = self.rtx_datagrams = 0
        self._seen_rtx: dict[int, bytes] = {}
        self.time.every(0.01, self._poll)
        self.time.every(0.5, self._report)

    @property
    def receiver(self) -> StreamReceiver:
        return self._receiver

    def on_datagram(self, datagram: bytes) -> None:
        now = self.time.now
        if is_rtcp(datagram):
            for message in parse_compound(datagram):
                if isinstance(message, SenderReport):
                    self._receiver.on_sender_report(message, now)
            return
        packet = parse_rtp(datagram)
        if packet.ssrc == 500:
            self.media_datagrams += 1
            media = self._receiver.on_rtp(packet, EXTENSION_IDS, now)
        else:
            self.rtx_datagrams += 1
            known = self._seen_rtx.setdefault(packet.sequence_number, datagram)
            if known != datagram and known[16:20] != datagram[16:20]:
                self.violations.append(f"RTX number {packet.sequence_number} used twice")
            media = self._receiver.on_rtx(packet, EXTENSION_IDS, now)
        if media is None:
            return
        content = (media.timestamp, media.marker, media.payload)
        number = media.extended_sequence
        self._newest = max(self._newest, number)
        if self.packets.setdefault(number, content) != content:
            self.violations.append(f"two packets under number {number}")
        if not media.payload:
            self.empty.add(number)
        if self._next is None or (self._decoding is None and number < self._next):
            self._next = number
        self._decode()

    def _decode(self) -> None:
        """Decode complete pictures in order of their numbers."""
        assert self._next is not None
        while True:
            at = self._next
            while at in self.empty:
                at += 1
            if at not in self.packets:
                return
            timestamp = self.packets[at][0]
            begin = at
            while at in self.packets and not (self.packets[at][1] and self.packets[at][2]):
                at += 1
            if at not in self.packets:
                return
            numbers = [number for number in range(begin, at + 1) if number not in self.empty]
            pictures = [read_picture(self.packets[number][2]) for number in numbers]
            first = pictures[0]
            self._next = at + 1
            complete = [picture.part for picture in pictures] == list(range(first.parts))
            following = next((i for i, p in enumerate(pictures) if p.key and p.part == 0 and i), None)
            if not complete and following is not None:
                # A picture left unfinished by a switch: a decoder begins anew at the key frame.
                self.abandoned.append(begin)
                self._next = numbers[following]
                continue
            if self._decoding is None and not (complete and first.key):
                self._receiver.request_keyframe()  # its first packets were lost: it needs a key frame
                continue
            if not complete or any(self.packets[number][0] != timestamp for number in numbers):
                self.violations.append(f"picture of {numbers} is not one picture: {pictures[:3]}")
                continue
            previous = self._decoding
            self._stuck_since = None
            goes_on = previous is not None and (previous.source, previous.layer) == (
                first.source,
                first.layer,
            )
            if not goes_on and not first.key:
                self.violations.append(f"starts without a key frame at {begin}: {first}")
                continue
            self._decoding = first
            payload = self.packets[numbers[0]][2]
            self.shown.append(
                Shown(
                    self.time.now,
                    first,
                    (payload[2] & 0x7F) << 8 | payload[3],
                    payload[4],
                    timestamp,
                    begin,
                )
            )

    def _skip_to_keyframe(self) -> None:
        """Give up on a gap: go on at the first key frame behind it, as a decoder does."""
        assert self._next is not None
        for number in sorted(self.packets):
            if number > self._next and self.packets[number][2]:
                picture = read_picture(self.packets[number][2])
                if picture.key and picture.part == 0:
                    self._next = number
                    self._decoding = None
                    self._stuck_since = None
                    self._decode()
                    return

    def _poll(self) -> None:
        assert self.uplink is not None
        now = self.time.now
        if self._next is not None and self.packets and self._newest > self._next:
            if self._stuck_since is None:
                self._stuck_since = now
            elif now - self._stuck_since > 0.7:
                self._receiver.request_keyframe()
                self._skip_to_keyframe()
        messages: list[AnyRtcp] = [*self._receiver.poll(now), *self._feedback.poll(now)]
        if messages:
            self.uplink.send(pack_compound(messages))

    def _report(self) -> None:
        assert self.uplink is not None
        self.uplink.send(pack_compound([ReceiverReport(2, (self._receiver.report_block(self.time.now),))]))

    def longest_freeze(self, begin: float, end: float) -> float:
        """The longest time without a new picture between two times."""
        times = [begin, *(shown.at for shown in self.shown if begin <= shown.at <= end), end]
        return max(later - earlier for earlier, later in itertools.pairwise(times))

    def check_continuity(self) -> None:
        """Timestamps rise and VP8 ids count on, over everything shown in an unbroken run."""
        for before, after in zip(self.shown, self.shown[1:], strict=False):
            rise = ((after.timestamp - before.timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            if rise <= 0:
                self.violations.append(f"timestamp falls by {-rise} at {after.sequence}")
            numbers = range(before.sequence, after.sequence)
            # An empty packet stands for one left out after it had been taken for lost; its picture's id is
            # missing.
            gap = any(
                number not in self.packets or number in self.abandoned or number in self.empty
                for number in numbers
            )
            if not gap and (after.picture_id - before.picture_id) & 0x7FFF != 1:
                self.violations.append(
                    f"picture id {before.picture_id} -> {after.picture_id} at {after.sequence}"
                )
            if not gap and (after.tl0picidx - before.tl0picidx) & 0xFF > 1:
                self.violations.append(f"tl0picidx {before.tl0picidx} -> {after.tl0picidx}")
