"""One outgoing RTP stream of one subscriber: gate, rewriter and sender."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING

from mediaserver.flow.cache import AUDIO_CACHE_PACKETS, VIDEO_CACHE_PACKETS, SentCache
from mediaserver.flow.rewriter import MAX_SOURCE_GAP, Rewriter
from mediaserver.flow.stats import OutboundStats, RateMeter
from mediaserver.rtp.extensions import (
    HeaderExtension,
    build_extensions,
    encode_abs_send_time,
    encode_audio_level,
)
from mediaserver.rtp.ntp import compact_ntp
from mediaserver.rtp.payload.red import MAX_TIMESTAMP_OFFSET, build_red, parse_red
from mediaserver.rtp.payload.vp8 import patch_vp8
from mediaserver.rtp.rtcp import SenderReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mediaserver.flow.media_packet import MediaPacket
    from mediaserver.flow.send_queue import SendQueue
    from mediaserver.rtp.payload.vp8 import Vp8Descriptor
    from mediaserver.rtp.rtcp import ReportBlock

RTP_HEADER_BYTES = 12

MAX_NACKED = 512
"""Numbers of one NACK that are looked at."""

MAX_CAPTURE_STEP_S = 10.0
"""Capture times of two sources are believed for their distance if it is below this; else arrival times
are."""

MAX_SILENCE_S = 1.0
"""A gap in the source's numbers after a silence longer than this is closed instead of left to be filled."""

MAX_RESUME_GAP = 1 << 17
"""Packets after which a source that was paused is no longer taken to count its timestamps as before.
Receivers number a restarted stream at least 2^16 further on (see `StreamReceiver`)."""

SENDER_REPORTS_REMEMBERED = 8
"""Reports whose echo (LSR) is still recognised."""

ROUND_TRIP_SMOOTHING = 1 / 8
"""Weight of a new sample, as in RFC 6298."""

_PACK = Struct("!BBHII").pack
_UNPACK = Struct("!BBHII").unpack_from
_WITH_EXTENSION = 0x90
_WITHOUT_EXTENSION = 0x80
_MARKER = 0x80

_CLOSED = -1
"""No layer is forwarded."""


def _patched_descriptor(
    payload: bytes, descriptor: Vp8Descriptor, picture_offset: int, tl0_offset: int
) -> bytes:
    """A VP8 payload's descriptor with shifted picture ids: only the head, so that the rest can be shared."""
    picture_id, tl0picidx = descriptor.picture_id, descriptor.tl0picidx
    return patch_vp8(
        payload[: descriptor.size],
        descriptor,
        None if picture_id is None else picture_id + picture_offset,
        None if tl0picidx is None else tl0picidx + tl0_offset,
    )


@dataclass(frozen=True, slots=True)
class OutgoingStream:
    """What was negotiated with a subscriber for one of its streams."""

    ssrc: int
    """Never reused after an unsubscribe: SRTP nonces are made of it (CLIENT-PROTOCOL.md, "Sending")."""
    payload_type: int
    clock_rate: int
    codec: str
    """Encoding name: "opus", "VP8", ..."""
    mid: str = ""
    rtx_ssrc: int | None = None
    rtx_payload_type: int | None = None
    extension_ids: Mapping[HeaderExtension, int] = field(default_factory=dict)
    """Only those that the subscriber accepts."""
    red_payload_type: int | None = None
    """Payload type of RED, if the subscriber accepts it; a RED source is otherwise reduced to plain Opus."""

    @property
    def kind(self) -> str:
        """Either "audio" or "video"."""
        return "audio" if self.codec.lower() in ("opus", "red", "pcmu", "pcma", "g722") else "video"


