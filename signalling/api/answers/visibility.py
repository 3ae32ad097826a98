"""Who may know what of a call."""

from __future__ import annotations

from signalling.api.roles import Actor, Role
from signalling.desk.model import Assignment, Mode

VISIBLE_MODES = frozenset({Mode.TALK, Mode.BARGE})
"""Ways of taking part that the student and guests may know of."""


def sees_all(actor: Actor) -> bool:
    """Whether the actor may know of silent monitors."""
    return actor.role in (Role.SUPERVISOR, Role.ADMIN)


def is_inside(actor: Actor) -> bool:
    """Whether the actor sees what only staff and services see."""
    return actor.is_staff or actor.role is Role.SERVICE


def may_know(actor: Actor, assignment: Assignment, told: bool) -> bool:
    """Whether the actor may learn that this agent or supervisor is in the call."""
    if assignment.mode in VISIBLE_MODES or assignment.agent == actor.id or sees_all(actor):
        return True
    if actor.role is Role.AGENT or actor.role is Role.SERVICE:
        return assignment.mode is Mode.WHISPER or told
    return False
