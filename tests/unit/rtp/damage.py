"""Damaged twins of valid samples."""

from collections.abc import Callable, Iterator


def truncations(sample: bytes) -> Iterator[bytes]:
    """Every proper prefix."""
    return (sample[:size] for size in range(len(sample)))


def flips(sample: bytes) -> Iterator[bytes]:
    """Every octet with one bit flipped (each bit in turn), and inverted."""
    for at, octet in enumerate(sample):
        for mask in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            yield sample[:at] + bytes((octet ^ mask,)) + sample[at + 1 :]


def survives(parse: Callable[[bytes], object], sample: bytes) -> tuple[int, int]:
    """Feeds all twins to a parser; counts (accepted, rejected). Anything but ValueError fails the test."""
    accepted = rejected = 0
    for twin in (*truncations(sample), *flips(sample)):
        try:
            parse(twin)
        except ValueError as error:
            if not str(error):
                raise AssertionError("the error names no field") from error
            rejected += 1
        else:
            accepted += 1
    return accepted, rejected