class Forwarder:
    """Sends one track's packets to one subscriber as one continuous RTP stream.

    The owner calls `forward` with every packet of every layer of the source; the forwarder picks those of the
    layer it is at, and changes layers only where a decoder can follow.

    Measured with tests/bench/forwarder.py, fan-out 32, on a shared machine whose clock varies by two: video
    in its steady state 0.48 to 1.0 µs a call, with picture ids to patch 1.7 to 2.8, audio 1.0 to 2.0, an
    empty function 0.02 to 0.04.
    """

    __slots__ = (
        "_active_spatial",
        "_active_temporal",
        "_audio",
        "_audio_blocks",
        "_cache",
        "_extension_ids",
        "_extensions",
        "_filter_timestamp",
        "_filtering",
        "_fir_count",
        "_first_byte",
        "_frame_rate",
        "_frames",
        "_general",
        "_keyframe_wanted",
        "_late_dropped",
        "_layer",
        "_marked_type",
        "_max_spatial",
        "_max_temporal",
        "_mid_pending",
        "_nack_count",
        "_pack",
        "_packets",
        "_paused",
        "_payload_bytes",
        "_plain_type",
        "_pli_count",
        "_queue",
        "_rate",
        "_red_floor",
        "_remote_fraction_lost",
        "_remote_jitter",
        "_remote_packets_lost",
        "_reports_sent",
        "_resume_layer",
        "_retransmitted_bytes",
        "_retransmitted_packets",
        "_rewriter",
        "_round_trip_time",
        "_rtx_sequence",
        "_scalable",
        "_sequence_offset",
        "_ssrc",
        "_stamps_time",
        "_target",
        "_wish",
        "stream",
    )

    def __init__(
        self,
        stream: OutgoingStream,
        queue: SendQueue,
        *,
        first_sequence: int | None = None,
        first_timestamp: int | None = None,
        cache_packets: int | None = None,
    ) -> None:
        """``first_sequence`` (below 2^15, RFC 3711 section 3.3.1) and ``first_timestamp`` are random by
        default."""
        self.stream = stream
        self._queue = queue
        self._ssrc = stream.ssrc
        self._audio = stream.kind == "audio"
        if cache_packets is None:
            cache_packets = AUDIO_CACHE_PACKETS if self._audio else VIDEO_CACHE_PACKETS
        self._cache = SentCache(cache_packets)
        self._rewriter = Rewriter(
            65536 + (random.getrandbits(15) if first_sequence is None else first_sequence),
            random.getrandbits(32) if first_timestamp is None else first_timestamp,
        )
        self._rtx_sequence = random.getrandbits(15)
        self._plain_type = stream.payload_type
        self._marked_type = _MARKER | stream.payload_type

        self._layer = _CLOSED
        self._wish: int | None = 0
        """What `set_target_layer` was told."""
        self._target: int | None = 0
        """The simulcast layer that follows from it."""
        self._paused = False
        self._resume_layer: int | None = None
        """The layer that was being forwarded when the gate closed, if its source is still the same."""
        self._keyframe_wanted = False
        self._scalable = False
        self._max_spatial: int | None = None
        self._max_temporal: int | None = None
        self._active_spatial: int | None = None
        self._active_temporal: int | None = None
        self._filter_timestamp = -1
        self._red_floor: int | None = None

        ids = stream.extension_ids
        self._extension_ids = ids
        self._stamps_time = (
            HeaderExtension.ABS_SEND_TIME in ids and HeaderExtension.TRANSPORT_SEQUENCE not in ids
        )
        """Absolute send time is stamped only for subscribers that have nothing better."""
        self._mid_pending = HeaderExtension.MID in ids and bool(stream.mid)
        self._first_byte = _WITHOUT_EXTENSION
        self._extensions = b""
        self._sequence_offset = 0
        self._audio_blocks: dict[int, tuple[bytes, int]] = {}
        self._general = True
        self._filtering = False
        self._set_static_extensions()

        self._packets = 0
        self._payload_bytes = 0
        self._frames = 0
        self._late_dropped = 0
        self._retransmitted_packets = 0
        self._retransmitted_bytes = 0
        self._nack_count = 0
        self._pli_count = 0
        self._fir_count = 0
        self._remote_packets_lost = 0
        self._remote_fraction_lost = 0.0
        self._remote_jitter = 0.0
        self._round_trip_time: float | None = None
        self._reports_sent: deque[tuple[int, float]] = deque(maxlen=SENDER_REPORTS_REMEMBERED)
        self._rate = RateMeter()
        self._frame_rate = RateMeter()

    # The packet path

    def forward(self, packet: MediaPacket) -> None:
        """Send ``packet`` on if it belongs to what the subscriber is to receive."""
        rewriter = self._rewriter
        sequence = packet.extended_sequence
        payload = packet.payload
        if (
            packet.layer != self._layer
            or sequence != rewriter.next_source
            or self._general
            or packet.passthrough
            or not payload
        ):
            self._forward_general(packet)
            return
        # The usual packet of a steady video stream: next in order, nothing to patch. Everything here is
        # repeated in `_forward_general`, which costs three times as much.
        rewriter.next_source = sequence + 1
        rewriter.last = packet
        number = (sequence + rewriter.sequence_offset) & 0xFFFF
        if packet.marker:
            self._frames += 1
            payload_type = self._marked_type
        else:
            payload_type = self._plain_type
        header = self._pack(
            self._first_byte,
            payload_type,
            number,
            (packet.timestamp + rewriter.timestamp_offset) & 0xFFFFFFFF,
            self._ssrc,
            self._extensions,
        )
        queued = (header, payload, self._sequence_offset)
        cache = self._cache
        cache.entries[number & cache.mask] = queued
        self._packets += 1
        self._payload_bytes += len(payload)
        self._queue.push(queued)

    def _forward_general(self, packet: MediaPacket) -> None:
        if packet.layer != self._layer:
            if packet.layer != self._target or self._paused or not self._open(packet):
                return
            self._forward_joined(packet)
            if packet.source is not None:
                # A key frame whose first packet was lost and recovered: the rest is here already.
                for behind in packet.source.packets_after(packet, packet.arrival):
                    self._forward_joined(behind)
            return
        last = self._rewriter.last
        gap = packet.extended_sequence - self._rewriter.next_source
        if gap > MAX_SOURCE_GAP or (last is not None and packet.source is not last.source):
            # The source began anew, or the publisher changed its SSRC (RFC 3550, section 8.2): timestamps and
            # pictures have nothing to do with the former ones.
            self._close()
            self._resume_layer = None
            self._forward_general(packet)
        elif gap > 0 and last is not None and packet.arrival - last.arrival > MAX_SILENCE_S:
            # Muted, or cut off: what is missing will not come, so nobody is to wait or ask for it.
            self._close()
            self._forward_general(packet)
        else:
            self._forward_joined(packet)

    def _forward_joined(self, packet: MediaPacket) -> None:
        rewriter = self._rewriter
        sequence = packet.extended_sequence
        picture_offset = rewriter.picture_offset
        tl0_offset = rewriter.tl0_offset
        if sequence >= rewriter.next_source:
            wanted = not self._filtering or self._wanted(packet)
            if not packet.payload or not wanted:
                rewriter.skip(packet)
                rewriter.filters = (self._active_spatial, self._active_temporal)
                return
            out = rewriter.advance(packet)
            rewriter.filters = (self._active_spatial, self._active_temporal)
        else:
            hole = rewriter.fill(sequence)
            if hole is None:
                self._late_dropped += 1
                return
            out = sequence + hole.sequence_offset
            picture_offset, tl0_offset = hole.picture_offset, hole.tl0_offset
            if not packet.payload or not hole.keeps(packet):
                # Its place cannot be closed any more; an empty packet tells the receiver not to wait for it.
                self._send(packet, out, b"", b"", self._plain_type, False)
                return
        if self._audio:
            self._send_audio(packet, out)
            return
        if packet.keyframe and self._keyframe_wanted:
            self._keyframe_wanted = False
            self._set_general()
        marker = packet.marker
        if (
            self._active_spatial is not None
            and packet.spatial_layer == self._active_spatial
            and packet.frame_end
        ):
            marker = True
        descriptor = packet.vp8
        if (picture_offset or tl0_offset) and descriptor is not None:
            head = _patched_descriptor(packet.payload, descriptor, picture_offset, tl0_offset)
            self._send(packet, out, head, packet.body, self._plain_type, marker)
        else:
            self._send(packet, out, b"", packet.payload, self._plain_type, marker)

    def _send_audio(self, packet: MediaPacket, out: int) -> None:
        if not packet.red:
            self._send(packet, out, b"", packet.payload, self._plain_type, packet.marker)
            return
        red_type = self.stream.red_payload_type
        try:
            if red_type is None:
                self._send(packet, out, b"", packet.body, self._plain_type, packet.marker)
                return
            payload = packet.payload
            if self._red_floor is not None or payload[0] & 0x7F != self._plain_type:
                payload = self._adapted_red(packet)
            self._send(packet, out, b"", payload, red_type, packet.marker)
        except ValueError:
            self._send(packet, out, b"", b"", self._plain_type, packet.marker)  # damaged: keep its place

    def _adapted_red(self, packet: MediaPacket) -> bytes:
        """RED with the subscriber's payload type of Opus, and without what was said before the gate
        opened."""
        blocks = parse_red(packet.payload)
        if self._red_floor is not None:
            since = ((packet.timestamp - self._red_floor + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            if since > MAX_TIMESTAMP_OFFSET:
                self._red_floor = None
            blocks = [block for block in blocks if block[1] <= since or block[1] == 0]
        return build_red([(self._plain_type, offset, data) for _, offset, data in blocks])

    def _send(
        self, packet: MediaPacket, out: int, head: bytes, payload: bytes, payload_type: int, marker: bool
    ) -> None:
        """Send one packet; ``head`` is what goes before the payload that is shared with other subscribers."""
        number = out & 0xFFFF
        if marker:
            payload_type |= _MARKER
            self._frames += 1
        extensions = self._extensions
        offset = self._sequence_offset
        if packet.audio_level is not None and HeaderExtension.AUDIO_LEVEL in self._extension_ids:
            key = packet.audio_level | (128 if packet.voice else 0)
            block = self._audio_blocks.get(key)
            if block is None:
                value = encode_audio_level(packet.audio_level, packet.voice)
                block = self._build_extensions(packet, ((HeaderExtension.AUDIO_LEVEL, value),))
                if not self._stamps_time:
                    self._audio_blocks[key] = block
            extensions, offset = block
        elif packet.passthrough or self._stamps_time:
            extensions, offset = self._build_extensions(packet, packet.passthrough)
        header = (
            _PACK(
                _WITH_EXTENSION if extensions else _WITHOUT_EXTENSION,
                payload_type,
                number,
                (packet.timestamp + self._rewriter.timestamp_offset) & 0xFFFFFFFF,
                self._ssrc,
            )
            + extensions
            + head
        )
        queued = (header, payload, offset)
        cache = self._cache
        cache.entries[number & cache.mask] = queued
        self._packets += 1
        self._payload_bytes += len(payload) + len(head)
        self._queue.push(queued)

    def _build_extensions(
        self, packet: MediaPacket | None, values: Sequence[tuple[HeaderExtension, bytes]]
    ) -> tuple[bytes, int]:
        """The extension block, and where in the header its transport-wide sequence number is (0: nowhere).

        That number comes first, so that its place is known whatever follows.
        """
        ids = self._extension_ids
        items: list[tuple[int, bytes]] = []
        transport_id = ids.get(HeaderExtension.TRANSPORT_SEQUENCE)
        if transport_id is not None:
            items.append((transport_id, b"\0\0"))
        if self._mid_pending:
            items.append((ids[HeaderExtension.MID], self.stream.mid.encode()))
        if packet is not None and self._stamps_time:
            items.append((ids[HeaderExtension.ABS_SEND_TIME], encode_abs_send_time(packet.arrival)))
        for name, value in values:
            identifier = ids.get(name)
            if identifier is not None:
                items.append((identifier, value))
        block = build_extensions(items)
        if transport_id is None:
            return block, 0
        element_header = 1 if block[0] == 0xBE else 2
        return block, RTP_HEADER_BYTES + 4 + element_header

    def _set_static_extensions(self) -> None:
        self._extensions, self._sequence_offset = self._build_extensions(None, ())
        self._first_byte = _WITH_EXTENSION if self._extensions else _WITHOUT_EXTENSION
        self._pack = Struct(f"!BBHII{len(self._extensions)}s").pack
        self._audio_blocks.clear()
        self._set_general()

    def _set_general(self) -> None:
        """Decide whether packets of a steady stream may take the short way through `forward`."""
        self._filtering = (
            self._max_spatial is not None
            or self._active_spatial is not None
            or self._max_temporal is not None
            or self._active_temporal is not None
        )
        self._general = (
            self._audio
            or self._keyframe_wanted
            or self._rewriter.patching
            or self._filtering
            or self._stamps_time
        )

    # The gate

    def _open(self, packet: MediaPacket) -> bool:
        """Begin to forward the layer of ``packet`` with it, if a decoder can begin there."""
        if not packet.payload or not (packet.keyframe or self._audio):
            return False
        rewriter = self._rewriter
        last = rewriter.last
        step: int | None = None
        if last is None or packet.layer != self._resume_layer or packet.source is not last.source:
            step = self._timestamp_step(packet)
        else:
            gone_on = packet.extended_sequence - last.extended_sequence
            if gone_on <= 0:
                return False  # late, from before the gate closed
            if gone_on > MAX_RESUME_GAP:
                step = self._timestamp_step(packet)
        rewriter.join(packet, step)
        self._resume_layer = None
        self._layer = packet.layer
        self._filter_timestamp = -1
        self._red_floor = packet.timestamp if packet.red else None
        self._keyframe_wanted = False
        self._set_general()
        return True

    def _close(self) -> None:
        if self._layer != _CLOSED:
            self._resume_layer = self._layer
        self._layer = _CLOSED
        self._rewriter.leave()

    def _timestamp_step(self, packet: MediaPacket) -> int:
        """Clock ticks between the last packet sent and the first of another source.

        By capture time where both sources' sender reports tell it, so that picture and voice stay together
        over any number of switches; else by arrival.
        """
        last = self._rewriter.last
        if last is None:
            return 1
        step_s = packet.arrival - last.arrival
        if last.source is not None and packet.source is not None:
            before = last.source.capture_time(last.timestamp)
            after = packet.source.capture_time(packet.timestamp)
            if before is not None and after is not None and abs(after - before - step_s) < MAX_CAPTURE_STEP_S:
                step_s = after - before
        return round(step_s * self.stream.clock_rate)

    def _wanted(self, packet: MediaPacket) -> bool:
        """Whether the spatial and temporal filters let the packet through; they change between pictures
        only."""
        if packet.timestamp != self._filter_timestamp:
            self._filter_timestamp = packet.timestamp
            self._update_filters(packet)
        spatial, temporal = self._active_spatial, self._active_temporal
        return (spatial is None or packet.spatial_layer <= spatial) and (
            temporal is None or packet.temporal_layer <= temporal
        )

    def _update_filters(self, packet: MediaPacket) -> None:
        wish, active = self._max_spatial, self._active_spatial
        if wish != active and (packet.keyframe or (wish is not None and (active is None or wish < active))):
            self._active_spatial = wish
        wish, active = self._max_temporal, self._active_temporal
        if wish != active:
            sync = packet.keyframe or (packet.vp8 is not None and packet.vp8.layer_sync)
            if sync or (wish is not None and (active is None or wish < active)):
                self._active_temporal = wish
        self._set_general()

    # Control

    def set_source(self, *, scalable: bool = False) -> None:
        """Forward another track of the same codec from now on; the subscriber sees one continuous stream.

        From this call on only packets of the new track may be given to `forward`. ``scalable`` says that the
        track carries its layers in one stream (VP9 or AV1 SVC): then the target layer is a spatial layer.
        Nothing sent before is retransmitted afterwards.
        """
        self._close()
        self._resume_layer = None
        self._cache.clear()
        self._scalable = scalable
        self._active_spatial = None
        self._active_temporal = None
        self._apply_wish()

    def set_target_layer(self, layer: int | None) -> None:
        """The layer to switch to at its next key frame; None stops sending at once."""
        self._wish = layer
        if layer is None:
            self._close()
        self._apply_wish()

    def _apply_wish(self) -> None:
        wish = self._wish
        if self._scalable:
            self._max_spatial = wish
            self._target = None if wish is None else 0
        else:
            self._max_spatial = None
            self._target = wish
        self._set_general()

    def set_max_temporal_layer(self, layer: int | None) -> None:
        """Leave out pictures above this temporal layer; None for none."""
        self._max_temporal = layer
        self._set_general()

    def pause(self) -> None:
        """Send nothing until `resume`; nothing sent so far is retransmitted either."""
        if not self._paused:
            self._paused = True
            self._close()
            self._cache.clear()

    def resume(self) -> None:
        """Send again: audio at once, video from the next key frame on."""
        self._paused = False

    @property
    def paused(self) -> bool:
        """Whether `pause` is in force."""
        return self._paused

    @property
    def current_layer(self) -> int | None:
        """The simulcast layer being forwarded, or the spatial layer of a scalable source; None for none."""
        if self._layer == _CLOSED:
            return None
        return self._active_spatial if self._scalable and self._active_spatial is not None else self._layer

    @property
    def late_packets_dropped(self) -> int:
        """Packets that came when their place in the outgoing stream was gone."""
        return self._late_dropped

    @property
    def wants_keyframe_of_layer(self) -> int | None:
        """The source's simulcast layer of which a key frame is needed: to begin, to switch, or because the
        subscriber asked; None if none is. For audio always None."""
        if self._audio or self._paused or self._target is None:
            return None
        if self._layer != self._target:
            return self._target
        raising = self._active_spatial is not None and (
            self._max_spatial is None or self._max_spatial > self._active_spatial
        )
        return self._target if self._keyframe_wanted or raising else None

    def on_keyframe_request(self, *, full: bool = False) -> None:
        """The subscriber sent a PLI (RFC 4585) or, with ``full``, a FIR (RFC 5104)."""
        if full:
            self._fir_count += 1
        else:
            self._pli_count += 1
        self._keyframe_wanted = not self._audio
        self._set_general()

    def on_nack(self, sequences: Sequence[int], now: float) -> int:
        """Retransmit by RTX (RFC 4588) what is still known of these 16-bit numbers; returns how many were.

        Without RTX nothing is resent: a packet encrypted again under a used number would have to be the very
        same bytes, and transport-wide numbers make it another.
        """
        self._nack_count += 1
        stream = self.stream
        if stream.rtx_ssrc is None or stream.rtx_payload_type is None or self._paused or self._wish is None:
            return 0
        cache = self._cache
        round_trip = self._round_trip_time or 0.0
        resent = 0
        for sequence in sequences[:MAX_NACKED]:
            entry = cache.find(sequence)
            if entry is None:
                continue
            header, payload, offset = entry
            size = len(header) + len(payload) + 2
            if not cache.allow(sequence, size, self._payload_bytes, now, round_trip):
                continue
            first, marked_type, _, timestamp, _ = _UNPACK(header)
            end = RTP_HEADER_BYTES
            if first == _WITH_EXTENSION:
                end += 4 + 4 * (header[14] << 8 | header[15])
            retransmission = (
                _PACK(
                    first,
                    (marked_type & _MARKER) | stream.rtx_payload_type,
                    self._rtx_sequence & 0xFFFF,
                    timestamp,
                    stream.rtx_ssrc,
                )
                + header[RTP_HEADER_BYTES:end]
                + header[2:4]
                + header[end:]
            )
            self._rtx_sequence += 1
            self._retransmitted_packets += 1
            self._retransmitted_bytes += size - end
            self._queue.append(retransmission, payload, offset)
            resent += 1
        return resent

    def on_report_block(self, block: ReportBlock, now: float) -> None:
        """What the subscriber reports about this stream (RFC 3550, section 6.4.1)."""
        if block.ssrc != self._ssrc:
            return
        self._remote_packets_lost = block.packets_lost
        self._remote_fraction_lost = block.fraction_lost / 256
        self._remote_jitter = block.jitter / self.stream.clock_rate
        if self._mid_pending:
            # A report about the stream proves that its packets were told apart: the mid has done its work.
            self._mid_pending = False
            self._set_static_extensions()
        if block.lsr:
            for compact, sent_at in self._reports_sent:
                if compact == block.lsr:
                    sample = now - sent_at - block.dlsr / 65536
                    if sample >= 0:
                        if self._round_trip_time is None:
                            self._round_trip_time = sample
                        else:
                            self._round_trip_time += (sample - self._round_trip_time) * ROUND_TRIP_SMOOTHING

    def sender_report(self, now: float, ntp_now: int) -> SenderReport | None:
        """A report that ties the stream's timestamps to our wall clock ``ntp_now`` at ``now``.

        The timestamp is that of the sample captured at ``now``, by the publisher's own reports where they
        exist. None before anything was sent.
        """
        rewriter = self._rewriter
        last = rewriter.last
        if last is None:
            return None
        captured = last.source.capture_time(last.timestamp) if last.source is not None else None
        elapsed_s = now - (last.arrival if captured is None else captured)
        timestamp = last.timestamp + rewriter.timestamp_offset + round(elapsed_s * self.stream.clock_rate)
        self._reports_sent.append((compact_ntp(ntp_now), now))
        return SenderReport(
            self._ssrc,
            ntp_now,
            timestamp & 0xFFFFFFFF,
            self._packets & 0xFFFFFFFF,
            self._payload_bytes & 0xFFFFFFFF,
        )

    @property
    def round_trip_time(self) -> float | None:
        """Smoothed seconds, from the subscriber's reports; None before the first."""
        return self._round_trip_time

    def stats(self, now: float) -> OutboundStats:
        """A snapshot; rates are over the time since the calls within the last second before ``now``."""
        return OutboundStats(
            ssrc=self._ssrc,
            kind=self.stream.kind,
            codec=self.stream.codec,
            layer=self.current_layer,
            target_layer=self._wish,
            active=not self._paused and self._wish is not None,
            packets_sent=self._packets,
            bytes_sent=self._payload_bytes,
            retransmitted_packets_sent=self._retransmitted_packets,
            retransmitted_bytes_sent=self._retransmitted_bytes,
            nack_count=self._nack_count,
            pli_count=self._pli_count,
            fir_count=self._fir_count,
            frames_sent=self._packets if self._audio else self._frames,
            frames_per_second=self._frame_rate.sample(now, self._packets if self._audio else self._frames),
            bitrate=8 * self._rate.sample(now, self._payload_bytes + self._retransmitted_bytes),
            packets_lost=self._remote_packets_lost,
            fraction_lost=self._remote_fraction_lost,
            jitter=self._remote_jitter,
            round_trip_time=self._round_trip_time,
        )
