"""Data packets between participants: messages, chat, RPC, text and byte streams, transcriptions.

The server looks at the envelope only. It writes the true sender into it, so that nobody can speak for
another, works out the receivers, and keeps recent reliable packets so that a receiver which resumes its
connection gets what it missed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from google.protobuf.message import DecodeError
from livekit.protocol import models

from mediaserver.room.model import ParticipantSid
from signalling.livekit.limits import TokenBucket
from signalling.settings import LimitSettings

MAXIMUM_DESTINATIONS = 256
_RPC = frozenset({"rpc_request", "rpc_ack", "rpc_response"})
_NOT_FORWARDED = frozenset({"speaker", "metrics"})
"""Speakers are the server's to tell; metrics are for the server, which measures by itself."""


class Refusal(Enum):
    """Why a packet was not passed on; the value tells the client."""

    MALFORMED = "a data packet could not be read"
    TOO_LARGE = "a data packet is larger than the server allows"
    LOSSY_RATE = "lossy data exceeds the rate the server allows; some of it is dropped"
    RELIABLE_RATE = "reliable data exceeds the rate the server allows"
    DESTINATIONS = "a data packet names too many destinations"
    DUPLICATE = "a reliable packet was received before"
    NO_DESTINATION = "a remote procedure call names no destination"
    KIND = "this kind of data packet is not passed on"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A packet ready to be delivered."""

    payload: bytes
    destinations: frozenset[str] | None
    """Identities or sids; None: everybody."""
    sequence: int
    """The sender's number of a reliable packet; 0: not numbered."""


class Sender(Protocol):
    """Who sends a packet."""

    @property
    def identity(self) -> str: ...
    @property
    def sid(self) -> str: ...


class DataInspector:
    """What one sender may send: limits, numbering, and the envelope put right."""

    __slots__ = ("_bytes", "_limits", "_messages", "last_sequence")

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits
        self._bytes = TokenBucket(limits.data_bytes_per_s, limits.data_burst_bytes)
        self._messages = TokenBucket(limits.data_messages_per_s, limits.data_messages_per_s * 8)
        self.last_sequence = 0
        """The highest number of a reliable packet received; a resuming client sends from there on."""

    def inspect(self, sender: Sender, reliable: bool, payload: bytes, now: float) -> Envelope | Refusal:
        """The packet to deliver, or why there is none."""
        if len(payload) > self._limits.data_message_bytes:
            return Refusal.TOO_LARGE
        if not self._bytes.take(len(payload), now) or not self._messages.take(1, now):
            return Refusal.RELIABLE_RATE if reliable else Refusal.LOSSY_RATE
        try:
            packet = models.DataPacket.FromString(payload)
        except DecodeError:
            return Refusal.MALFORMED
        kind = packet.WhichOneof("value")
        if kind is None or kind in _NOT_FORWARDED:
            return Refusal.KIND
        if reliable and packet.sequence:
            if packet.sequence <= self.last_sequence:
                return Refusal.DUPLICATE
            self.last_sequence = packet.sequence
        elif packet.sequence:
            packet.sequence = 0  # a numbered lossy packet would make receivers drop what is late
        destinations = set(packet.destination_identities)
        if kind == "user":
            destinations.update(packet.user.destination_identities, packet.user.destination_sids)
            packet.user.participant_identity = sender.identity
            packet.user.participant_sid = sender.sid
        if len(destinations) > MAXIMUM_DESTINATIONS:
            return Refusal.DESTINATIONS
        if kind in _RPC and not destinations:
            return Refusal.NO_DESTINATION
        packet.kind = models.DataPacket.RELIABLE if reliable else models.DataPacket.LOSSY
        packet.participant_identity = sender.identity
        packet.participant_sid = sender.sid
        return Envelope(
            payload=packet.SerializeToString(),
            destinations=frozenset(destinations) if destinations else None,
            sequence=packet.sequence if reliable else 0,
        )


@dataclass(slots=True)
class ReliableLog:
    """One sender's recent reliable packets with who received each; bounded by bytes, oldest go first."""

    limit_bytes: int
    _entries: deque[tuple[int, bytes, frozenset[ParticipantSid]]] = field(default_factory=deque)
    _bytes: int = 0

    def add(self, sequence: int, payload: bytes, receivers: Collection[ParticipantSid]) -> None:
        """Remember a delivered packet; unnumbered ones cannot be asked for again."""
        if not sequence or not receivers or len(payload) > self.limit_bytes:
            return
        self._entries.append((sequence, payload, frozenset(receivers)))
        self._bytes += len(payload)
        while self._bytes > self.limit_bytes:
            _, old, _ = self._entries.popleft()
            self._bytes -= len(old)

    def after(self, sequence: int, receiver: ParticipantSid) -> Iterator[bytes]:
        """What `receiver` was sent after `sequence`, in order."""
        for number, payload, receivers in list(self._entries):
            if number > sequence and receiver in receivers:
                yield payload


def server_packet(
    payload: bytes, *, reliable: bool, topic: str | None, destinations: Collection[str], nonce: bytes = b""
) -> bytes:
    """A data message from the server itself (RoomService.SendData), serialised."""
    user = models.UserPacket(payload=payload, destination_identities=list(destinations), nonce=nonce)
    if topic is not None:
        user.topic = topic
    packet = models.DataPacket(
        kind=models.DataPacket.RELIABLE if reliable else models.DataPacket.LOSSY,
        destination_identities=list(destinations),
        user=user,
    )
    return packet.SerializeToString()
