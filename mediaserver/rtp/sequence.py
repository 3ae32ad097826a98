"""Arithmetic of wrapping sequence numbers (16 bits) and timestamps (32 bits): RFC 3550, appendix A.1; RFC
1982."""


def sequence_delta(a: int, b: int) -> int:
    """Signed distance a - b modulo 2^16, from -32768 to 32767; positive when `a` is the newer."""
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000


def timestamp_delta(a: int, b: int) -> int:
    """Signed distance a - b modulo 2^32, from -2^31 to 2^31 - 1; positive when `a` is the newer."""
    return ((a - b + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000


class Unwrapper:
    """Extends a wrapping counter of `bits` bits to a number that does not wrap.

    The first value v becomes v + 2^bits. A value is placed where it is nearest to the highest number so far,
    so reordered values give smaller numbers, and no input ever gives a negative one.
    """

    __slots__ = ("_half", "_highest", "_mask", "_span")

    def __init__(self, bits: int = 16) -> None:
        self._span = 1 << bits
        self._half = self._span >> 1
        self._mask = self._span - 1
        self._highest: int | None = None

    @property
    def highest(self) -> int | None:
        """The highest extended number so far; None before the first value."""
        return self._highest

    def peek(self, value: int) -> int:
        """The extended number that `unwrap(value)` would give, without a change of state."""
        highest = self._highest
        if highest is None:
            return value + self._span
        return highest + ((value - highest + self._half) & self._mask) - self._half

    def unwrap(self, value: int) -> int:
        """The extended number of `value`; remembers it if it is the highest."""
        highest = self._highest
        if highest is None:
            extended = value + self._span
        else:
            extended = highest + ((value - highest + self._half) & self._mask) - self._half
            if extended < highest:
                return extended
        self._highest = extended
        return extended
