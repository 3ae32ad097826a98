"""The captured packets of `tests/data/rtp`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mediaserver.rtp.packet import RtpPacket, is_rtcp, parse_rtp

FOLDER = Path(__file__).parents[2] / "data" / "rtp"


@dataclass(frozen=True)
class Capture:
    """One file of packets and what was negotiated for them."""

    name: str
    packets: tuple[bytes, ...]
    codecs: dict[int, str]
    """Encoding name by payload type."""
    extensions: dict[int, str]
    """URI by identifier."""

    @property
    def rtcp(self) -> list[bytes]:
        """The RTCP compounds."""
        return [data for data in self.packets if is_rtcp(data)]

    @property
    def rtp(self) -> list[bytes]:
        """The RTP packets."""
        return [data for data in self.packets if not is_rtcp(data)]

    def of_codec(self, codec: str) -> Iterator[RtpPacket]:
        """The RTP packets of one codec that have a payload."""
        for data in self.rtp:
            packet = parse_rtp(data)
            if self.codecs[packet.payload_type] == codec and packet.payload:
                yield packet


def _read(name: str, negotiated: dict[str, dict[str, str]]) -> Capture:
    data = (FOLDER / f"{name}.rfc4571").read_bytes()
    packets = []
    while data:
        size = int.from_bytes(data[:2])
        packets.append(data[2 : 2 + size])
        data = data[2 + size :]
    return Capture(
        name,
        tuple(packets),
        {int(key): value.split("/")[0] for key, value in negotiated["payload_types"].items()},
        {int(key): value for key, value in negotiated["extensions"].items()},
    )


CAPTURES = {
    name: _read(name, negotiated)
    for name, negotiated in json.loads((FOLDER / "captures.json").read_text()).items()
}
