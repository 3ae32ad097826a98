"""From a call's participants and their modes: who may know of whom and who receives whom.

The result is a plain table with the meaning of the media side's places: groups, and for each participant
the groups that know of him, that receive him and that he receives. ``None`` stands for everybody, an empty
set for nobody. The shell turns it into the room's audience policy; nothing else in the room changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from signalling.desk.model import (
    SERVED_CALL_STATES,
    Assignment,
    AssignmentRole,
    AssignmentState,
    Call,
    CallState,
    DeskPolicy,
    Mode,
    TransferState,
)

STUDENTS, GUESTS, AGENTS, STAFF, MUSIC = "students", "guests", "agents", "staff", "music"
"""Groups: `agents` talk with the student, `staff` supervise."""

EVERYBODY: frozenset[str] | None = None
NOBODY: frozenset[str] = frozenset()
INSIDERS = frozenset({AGENTS, STAFF})
OUTSIDERS = frozenset({STUDENTS, GUESTS})


@dataclass(frozen=True, slots=True)
class Seat:
    """One participant's place in the room."""

    groups: frozenset[str]
    known_to: frozenset[str] | None = EVERYBODY
    heard_by: frozenset[str] | None = EVERYBODY
    hears: frozenset[str] | None = EVERYBODY


NOT_ADMITTED = Seat(NOBODY, known_to=NOBODY, heard_by=NOBODY, hears=NOBODY)
"""The place of everybody who is not in the table: sees nobody, is seen by nobody."""


def outsiders_wait(call: Call) -> bool:
    """Whether the student and his guests hear music instead of people."""
    if call.state not in SERVED_CALL_STATES or call.state is CallState.HELD:
        return True
    transfer = call.live_transfer
    return transfer is not None and transfer.state is TransferState.CONSULTING


def music_plays(call: Call) -> bool:
    """Whether the waiting music sounds: also until the accepting agent is in the room."""
    return call.open and (outsiders_wait(call) or call.state is CallState.CONNECTING)


def seats(call: Call, policy: DeskPolicy) -> Mapping[str, Seat]:
    """The whole table by identity. Participants may be in it before they have joined."""
    waiting = outsiders_wait(call)
    table: dict[str, Seat] = {call.student.id: _outsider(STUDENTS, waiting)}
    for guest in call.guests:
        if guest.mode is Mode.MONITOR:
            table[guest.identity] = Seat(frozenset({STAFF}), known_to=_told(policy), heard_by=NOBODY)
        elif guest.mode is Mode.WHISPER:
            table[guest.identity] = Seat(frozenset({STAFF}), known_to=INSIDERS, heard_by=INSIDERS)
        else:
            table[guest.identity] = _outsider(GUESTS, waiting)
    for assignment in call.live_assignments:
        table[assignment.agent] = _insider(call, assignment, policy)
    return table


def _outsider(group: str, waiting: bool) -> Seat:
    """While waiting: nobody hears or sees him, he hears the music."""
    if waiting:
        return Seat(frozenset({group}), heard_by=NOBODY, hears=frozenset({MUSIC}))
    return Seat(frozenset({group}))


def _told(policy: DeskPolicy) -> frozenset[str]:
    return INSIDERS if policy.agents_told else NOBODY


def _insider(call: Call, assignment: Assignment, policy: DeskPolicy) -> Seat:
    hears = frozenset({STUDENTS, GUESTS, AGENTS, STAFF})
    if assignment.mode is Mode.MONITOR:
        return Seat(frozenset({STAFF}), known_to=_told(policy), heard_by=NOBODY, hears=hears)
    if assignment.mode is Mode.WHISPER:
        return Seat(frozenset({STAFF}), known_to=INSIDERS, heard_by=INSIDERS, hears=hears)
    if assignment.takes_over:
        # On his way: he may hear, and is known, so that the switch itself needs no new connection.
        return Seat(frozenset({STAFF}), known_to=INSIDERS, heard_by=INSIDERS, hears=hears)
    if assignment.role is AssignmentRole.CONSULT:
        # Once in the room he is known to the student, so that his tracks are negotiated before the switch;
        # only the agents hear him. Until then the student goes on talking to the first agent.
        there = assignment.state is not AssignmentState.CONNECTING
        return Seat(
            frozenset({AGENTS}),
            known_to=EVERYBODY if there else INSIDERS,
            heard_by=INSIDERS,
            hears=hears,
        )
    return Seat(frozenset({AGENTS}), hears=hears)
