"""Reading bit fields, as codec headers and the dependency descriptor need."""


class BitReader:
    """Reads big-endian bit fields from octets; raises ValueError rather than read past their end."""

    __slots__ = ("_bits", "_left", "_name")

    def __init__(self, data: bytes, name: str) -> None:
        """`name` says in error messages what is being read."""
        self._bits = int.from_bytes(data)
        self._left = 8 * len(data)
        self._name = name

    @property
    def bits_left(self) -> int:
        """How many bits have not been read."""
        return self._left

    def read(self, count: int) -> int:
        """The next `count` bits as an unsigned number (f(n) of the AV1 specification, u(n) of H.264)."""
        left = self._left - count
        if left < 0:
            raise ValueError(f"{self._name} truncated")
        self._left = left
        return self._bits >> left & (1 << count) - 1

    def skip(self, count: int) -> None:
        """Passes over `count` bits."""
        if count > self._left:
            raise ValueError(f"{self._name} truncated")
        self._left -= count

    def flag(self) -> bool:
        """The next bit."""
        return self.read(1) == 1

    def read_non_symmetric(self, values: int) -> int:
        """A number below `values` in as few bits as it takes: ns(n) of the AV1 specification, section
        4.10.7."""
        width = values.bit_length()
        short = (1 << width) - values
        value = self.read(width - 1)
        if value < short:
            return value
        return (value << 1 | self.read(1)) - short

    def read_exp_golomb(self) -> int:
        """An unsigned Exp-Golomb number of at most 32 bits: ue(v) of H.264, section 9.1; uvlc() of AV1."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise ValueError(f"{self._name}: Exp-Golomb number too long")
        return (1 << zeros) - 1 + self.read(zeros)

    def read_signed_exp_golomb(self) -> int:
        """A signed Exp-Golomb number: se(v) of H.264, section 9.1.1."""
        code = self.read_exp_golomb()
        return (code + 1) // 2 if code & 1 else -(code // 2)
