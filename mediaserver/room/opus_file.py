"""Sounds that were encoded beforehand: Ogg Opus files as the packets a `LocalSource` plays."""

from __future__ import annotations

from pathlib import Path

import av

from mediaserver.room.local import OPUS_FRAME_S

MAX_PACKETS = 90_000
"""Half an hour of 20 ms packets; more is a mistake, not a sound to play."""

_TOLERANCE_S = 0.0005


def read_opus_packets(path: Path) -> tuple[bytes, ...]:
    """The Opus packets of a file (Ogg, WebM or Matroska), unchanged; nothing is decoded.

    Raises ValueError if the file is no Opus audio in packets of 20 ms, OSError if it cannot be read.
    """
    try:
        with av.open(str(path)) as container:
            stream = next(iter(container.streams.audio), None)
            if stream is None or stream.codec_context.name not in ("opus", "libopus"):
                raise ValueError(f"{path.name}: no Opus audio stream")
            packets: list[bytes] = []
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                lasts_s = float(packet.duration * packet.time_base) if packet.duration else OPUS_FRAME_S
                if abs(lasts_s - OPUS_FRAME_S) > _TOLERANCE_S and lasts_s > OPUS_FRAME_S:
                    raise ValueError(f"{path.name}: packets of {lasts_s * 1000:g} ms, not of 20 ms")
                packets.append(bytes(packet))
                if len(packets) > MAX_PACKETS:
                    raise ValueError(f"{path.name}: longer than {MAX_PACKETS * OPUS_FRAME_S / 60:g} minutes")
    except av.error.InvalidDataError as error:
        raise ValueError(f"{path.name}: {error.strerror}") from None
    if not packets:
        raise ValueError(f"{path.name}: empty")
    return tuple(packets)
