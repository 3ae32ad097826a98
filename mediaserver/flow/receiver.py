"""One received RTP stream: what arrived, what is missing, what to tell the publisher, what to hand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mediaserver.flow.cache import PacketCache
from mediaserver.flow.keyframes import KeyframeThrottle
from mediaserver.flow.layers import LayerState
from mediaserver.flow.media_packet import MediaPacket
from mediaserver.flow.sender_clock import SenderClock, WallClock
from mediaserver.flow.stats import InboundStats, RateMeter
from mediaserver.rtp.extensions import HeaderExtension, parse_extensions
from mediaserver.rtp.ntp import compact_ntp, seconds_to_compact
from mediaserver.rtp.payload.facts import AUDIO_FACTS, NO_FACTS, PayloadFacts
from mediaserver.rtp.payload.inspect import PayloadInspector
from mediaserver.rtp.payload.vp8 import Vp8Descriptor, parse_vp8_descriptor, vp8_facts
from mediaserver.rtp.payload.vp9 import parse_vp9_descriptor, vp9_facts
from mediaserver.rtp.rtcp import AnyRtcp, Nack, Pli, ReportBlock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mediaserver.flow.transport_feedback import FeedbackRecorder
    from mediaserver.rtp.packet import RtpPacket
    from mediaserver.rtp.rtcp import SenderReport

MAX_DROPOUT = 3000
"""Packets by which a stream may jump ahead and still be the same (RFC 3550, appendix A.1)."""

MAX_MISORDER = 1000
"""Packets by which one may be late. RFC 3550 says 100; retransmissions without RTX need a second's worth."""

MAX_EARLY_REORDER = 64
"""Packets by which the first one to arrive may have overtaken the first one sent: a small key frame."""

MAX_MISSING = 1000
"""Gaps remembered, so that late packets are told from duplicates."""

MAX_MISSING_PER_SECOND = 1000
"""Gaps noted per second. Beyond it only a key frame helps, and a publisher whose numbers leap with each
packet would otherwise cost a fraction of a millisecond per packet."""

MAX_NACK_LIST = 450
"""Gaps asked for at once; with more, a key frame is cheaper (libwebrtc: 1000)."""

MAX_NACKED_PER_MESSAGE = 250
"""Numbers in one NACK: at most 1,000 bytes even if all are far apart."""

REORDER_TOLERANCE_S = 0.008
"""A gap is left alone for this long before it is called a loss: reordering within one burst."""

NACK_MAX_TRIES = 10
"""As libwebrtc's kMaxNackRetries."""

NACK_MAX_AGE_S = 2.0
"""A packet missing for this long is of no use to an interactive call."""

NACK_RETRY_FACTOR = 1.1
"""Round trips after which a retransmission is asked for again."""

NACK_RETRY_MIN_S = 0.02
NACK_RETRY_DEFAULT_S = 0.1
"""Retry time while the round trip is unknown."""

ROUND_TRIP_SMOOTHING = 1 / 8
"""Weight of a new sample, as in RFC 6298."""

JITTER_DIVISOR = 16
"""RFC 3550, section 6.4.1."""

_RESTART_CYCLES = 2
"""Cycles skipped at a restart, so that followers see a jump which no loss explains."""

_PASSTHROUGH = frozenset(
    (
        HeaderExtension.VIDEO_ORIENTATION,
        HeaderExtension.PLAYOUT_DELAY,
        HeaderExtension.DEPENDENCY_DESCRIPTOR,
    )
)

_VIDEO_CODECS = frozenset(("vp8", "vp9", "h264", "h265", "av1"))

_NEVER = float("inf")


# Aliases: an enum member costs an attribute lookup on its class for each packet.
_TRANSPORT_SEQUENCE = HeaderExtension.TRANSPORT_SEQUENCE
_AUDIO_LEVEL = HeaderExtension.AUDIO_LEVEL
_DEPENDENCY_DESCRIPTOR = HeaderExtension.DEPENDENCY_DESCRIPTOR

_VP8, _VP9, _OTHER_VIDEO, _AUDIO, _RED = range(5)


def _kind_of(codec: str) -> int:
    match codec.lower():
        case "vp8":
            return _VP8
        case "vp9":
            return _VP9
        case "red":
            return _RED
        case name:
            return _OTHER_VIDEO if name in _VIDEO_CODECS else _AUDIO


