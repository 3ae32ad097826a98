"""A front without sockets and a listener that remembers, for tests of rooms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mediaserver.flow.send_queue import SendQueue
from mediaserver.room.limits import RoomLimits
from mediaserver.room.manager import RoomManager
from mediaserver.room.model import Identity, JoinSpec, Permissions
from mediaserver.room.participant import Participant
from mediaserver.room.room import Room
from mediaserver.transport.types import (
    Candidate,
    RemoteTransport,
    TransportHandler,
    TransportState,
    TransportStats,
)


class FakeData:
    """Data channels that remember what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.channels: list[str] = []
        self.accepts = True

    def open_channel(
        self,
        label: str,
        *,
        ordered: bool = True,
        max_retransmits: int | None = None,
        negotiated_id: int | None = None,
    ) -> None:
        self.channels.append(label)

    def send(self, label: str, payload: bytes) -> bool:
        if self.accepts:
            self.sent.append((label, payload))
        return self.accepts

    def is_open(self, label: str) -> bool:
        return True

    def buffered_amount(self, label: str) -> int:
        return 0


class FakeTransport:
    """A transport that connects when it is told to."""

    def __init__(self, front: FakeFront, handler: TransportHandler) -> None:
        self.handler = handler
        self.front = front
        self.local_ufrag = f"ufrag{len(front.transports)}"
        self.local_password = "p" * 24
        self.fingerprint = "AB:" * 31 + "AB"
        self.state = TransportState.NEW
        self.queue = SendQueue(front.dirty_queues, self)
        self.data = FakeData()
        self.rtcp: list[bytes] = []
        self.remote: RemoteTransport | None = None
        self.restarts = 0

    def start(self, remote: RemoteTransport) -> None:
        self.remote = remote
        self.state = TransportState.CONNECTING

    def restart_ice(self, remote: RemoteTransport) -> None:
        self.remote = remote
        self.restarts += 1
        self.local_ufrag += "x"

    def connect(self) -> None:
        self.state = TransportState.CONNECTED
        self.handler.on_transport_state(self.state)

    def send_rtcp(self, compound: bytes) -> None:
        self.rtcp.append(compound)

    def close(self) -> None:
        self.state = TransportState.CLOSED

    def stats(self) -> TransportStats:
        return TransportStats(
            self.state, None, 0, 0, 0, 0, 0, 0, {}, "udp", None, ("192.0.2.1", 1), 0, None, None, None, 0
        )


class FakeFront:
    """A front whose transports are fakes."""

    def __init__(self) -> None:
        self.dirty_queues: list[SendQueue] = []
        self.transports: list[FakeTransport] = []
        self.flushes = 0

    def candidates(self) -> list[Candidate]:
        return [Candidate("1", 1, "udp", 2130706431, "192.0.2.10", 7882)]

    def create_transport(self, handler: TransportHandler) -> FakeTransport:
        transport = FakeTransport(self, handler)
        self.transports.append(transport)
        return transport

    def schedule_flush(self) -> None:
        self.flushes += 1


class Recorder:
    """A listener that keeps every call as (name, arguments)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("on_"):
            raise AttributeError(name)

        def record(*arguments: Any) -> None:
            self.calls.append((name, arguments))

        return record

    def of(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of every call of one name."""
        return [arguments for called, arguments in self.calls if called == name]

    def last(self, name: str) -> tuple[Any, ...]:
        """The arguments of the latest call of one name."""
        return self.of(name)[-1]

    def clear(self) -> None:
        self.calls.clear()


class World:
    """One node with a room."""

    def __init__(self, limits: RoomLimits | None = None, greeting: Sequence[bytes] = ()) -> None:
        self.front = FakeFront()
        self.manager = RoomManager(self.front, limits, greeting=greeting)  # type: ignore[arg-type]
        self.room: Room = self.manager.get_or_create("class-301")
        self.listeners: dict[str, Recorder] = {}

    def join(
        self, identity: str, *, single: bool = True, auto: bool = True, **permissions: Any
    ) -> Participant:
        listener = Recorder()
        participant = self.room.join(
            JoinSpec(
                Identity(identity),
                name=identity.title(),
                permissions=Permissions(**permissions),
                single_peer_connection=single,
                auto_subscribe=auto,
            ),
            listener,
        )
        self.listeners[identity] = listener
        return participant

    def heard_by(self, identity: str) -> Recorder:
        return self.listeners[identity]

    def clear(self) -> None:
        for listener in self.listeners.values():
            listener.clear()


def identities(calls: Sequence[tuple[Any, ...]]) -> list[tuple[str, str]]:
    """(identity, state) of every participant update."""
    return [(info.identity, info.state.name) for (infos,) in calls for info in infos]


Mids = Mapping[str, str]
