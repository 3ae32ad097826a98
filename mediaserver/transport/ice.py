"""ICE-lite (RFC 8445, section 2.5) without IO: who may send to us, and where to answer.

A full agent (the client) checks and nominates; we answer checks that carry one of our passwords and remember
from where they came. A *path* is whatever the shell uses to name a remote address: any hashable.
"""

import secrets
import string
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from mediaserver.transport import stun

UFRAG_CHARACTERS = 12
"""71 bits: never twice on a node. RFC 8445, section 5.3 asks for at least 24 bits."""
PASSWORD_CHARACTERS = 32
"""190 bits; RFC 8445, section 5.3 asks for at least 128."""
PATH_STALE_S = 4.0
"""Silence of the selected path after which a live one replaces it without nomination: more than the 2.5 s
between a client's checks, less than any consent timeout."""
MAX_CREDENTIALS = 2
"""The current ones and those before the last ICE restart."""

_ALPHABET = string.ascii_letters + string.digits

PathT = TypeVar("PathT", bound=Hashable)


def new_credential(characters: int) -> str:
    """A random ice-ufrag or ice-pwd."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(characters))


class Liveness(Enum):
    """How fresh the remote's consent to receive is."""

    WAITING = "waiting"
    """No check was ever seen."""
    ALIVE = "alive"
    SILENT = "silent"
    GONE = "gone"


@dataclass(slots=True)
class CheckResult:
    """What a valid check did to its session."""

    response: bytes
    """To be sent back to where the check came from."""
    accepted: bool
    """False if the check was refused with an error response."""
    admitted: bool = False
    """The path is new to the session."""
    selected_changed: bool = False


class IceSession(Generic[PathT]):
    """One transport's ICE-lite side: credentials, validated paths, the selected one, consent."""

    __slots__ = ("_credentials", "_max_paths", "evicted", "last_check", "paths", "remote_ufrag", "selected")

    def __init__(self, max_paths: int = 8) -> None:
        self._max_paths = max_paths
        self._credentials: list[tuple[bytes, bytes]] = []
        self.paths: dict[PathT, float] = {}
        """Validated paths and the time of their last check."""
        self.selected: PathT | None = None
        """Where to send; None before the first check."""
        self.last_check: float | None = None
        self.evicted: list[PathT] = []
        """Paths that lost their validation since the shell last looked; the shell clears it."""
        self.remote_ufrag: bytes | None = None
        """Checks must name it once it is known."""
        self.renew_credentials()

    @property
    def local_ufrag(self) -> str:
        """Our current username fragment."""
        return self._credentials[-1][0].decode()

    @property
    def local_password(self) -> str:
        """Our current password."""
        return self._credentials[-1][1].decode()

    @property
    def ufrags(self) -> list[bytes]:
        """Every username fragment that is valid now."""
        return [ufrag for ufrag, _ in self._credentials]

    def renew_credentials(self) -> None:
        """ICE restart (RFC 8445, section 9): new credentials; the last stay valid until these are used."""
        ufrag = new_credential(UFRAG_CHARACTERS).encode()
        password = new_credential(PASSWORD_CHARACTERS).encode()
        self._credentials = [*self._credentials[-(MAX_CREDENTIALS - 1) :], (ufrag, password)]

    def check(
        self, request: stun.StunMessage, path: PathT, host: str, port: int, now: float
    ) -> CheckResult | None:
        """Judge a binding request that came over ``path``; None means: drop without an answer.

        Without a valid MESSAGE-INTEGRITY nothing changes and nothing is answered, so that nobody can make us
        send to a third party.
        """
        local, _, remote = request.username.partition(b":")
        generation = next((i for i, (ufrag, _) in enumerate(self._credentials) if ufrag == local), None)
        if generation is None:
            return None
        password = self._credentials[generation][1]
        if not request.check_integrity(password):
            return None
        unknown = request.unknown_required()
        if unknown:
            response = stun.error_response(request, stun.UNKNOWN_ATTRIBUTE, password, unknown)
            return CheckResult(response, accepted=False)
        if stun.ICE_CONTROLLED in request.attributes:
            # A lite agent is always controlled (RFC 8445, section 6.1.1).
            return CheckResult(stun.error_response(request, stun.ROLE_CONFLICT, password), accepted=False)
        newest = generation == len(self._credentials) - 1
        if newest and self.remote_ufrag is not None and remote != self.remote_ufrag:
            return None
        if newest and generation:
            del self._credentials[:-1]
        result = CheckResult(stun.success_response(request, host, port, password), accepted=True)
        result.admitted = path not in self.paths
        self.paths[path] = now
        self.last_check = now
        previous = self.selected
        if (
            previous is None
            or (request.use_candidate and newest)
            or now - self.paths.get(previous, 0.0) > PATH_STALE_S
        ):
            self.selected = path
        result.selected_changed = self.selected != previous
        if len(self.paths) > self._max_paths:
            self._evict()
        return result

    def forget(self, path: PathT) -> None:
        """A path is no more (its TCP connection closed, or its address belongs to another transport now)."""
        self.paths.pop(path, None)
        if self.selected == path:
            self.selected = max(self.paths, key=self.paths.__getitem__, default=None)

    def liveness(self, now: float, disconnected_after_s: float, gone_after_s: float) -> Liveness:
        """Consent by the age of the last valid check (RFC 7675)."""
        if self.last_check is None:
            return Liveness.WAITING
        age = now - self.last_check
        if age > gone_after_s:
            return Liveness.GONE
        return Liveness.SILENT if age > disconnected_after_s else Liveness.ALIVE

    def _evict(self) -> None:
        oldest = min((path for path in self.paths if path != self.selected), key=self.paths.__getitem__)
        del self.paths[oldest]
        self.evicted.append(oldest)


def local_ufrag_of(request: stun.StunMessage) -> bytes:
    """The username fragment of ours that a check is addressed to (RFC 8445, section 7.2.2)."""
    return request.username.partition(b":")[0]