class _Missing:
    """A gap of one packet."""

    __slots__ = ("asked_at", "retry_at", "since", "tries")

    def __init__(self, since: float, retry_at: float) -> None:
        self.since = since
        self.retry_at = retry_at
        self.tries = 0
        self.asked_at = 0.0


class StreamReceiver:
    """One publisher's SSRC and the SSRC of its retransmissions.

    `payload_types` names the codec of each payload type ("VP8", "opus", "red"), for streams that change it;
    types that it lacks are taken for `codec`. `rtx_payload_types` maps a retransmission's payload type to the
    original one (RFC 4588's apt).
    """

    __slots__ = (
        "_audio_level",
        "_base",
        "_bitrate",
        "_cache",
        "_clock",
        "_codecs",
        "_expected_before",
        "_feedback",
        "_fir_count",
        "_fraction_lost",
        "_frame_height",
        "_frame_rate",
        "_frame_width",
        "_frames",
        "_highest",
        "_inspectors",
        "_jitter",
        "_key_frames",
        "_kind",
        "_kinds",
        "_last_arrival",
        "_last_jitter_arrival",
        "_last_payload_type",
        "_last_report",
        "_last_report_arrival",
        "_last_timestamp",
        "_missing",
        "_nack",
        "_nack_count",
        "_nackable",
        "_next_nack",
        "_noted",
        "_noting_since",
        "_own_ssrc",
        "_packets",
        "_packets_discarded",
        "_payload_bytes",
        "_pli_count",
        "_prior_expected",
        "_prior_received",
        "_restart_candidate",
        "_retransmitted_bytes",
        "_retransmitted_packets",
        "_rtx_payload_types",
        "_throttle",
        "_video",
        "_wire_bytes",
        "clock_rate",
        "codec",
        "layer",
        "round_trip_time",
        "rtx_ssrc",
        "ssrc",
    )

    def __init__(
        self,
        ssrc: int,
        codec: str,
        clock_rate: int,
        *,
        nack: bool,
        layer: int = 0,
        rtx_ssrc: int | None = None,
        own_ssrc: int = 1,
        payload_types: Mapping[int, str] | None = None,
        rtx_payload_types: Mapping[int, int] | None = None,
        wall_clock: WallClock | None = None,
        feedback: FeedbackRecorder | None = None,
    ) -> None:
        self.ssrc = ssrc
        self.codec = codec
        self.clock_rate = clock_rate
        self.layer = layer
        self.rtx_ssrc = rtx_ssrc
        """May be set later, when the retransmission stream shows itself by its repaired rid."""
        self.round_trip_time: float | None = None
        """Smoothed seconds from a NACK to its retransmission; the owner may set it from a better source."""
        self._own_ssrc = own_ssrc
        self._codecs = dict(payload_types or {})
        self._video = codec.lower() in _VIDEO_CODECS
        self._rtx_payload_types = dict(rtx_payload_types or {})
        self._nack = nack
        self._feedback = feedback
        self._clock = SenderClock(clock_rate, wall_clock)
        self._throttle = KeyframeThrottle()
        self._cache = PacketCache() if self._video else None
        self._inspectors: dict[int, PayloadInspector] = {}
        self._kind = _kind_of(codec)
        self._kinds = {pt: _kind_of(name) for pt, name in self._codecs.items()}

        self._highest = -1
        """Highest unwrapped sequence number; -1 before the first packet."""
        self._base = 0
        self._restart_candidate: int | None = None
        self._missing: dict[int, _Missing] = {}
        self._nackable = 0
        """How many of `_missing` are still to be asked for."""
        self._next_nack = _NEVER
        self._noting_since = 0.0
        self._noted = 0
        self._last_payload_type = -1

        self._packets = 0
        self._wire_bytes = 0
        self._payload_bytes = 0
        self._packets_discarded = 0
        self._retransmitted_packets = 0
        self._retransmitted_bytes = 0
        self._expected_before = 0
        self._prior_expected = 0
        self._prior_received = 0
        self._fraction_lost = 0.0
        self._jitter = 0.0
        self._last_timestamp = 0
        self._last_jitter_arrival = 0.0
        self._last_arrival: float | None = None
        self._frames = 0
        self._key_frames = 0
        self._frame_width: int | None = None
        self._frame_height: int | None = None
        self._audio_level: int | None = None
        self._nack_count = 0
        self._pli_count = 0
        self._fir_count = 0
        self._last_report = 0
        self._last_report_arrival = 0.0
        self._bitrate = RateMeter()
        self._frame_rate = RateMeter()

    # What arrives

    def on_rtp(
        self, packet: RtpPacket, extension_ids: Mapping[int, HeaderExtension], arrival: float
    ) -> MediaPacket | None:
        """Account for a packet of the stream's own SSRC.

        ``extension_ids`` is the session's mapping of header extension identifiers. Returns None for a
        duplicate, a packet too old, or one of a suspected restart; a packet of padding only is returned with
        an empty payload. Raises ValueError when its header extension is damaged.
        """
        extensions = parse_extensions(packet) if packet.extension_profile else ()
        data_size = len(packet.data)
        highest = self._highest
        sequence = packet.sequence_number
        if highest < 0:
            extended = sequence + 65536
            self._highest = self._base = extended
            self._last_timestamp = packet.timestamp
            self._last_jitter_arrival = arrival
        else:
            delta = ((sequence - highest + 0x8000) & 0xFFFF) - 0x8000
            extended = highest + delta
            if delta == 1:
                self._highest = extended
                self._restart_candidate = None
            elif delta > MAX_DROPOUT or delta < -MAX_MISORDER:
                if self._restart_candidate != sequence:
                    # One stray packet proves nothing (RFC 3550, appendix A.1); the next one in order would.
                    self._restart_candidate = (sequence + 1) & 0xFFFF
                    self._packets_discarded += 1
                    self._record_transport_sequence(extensions, extension_ids, arrival)
                    return None
                extended = self._restart(sequence, arrival)
            elif delta > 0:
                self._restart_candidate = None
                self._highest = extended
                self._note_missing(highest + 1, extended, arrival)
            elif not self._fill_gap(extended) and not self._begins_before(extended, arrival):
                self._packets_discarded += 1
                self._record_transport_sequence(extensions, extension_ids, arrival)
                return None
        if extended == self._highest:
            timestamp = packet.timestamp
            last_timestamp = self._last_timestamp
            if timestamp != last_timestamp:
                # RFC 3550, appendix A.8, between pictures rather than packets: those of one picture share a
                # timestamp but are sent one after the other.
                distance = ((timestamp - last_timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
                deviation = abs((arrival - self._last_jitter_arrival) * self.clock_rate - distance)
                if deviation < 10 * self.clock_rate:  # a paused or restarted sender is not jitter
                    self._jitter += (deviation - self._jitter) / JITTER_DIVISOR
                self._last_timestamp = timestamp
                self._last_jitter_arrival = arrival
        self._packets += 1
        self._wire_bytes += data_size
        self._last_arrival = arrival
        self._last_payload_type = packet.payload_type
        payload = packet.data[packet.payload_start : packet.payload_end]
        return self._media_packet(
            packet, extended, packet.payload_type, payload, extensions, extension_ids, arrival, False
        )

    def on_rtx(
        self, packet: RtpPacket, extension_ids: Mapping[int, HeaderExtension], arrival: float
    ) -> MediaPacket | None:
        """Account for a packet of the retransmission SSRC (RFC 4588).

        Returns the recovered packet, or None for a bandwidth probe and for what is not missing. Raises
        ValueError when its header extension is damaged.
        """
        extensions = parse_extensions(packet) if packet.extension_profile else ()
        size = packet.payload_end - packet.payload_start
        self._wire_bytes += len(packet.data)
        original = self._rtx_payload_types.get(packet.payload_type, self._last_payload_type)
        if size < 2 or self._highest < 0:
            self._record_transport_sequence(extensions, extension_ids, arrival)
            return None
        data, start = packet.data, packet.payload_start
        sequence = data[start] << 8 | data[start + 1]
        highest = self._highest
        extended = highest + ((sequence - highest + 0x8000) & 0xFFFF) - 0x8000
        gap = self._missing.get(extended)
        if gap is None or highest - extended > MAX_DROPOUT:
            self._record_transport_sequence(extensions, extension_ids, arrival)
            return None
        if gap.tries == 1 and self._nack:
            sample = arrival - gap.asked_at
            if self.round_trip_time is None:
                self.round_trip_time = sample
            else:
                self.round_trip_time += (sample - self.round_trip_time) * ROUND_TRIP_SMOOTHING
        self._fill_gap(extended)
        payload = data[start + 2 : packet.payload_end]
        self._retransmitted_packets += 1
        self._retransmitted_bytes += len(payload)
        return self._media_packet(
            packet, extended, original, payload, extensions, extension_ids, arrival, True
        )

    def _media_packet(
        self,
        packet: RtpPacket,
        extended: int,
        payload_type: int,
        payload: bytes,
        extensions: list[tuple[int, bytes]] | tuple[()],
        extension_ids: Mapping[int, HeaderExtension],
        arrival: float,
        recovered: bool,
    ) -> MediaPacket:
        audio_level: int | None = None
        voice = False
        descriptor: bytes | None = None
        passthrough: tuple[tuple[HeaderExtension, bytes], ...] = ()
        for identifier, value in extensions:
            name = extension_ids.get(identifier)
            if name is _TRANSPORT_SEQUENCE:
                if self._feedback is not None and len(value) >= 2:
                    self._feedback.record(value[0] << 8 | value[1], arrival, self.ssrc)
            elif name is _AUDIO_LEVEL:
                if value:
                    audio_level = value[0] & 0x7F
                    voice = value[0] > 127
                    self._audio_level = audio_level
            elif name in _PASSTHROUGH:
                assert name is not None
                passthrough = (*passthrough, (name, value))
                if name is _DEPENDENCY_DESCRIPTOR:
                    descriptor = value
        self._payload_bytes += len(payload)
        kind = self._kinds.get(payload_type, self._kind)
        vp8: Vp8Descriptor | None = None
        facts: PayloadFacts = NO_FACTS
        frame_end = packet.marker
        if not payload:
            pass
        elif kind == _VP8:
            try:
                vp8 = parse_vp8_descriptor(payload)
                facts = vp8_facts(payload, vp8)
            except ValueError:
                pass  # end-to-end encrypted or damaged: forwarded as it is
        elif kind in (_AUDIO, _RED):
            facts = AUDIO_FACTS
        elif kind == _VP9:
            try:
                vp9 = parse_vp9_descriptor(payload)
                facts = vp9_facts(vp9)
                frame_end = vp9.frame_end or packet.marker
            except ValueError:
                pass
        else:
            inspector = self._inspectors.get(payload_type)
            if inspector is None:
                codec = self._codecs.get(payload_type, self.codec)
                inspector = self._inspectors[payload_type] = PayloadInspector(codec)
            facts = inspector.inspect(payload, descriptor)
            if descriptor:
                frame_end = frame_end or bool(descriptor[0] & 0x40)  # end_of_frame, AV1 RTP A.8.2
        if self._video:
            if packet.marker and payload:
                self._frames += 1
            if facts.keyframe:
                self._key_frames += 1
                self._throttle.on_keyframe()
                if facts.width is not None:
                    self._frame_width, self._frame_height = facts.width, facts.height
        elif payload:
            self._frames += 1
        media = MediaPacket(
            extended,
            packet.timestamp,
            packet.marker,
            payload_type,
            payload,
            arrival,
            self.layer,
            facts.keyframe,
            facts.frame_start,
            facts.temporal_layer,
            facts.spatial_layer,
            audio_level,
            voice,
            passthrough,
            recovered,
            vp8,
            frame_end,
            kind == _RED,
            self,
        )
        if self._cache is not None:
            self._cache.add(media)
        return media

    def _record_transport_sequence(
        self,
        extensions: list[tuple[int, bytes]] | tuple[()],
        extension_ids: Mapping[int, HeaderExtension],
        arrival: float,
    ) -> None:
        feedback = self._feedback
        if feedback is None:
            return
        for identifier, value in extensions:
            if extension_ids.get(identifier) is HeaderExtension.TRANSPORT_SEQUENCE and len(value) >= 2:
                feedback.record(value[0] << 8 | value[1], arrival, self.ssrc)

    # Gaps

    def _note_missing(self, begin: int, end: int, arrival: float) -> None:
        missing = self._missing
        if self._nack and self._nackable + end - begin > MAX_NACK_LIST:
            self._stop_asking()
            self.request_keyframe()
        if arrival - self._noting_since >= 1.0:
            self._noting_since = arrival
            self._noted = 0
        self._noted += end - begin
        if end - begin > MAX_NACK_LIST or self._noted > MAX_MISSING_PER_SECOND:
            # More than can be asked for: only a key frame helps, and nothing of the past.
            missing.clear()
            self._nackable = 0
            self._next_nack = _NEVER
            self.request_keyframe()
            return
        ask_at = arrival + REORDER_TOLERANCE_S if self._nack else _NEVER
        for extended in range(begin, end):
            missing[extended] = _Missing(arrival, ask_at)
        if self._nack:
            self._nackable += end - begin
        self._next_nack = min(self._next_nack, ask_at)
        while len(missing) > MAX_MISSING:
            oldest = next(iter(missing))
            self._fill_gap(oldest)

    def _fill_gap(self, extended: int) -> bool:
        gap = self._missing.pop(extended, None)
        if gap is None:
            return False
        if gap.retry_at != _NEVER:
            self._nackable -= 1
        return True

    def _begins_before(self, extended: int, arrival: float) -> bool:
        """Whether the packet belongs to a stream whose first packets overtook it; then it begins there."""
        base = self._base
        if not base - MAX_EARLY_REORDER <= extended < base or self._packets > MAX_EARLY_REORDER:
            return False
        self._base = extended
        self._note_missing(extended + 1, base, arrival)
        return True

    def _stop_asking(self) -> None:
        for gap in self._missing.values():
            gap.retry_at = _NEVER
        self._nackable = 0
        self._next_nack = _NEVER

    def _restart(self, sequence: int, arrival: float) -> int:
        self._expected_before += self._highest - self._base + 1
        extended = ((self._highest >> 16) + _RESTART_CYCLES) << 16 | sequence
        self._missing.clear()
        self._nackable = 0
        self._next_nack = _NEVER
        self._restart_candidate = None
        self._highest = extended
        # The packet that raised the suspicion was discarded, so it is asked for: a key frame may begin with
        # it.
        self._base = extended - 1
        self._note_missing(extended - 1, extended, arrival)
        return extended

    def on_sender_report(self, report: SenderReport, arrival: float) -> None:
        """Note the clocks and the time of a sender report, for `report_block` and `capture_time`."""
        self._last_report = compact_ntp(report.ntp_time)
        self._last_report_arrival = arrival
        self._clock.on_sender_report(report.ntp_time, report.rtp_timestamp, arrival)

    def capture_time(self, timestamp: int) -> float | None:
        """Monotonic seconds, by the publisher's sender reports, of an RTP timestamp; None without reports."""
        return self._clock.capture_time(timestamp)

    def packets_after(self, packet: MediaPacket, now: float) -> list[MediaPacket]:
        """What was received within the last second behind ``packet``, in order."""
        return [] if self._cache is None else self._cache.after(packet.extended_sequence, now)

    # What to tell the publisher

    def request_keyframe(self) -> None:
        """Some subscriber needs a key frame. The next `poll` sends the request unless one just went out."""
        if self._video:
            self._throttle.request()

    def deadline(self) -> float | None:
        """Monotonic seconds at which `poll` next has something to send; None if nothing is pending."""
        keyframe = self._throttle.deadline(self.round_trip_time) if self._highest >= 0 else None
        if self._next_nack == _NEVER:
            return keyframe
        return self._next_nack if keyframe is None else min(keyframe, self._next_nack)

    def poll(self, now: float) -> list[AnyRtcp]:
        """NACKs and key frame requests that are due at ``now``."""
        messages: list[AnyRtcp] = []
        if now >= self._next_nack:
            lost = self._due_nacks(now)
            for at in range(0, len(lost), MAX_NACKED_PER_MESSAGE):
                part = tuple(number & 0xFFFF for number in lost[at : at + MAX_NACKED_PER_MESSAGE])
                messages.append(Nack(self._own_ssrc, self.ssrc, part))
                self._nack_count += 1
        # Before its first packet nothing can be said to be missing, and the first may well be a key frame.
        if self._highest >= 0 and self._throttle.take(now, self.round_trip_time):
            self._pli_count += 1
            messages.append(Pli(self._own_ssrc, self.ssrc))
        return messages

    def _due_nacks(self, now: float) -> list[int]:
        round_trip = self.round_trip_time
        retry_s = (
            NACK_RETRY_DEFAULT_S
            if round_trip is None
            else max(NACK_RETRY_FACTOR * round_trip, NACK_RETRY_MIN_S)
        )
        lost: list[int] = []
        next_nack = _NEVER
        gave_up = False
        for extended, gap in self._missing.items():
            if gap.retry_at <= now:
                if gap.tries >= NACK_MAX_TRIES or now - gap.since > NACK_MAX_AGE_S:
                    gap.retry_at = _NEVER
                    self._nackable -= 1
                    gave_up = True
                    continue
                gap.tries += 1
                gap.asked_at = now
                gap.retry_at = now + retry_s
                lost.append(extended)
            next_nack = min(next_nack, gap.retry_at)
        self._next_nack = next_nack
        if gave_up:
            self.request_keyframe()
        return lost

    def report_block(self, now: float) -> ReportBlock:
        """The reception report of RFC 3550, section 6.4.1; begins the next interval of `fraction_lost`.

        Losses are those of the stream itself, whether or not a retransmission made up for them.
        """
        expected = self._expected()
        expected_interval = expected - self._prior_expected
        received_interval = self._packets - self._prior_received
        self._prior_expected = expected
        self._prior_received = self._packets
        lost_interval = expected_interval - received_interval
        fraction = 0
        if expected_interval > 0 and lost_interval > 0:
            fraction = min(255, (lost_interval << 8) // expected_interval)
        self._fraction_lost = fraction / 256
        dlsr = seconds_to_compact(now - self._last_report_arrival) if self._last_report else 0
        return ReportBlock(
            self.ssrc,
            fraction,
            expected - self._packets,
            (self._highest - 65536) & 0xFFFFFFFF if self._highest >= 0 else 0,
            int(self._jitter),
            self._last_report,
            dlsr,
        )

    def _expected(self) -> int:
        if self._highest < 0:
            return 0
        return self._expected_before + self._highest - self._base + 1

    # What to tell others

    @property
    def last_arrival(self) -> float | None:
        """Monotonic seconds of the last packet of the stream itself; None before the first."""
        return self._last_arrival

    @property
    def frame_size(self) -> tuple[int, int] | None:
        """Width and height of the last key frame that said so."""
        if self._frame_width is None or self._frame_height is None:
            return None
        return self._frame_width, self._frame_height

    @property
    def layer_state(self) -> LayerState:
        """What a `LayerSelector` wants to know of this layer."""
        return LayerState(self._last_arrival, self._frame_width, self._frame_height)

    @property
    def packets_received(self) -> int:
        """Packets of the stream itself, duplicates not counted."""
        return self._packets

    def stats(self, now: float) -> InboundStats:
        """A snapshot; rates are over the time since the calls within the last second before ``now``."""
        level = self._audio_level
        return InboundStats(
            ssrc=self.ssrc,
            kind="video" if self._video else "audio",
            codec=self.codec,
            layer=self.layer,
            packets_received=self._packets,
            bytes_received=self._payload_bytes,
            packets_lost=self._expected() - self._packets,
            packets_discarded=self._packets_discarded,
            retransmitted_packets_received=self._retransmitted_packets,
            retransmitted_bytes_received=self._retransmitted_bytes,
            fraction_lost=self._fraction_lost,
            jitter=self._jitter / self.clock_rate,
            nack_count=self._nack_count,
            pli_count=self._pli_count,
            fir_count=self._fir_count,
            frames_received=self._frames,
            key_frames_received=self._key_frames,
            frames_per_second=self._frame_rate.sample(now, self._frames),
            frame_width=self._frame_width,
            frame_height=self._frame_height,
            bitrate=8 * self._bitrate.sample(now, self._wire_bytes),
            round_trip_time=self.round_trip_time,
            last_packet_received_timestamp=self._last_arrival,
            audio_level=None if level is None else 10 ** (-level / 20) if level < 127 else 0.0,
        )
