"""Who may know of whom in a room, and who receives whose tracks.

A room asks its audience for every pair before it says or forwards anything: participant lists and
counts, speakers, connection quality, data, RPC and media. The policy is a plain value: it can be sent to
another process, compared, and replaced while a call is going on.

Example: a supervisor whispers to the agent while the student must not notice::

    Audience(places={
        "student":    Place(groups={"students"}),
        "agent":      Place(groups={"agents"}),
        "supervisor": Place(groups={"staff"}, known_to={"agents"}, heard_by={"agents"}),
    })
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from mediaserver.room.model import Identity, TrackSource

Group = str
"""A name for some participants of a room, such as ``agents``."""


class AudiencePolicy(Protocol):
    """Decides for each ordered pair of participants of one room.

    The methods are asked on every change and per data message, never per media packet; they must be
    quick and always give the same answer for the same arguments.
    """

    def may_know(self, viewer: Identity, other: Identity) -> bool:
        """Whether `viewer` may learn that `other` exists."""

    def may_receive(self, viewer: Identity, publisher: Identity, source: TrackSource) -> bool:
        """Whether media and data of `publisher` may reach `viewer`; asked only where it may know."""


@dataclass(frozen=True, slots=True)
class Place:
    """One participant's place in a room. ``None`` stands for everybody, an empty set for nobody."""

    groups: frozenset[Group] = frozenset()
    """The groups this participant belongs to."""
    known_to: frozenset[Group] | None = None
    """Groups that may know of this participant."""
    heard_by: frozenset[Group] | None = None
    """Groups that receive this participant's tracks and data (they must also know of it)."""
    hears: frozenset[Group] | None = None
    """Groups this participant receives from: a student on hold hears only ``{"music"}``."""
    sources: frozenset[TrackSource] | None = None
    """Which of this participant's track sources may be received at all."""


EVERYBODY = Place()
"""Known to all, heard by all, hears all."""


def _shares(groups: frozenset[Group], allowed: frozenset[Group] | None) -> bool:
    return allowed is None or not groups.isdisjoint(allowed)


@dataclass(frozen=True, slots=True)
class Audience:
    """The audience as a table of places; whoever is not in it has the default place."""

    places: Mapping[str, Place] = field(default_factory=lambda: MappingProxyType({}))
    default: Place = EVERYBODY

    def place(self, identity: str) -> Place:
        """The place of a participant."""
        return self.places.get(identity, self.default)

    def may_know(self, viewer: Identity, other: Identity) -> bool:
        """Whether `viewer` may learn that `other` exists."""
        return _shares(self.place(viewer).groups, self.place(other).known_to)

    def may_receive(self, viewer: Identity, publisher: Identity, source: TrackSource) -> bool:
        """Whether a track of this source reaches `viewer`."""
        listener, speaker = self.place(viewer), self.place(publisher)
        return (
            _shares(listener.groups, speaker.known_to)
            and _shares(listener.groups, speaker.heard_by)
            and _shares(speaker.groups, listener.hears)
            and (speaker.sources is None or source in speaker.sources)
        )


OPEN = Audience()
"""The audience of a new room: everybody knows and receives everybody."""
