"""The media sections of one connection, and which tracks travel in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mediaserver.room.model import TrackKind

if TYPE_CHECKING:
    from mediaserver.room.downlink import Downlink
    from mediaserver.room.track import PublishedTrack
    from mediaserver.sdp.negotiated import NegotiatedMedia

KIND_NAMES = {TrackKind.AUDIO: "audio", TrackKind.VIDEO: "video"}


@dataclass(slots=True)
class Section:
    """One m-line for audio or video."""

    mid: str
    kind: str
    client_receives: bool = False
    """The client is ready to receive in it."""
    downlink: Downlink | None = None
    resting: bool = True
    """Described as inactive since its last downlink ended: only then may another begin in it, for a browser
    reports a new remote track only when the direction changes."""
    track: PublishedTrack | None = None
    """What the client publishes in it."""
    cid: str = ""
    """The client's name of what it sends in it."""
    negotiated: NegotiatedMedia | None = None
    carried: set[str] = field(default_factory=set)
    """Ids of the streams it ever carried to the client."""

    @property
    def free(self) -> bool:
        """Whether a downlink may begin in it at the next negotiation."""
        return self.client_receives and self.downlink is None and self.resting and self.track is None


@dataclass(slots=True)
class SectionTable:
    """All sections of one connection in m-line order, and the downlinks that wait for one."""

    sections: dict[str, Section] = field(default_factory=dict)
    waiting: list[Downlink] = field(default_factory=list)
    limit: int | None = None
    """Where we make the sections ourselves: how many there may be. Then, while there is room for another
    section, a stream gets none that carried it before: the native SDKs report a stream once for each mid."""

    def __iter__(self) -> Iterator[Section]:
        return iter(self.sections.values())

    def __len__(self) -> int:
        return len(self.sections)

    def get(self, mid: str) -> Section | None:
        """The section of a mid."""
        return self.sections.get(mid)

    def ensure(self, mid: str, kind: str) -> Section:
        """The section of a mid, created if new (or if the m-line was recycled for another kind)."""
        section = self.sections.get(mid)
        if section is None or section.kind != kind:
            section = self.sections[mid] = Section(mid, kind)
        return section

    def place_waiting(self) -> None:
        """Give free sections to waiting downlinks, first come first served."""
        still: list[Downlink] = []
        for downlink in self.waiting:
            section = self._place_for(downlink, list(self))
            if section is None:
                still.append(downlink)
            else:
                section.downlink = downlink
                section.resting = False
                section.carried.add(downlink.stream_id)
                downlink.mid = section.mid
        self.waiting = still

    def missing(self) -> tuple[int, int]:
        """How many more audio and video sections the waiting downlinks need beyond the free ones."""
        needed = {"audio": 0, "video": 0}
        left = list(self)
        for downlink in self.waiting:
            section = self._place_for(downlink, left)
            if section is None:
                needed[KIND_NAMES[downlink.track.info.kind]] += 1
            else:
                left.remove(section)
        return needed["audio"], needed["video"]

    def _place_for(self, downlink: Downlink, among: list[Section]) -> Section | None:
        kind = KIND_NAMES[downlink.track.info.kind]
        free = [section for section in among if section.kind == kind and section.free]
        if self.limit is None or len(self) >= self.limit:
            return free[0] if free else None
        return next((section for section in free if downlink.stream_id not in section.carried), None)

    def remove(self, downlink: Downlink) -> bool:
        """Take a downlink out; True if it had a section, which the next description must show as inactive."""
        if downlink in self.waiting:
            self.waiting.remove(downlink)
            return False
        for section in self:
            if section.downlink is downlink:
                section.downlink = None
                downlink.mid = None
                return True
        return False

    def put_back(self, section: Section) -> None:
        """The client no longer receives in a section: its downlink waits for another."""
        if section.downlink is not None:
            self.waiting.append(section.downlink)
            section.downlink.mid = None
            section.downlink = None

    def described(self) -> None:
        """A description was exchanged: sections without downlink are inactive in it."""
        for section in self:
            section.resting = section.downlink is None

    def mid_to_track(self) -> dict[str, str]:
        """Which mid carries which track to the client."""
        return {section.mid: section.downlink.track_id for section in self if section.downlink is not None}
