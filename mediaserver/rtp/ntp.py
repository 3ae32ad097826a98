"""NTP timestamps as RTCP carries them (RFC 3550, section 4): 32 bits of seconds since 1900, 32 bits of
fraction.

Timestamps wrap in February 2036; differences are therefore always taken modulo the width of the field.
"""

NTP_UNIX_OFFSET_S = 2_208_988_800
"""Seconds from 1900-01-01 (NTP) to 1970-01-01 (Unix)."""

_NS_PER_S = 1_000_000_000
_MASK_32 = 0xFFFF_FFFF
_MASK_64 = 0xFFFF_FFFF_FFFF_FFFF


def ntp_from_unix_ns(unix_ns: int) -> int:
    """The 64-bit NTP timestamp of a Unix time in nanoseconds."""
    seconds, nanoseconds = divmod(unix_ns, _NS_PER_S)
    return ((seconds + NTP_UNIX_OFFSET_S) & _MASK_32) << 32 | (nanoseconds << 32) // _NS_PER_S


def ntp_to_unix_ns(ntp_time: int) -> int:
    """Unix time in nanoseconds of a 64-bit NTP timestamp, to the nearest nanosecond.

    Timestamps whose top bit is clear belong to the era that begins in 2036 (RFC 4330, section 3).
    """
    seconds = (ntp_time >> 32) & _MASK_32
    if not seconds & 0x8000_0000:
        seconds += 1 << 32
    fraction_ns = ((ntp_time & _MASK_32) * _NS_PER_S + (1 << 31)) >> 32
    return (seconds - NTP_UNIX_OFFSET_S) * _NS_PER_S + fraction_ns


def ntp_add_seconds(ntp_time: int, seconds: float) -> int:
    """`ntp_time` moved by `seconds` (may be negative), wrapped to 64 bits."""
    return (ntp_time + round(seconds * 4_294_967_296.0)) & _MASK_64


def ntp_difference_s(later: int, earlier: int) -> float:
    """Signed seconds from `earlier` to `later`, both 64-bit NTP timestamps less than 68 years apart."""
    difference = (later - earlier) & _MASK_64
    if difference & 1 << 63:
        difference -= 1 << 64
    return difference / 4_294_967_296.0


def compact_ntp(ntp_time: int) -> int:
    """The middle 32 bits (16.16 seconds), as used by LSR and by XR's last-RR field."""
    return (ntp_time >> 16) & _MASK_32


def compact_to_seconds(compact: int) -> float:
    """An interval in units of 1/65536 s, such as DLSR, in seconds."""
    return compact / 65536.0


def seconds_to_compact(seconds: float) -> int:
    """An interval in units of 1/65536 s, clamped to what the 32-bit field holds."""
    return min(max(round(seconds * 65536.0), 0), _MASK_32)


def round_trip_time(now_ntp: int, last_report: int, delay_since_last_report: int) -> float | None:
    """Round-trip time in seconds of RFC 3550, section 6.4.1: arrival - LSR - DLSR.

    `now_ntp` is the 64-bit arrival time of the report, the other two are its 32-bit fields. None when no
    report had been received (LSR 0) or when the fields contradict the clock, as a lying or stepping peer's
    do.
    """
    if last_report == 0:
        return None
    interval = (compact_ntp(now_ntp) - last_report - delay_since_last_report) & _MASK_32
    if interval & 0x8000_0000:
        # A peer that rounds its delay up can claim a few units more than have passed on a loopback.
        return 0.0 if interval >= 0x1_0000_0000 - _ROUNDING_UNITS else None
    return interval / 65536.0


_ROUNDING_UNITS = 655
"""1/65536 s units (10 ms) of negative round trip still read as zero: clock rounding at both ends."""
