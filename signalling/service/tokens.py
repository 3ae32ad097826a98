"""Tokens with which the people of a call join its room.

What a token says is fixed when it is minted; whether it still holds is asked at every join (`Doorkeeper`),
by the fencing token in its attributes. Clients cannot change these attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mediaserver.room.model import Permissions
from signalling.auth import mint_join_token
from signalling.desk.model import ActorRole, Assignment, AssignmentRole, Call, Guest, Mode

CALL: Final = "raisehand.call"
ROLE: Final = "raisehand.role"
FENCE: Final = "raisehand.fence"
"""Attributes of a participant: the call it belongs to, in what role, under which fencing token."""

TOKEN_TTL_S: Final = 6 * 3600.0
"""Life of a join token; a call that lasts longer gets fresh ones over its connection."""

MAY_TALK: Final = Permissions()
MAY_LISTEN: Final = Permissions(can_publish=False, can_publish_data=False)
"""Whoever waits publishes nothing: neither sound nor picture nor data."""


@dataclass(frozen=True, slots=True)
class Membership:
    """What a participant's attributes say."""

    call: str
    role: ActorRole
    fence: int | None


def membership_of(attributes: Mapping[str, str]) -> Membership | None:
    """The membership in a participant's attributes; None when it has nothing to do with a call."""
    call = attributes.get(CALL)
    if not call:
        return None
    try:
        role = ActorRole(attributes.get(ROLE, ""))
        fence = int(attributes[FENCE]) if FENCE in attributes else None
    except ValueError:
        return None
    return Membership(call, role, fence)


def student_may_publish(call: Call) -> bool:
    """From the first acceptance on; afterwards the audience decides who hears it."""
    return call.accepted_at is not None


class TokenMint:
    """Mints join tokens with one API key."""

    def __init__(self, key: str, secret: str) -> None:
        self._key = key
        self._secret = secret

    def student(self, call: Call) -> str:
        """For the student of a call."""
        permissions = MAY_TALK if student_may_publish(call) else MAY_LISTEN
        return self._mint(call, call.student.id, call.student.name, ActorRole.STUDENT, None, permissions)

    def agent(self, call: Call, assignment: Assignment, name: str) -> str:
        """For an agent or a supervisor of a call."""
        supervises = assignment.role is AssignmentRole.SUPERVISOR
        role = ActorRole.SUPERVISOR if supervises else ActorRole.AGENT
        return self._mint(call, assignment.agent, name, role, assignment.fence, MAY_TALK)

    def guest(self, call: Call, guest: Guest) -> str:
        """For a third party."""
        permissions = MAY_LISTEN if guest.mode is Mode.MONITOR else MAY_TALK
        return self._mint(call, guest.identity, guest.name, ActorRole.GUEST, guest.fence, permissions)

    def _mint(
        self,
        call: Call,
        identity: str,
        name: str,
        role: ActorRole,
        fence: int | None,
        permissions: Permissions,
    ) -> str:
        attributes = {CALL: call.id, ROLE: role.value}
        if fence is not None:
            attributes[FENCE] = str(fence)
        return mint_join_token(
            self._key,
            self._secret,
            identity=identity,
            room=call.room,
            name=name,
            ttl_s=TOKEN_TTL_S,
            attributes=attributes,
            permissions=permissions,
        )
