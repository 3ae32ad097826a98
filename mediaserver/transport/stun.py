"""STUN binding messages for ICE (RFC 8489, RFC 8445): a strict, bounded parser and a writer.

Unlike a general STUN stack this one knows only what an ICE-lite agent needs, reads no attribute that
integrity does not cover, and accepts nothing without a fingerprint.
"""

import binascii
import hmac
import ipaddress
from struct import Struct

MAGIC_COOKIE = 0x2112A442
HEADER_BYTES = 20
MAX_MESSAGE_BYTES = 1280
"""Longest message accepted; a connectivity check is about 100 bytes."""
MAX_ATTRIBUTES = 32
"""Attributes read per message; checks carry fewer than ten."""
MAX_USERNAME_BYTES = 512
"""RFC 8489, section 14.3: at most 513 bytes with terminator."""

BINDING_REQUEST = 0x0001
BINDING_INDICATION = 0x0011
BINDING_SUCCESS = 0x0101
BINDING_ERROR = 0x0111

USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
ERROR_CODE = 0x0009
UNKNOWN_ATTRIBUTES = 0x000A
XOR_MAPPED_ADDRESS = 0x0020
PRIORITY = 0x0024
USE_CANDIDATE = 0x0025
FINGERPRINT = 0x8028
ICE_CONTROLLED = 0x8029
ICE_CONTROLLING = 0x802A

COMPREHENSION_OPTIONAL = 0x8000
"""Attributes from here on may be ignored (RFC 8489, section 14)."""

_KNOWN_REQUIRED = frozenset({USERNAME, MESSAGE_INTEGRITY, PRIORITY, USE_CANDIDATE})

FINGERPRINT_XOR = 0x5354554E
INTEGRITY_BYTES = 20
_INTEGRITY_ATTRIBUTE_BYTES = 4 + INTEGRITY_BYTES
_FINGERPRINT_ATTRIBUTE_BYTES = 8

ROLE_CONFLICT = 487
UNKNOWN_ATTRIBUTE = 420

_header = Struct("!HHI12s")
_attribute = Struct("!HH")
_u16 = Struct("!H")
_u32 = Struct("!I")


class StunMessage:
    """A binding message. `attributes` holds only what precedes MESSAGE-INTEGRITY, first occurrences."""

    __slots__ = ("attributes", "data", "integrity_at", "message_type", "transaction_id")

    def __init__(
        self,
        data: bytes,
        message_type: int,
        transaction_id: bytes,
        attributes: dict[int, bytes],
        integrity_at: int,
    ) -> None:
        self.data = data
        self.message_type = message_type
        self.transaction_id = transaction_id
        self.attributes = attributes
        self.integrity_at = integrity_at
        """Offset of the MESSAGE-INTEGRITY attribute, 0 if there is none."""

    @property
    def username(self) -> bytes:
        """The USERNAME attribute, empty if absent."""
        return self.attributes.get(USERNAME, b"")

    @property
    def use_candidate(self) -> bool:
        """Whether the controlling agent nominates this pair (RFC 8445, section 8.1.1)."""
        return USE_CANDIDATE in self.attributes

    def unknown_required(self) -> list[int]:
        """Attributes that must be understood and are not (RFC 8489, section 6.3.1)."""
        return [
            kind for kind in self.attributes if kind < COMPREHENSION_OPTIONAL and kind not in _KNOWN_REQUIRED
        ]

    def check_integrity(self, password: bytes) -> bool:
        """Whether MESSAGE-INTEGRITY matches the short-term ``password`` (RFC 8489, section 14.5)."""
        at = self.integrity_at
        if not at:
            return False
        found = self.data[at + 4 : at + 4 + INTEGRITY_BYTES]
        return hmac.compare_digest(found, _integrity(self.data[:at], password))


def _with_length(data: bytes, trailing: int) -> bytes:
    """``data`` with a header length that counts ``trailing`` bytes to come."""
    return data[:2] + _u16.pack(len(data) - HEADER_BYTES + trailing) + data[4:]


def _integrity(data: bytes, password: bytes) -> bytes:
    return hmac.digest(password, _with_length(data, _INTEGRITY_ATTRIBUTE_BYTES), "sha1")


def _fingerprint(data: bytes) -> int:
    return binascii.crc32(_with_length(data, _FINGERPRINT_ATTRIBUTE_BYTES)) ^ FINGERPRINT_XOR


def parse_stun(data: bytes) -> StunMessage:
    """Parse one binding message.

    Raises ValueError naming the field if the message is not exactly one well-formed STUN binding message
    that ends in a correct FINGERPRINT (RFC 8489, sections 5 and 14.7; RFC 8445, section 7.1.4 demands it).
    """
    size = len(data)
    if not HEADER_BYTES <= size <= MAX_MESSAGE_BYTES:
        raise ValueError("stun: message size")
    message_type, length, cookie, transaction_id = _header.unpack_from(data)
    if length & 3 or length + HEADER_BYTES != size:
        raise ValueError("stun: length")
    if cookie != MAGIC_COOKIE:
        raise ValueError("stun: magic cookie")
    if message_type not in (BINDING_REQUEST, BINDING_INDICATION, BINDING_SUCCESS, BINDING_ERROR):
        raise ValueError("stun: message type")
    attributes: dict[int, bytes] = {}
    integrity_at = 0
    fingerprint_at = 0
    position = HEADER_BYTES
    for _ in range(MAX_ATTRIBUTES):
        if position == size:
            break
        # The length is a multiple of four and positions are too: an attribute header always fits.
        kind, value_bytes = _attribute.unpack_from(data, position)
        start = position + 4
        end = start + value_bytes
        if end > size:
            raise ValueError("stun: attribute length")
        if kind == FINGERPRINT:
            if value_bytes != 4 or end != size:
                raise ValueError("stun: fingerprint is not last")
            fingerprint_at = position
        elif integrity_at:
            pass  # not covered by integrity: ignored (RFC 8489, section 14.5)
        elif kind == MESSAGE_INTEGRITY:
            if value_bytes != INTEGRITY_BYTES:
                raise ValueError("stun: integrity length")
            integrity_at = position
        else:
            if kind == USERNAME and value_bytes > MAX_USERNAME_BYTES:
                raise ValueError("stun: username length")
            attributes.setdefault(kind, data[start:end])
        position = end + (-value_bytes & 3)
        if position > size:
            raise ValueError("stun: attribute padding")
    if position != size:
        raise ValueError("stun: too many attributes")
    if not fingerprint_at:
        raise ValueError("stun: no fingerprint")
    if _u32.unpack_from(data, fingerprint_at + 4)[0] != _fingerprint(data[:fingerprint_at]):
        raise ValueError("stun: fingerprint")
    return StunMessage(data, message_type, transaction_id, attributes, integrity_at)


def build_stun(
    message_type: int, transaction_id: bytes, attributes: list[tuple[int, bytes]], password: bytes | None
) -> bytes:
    """Write a binding message, signed with the short-term ``password`` if given, and fingerprinted."""
    body = b"".join(
        _attribute.pack(kind, len(value)) + value + bytes(-len(value) & 3) for kind, value in attributes
    )
    data = _header.pack(message_type, len(body), MAGIC_COOKIE, transaction_id) + body
    if password is not None:
        data += _attribute.pack(MESSAGE_INTEGRITY, INTEGRITY_BYTES) + _integrity(data, password)
    data += _attribute.pack(FINGERPRINT, 4) + _u32.pack(_fingerprint(data))
    return _with_length(data, 0)


def xor_mapped_address(host: str, port: int, transaction_id: bytes) -> bytes:
    """The value of XOR-MAPPED-ADDRESS (RFC 8489, section 14.2)."""
    packed = ipaddress.ip_address(host).packed
    key = _u32.pack(MAGIC_COOKIE) + transaction_id
    masked = bytes(a ^ b for a, b in zip(packed, key, strict=False))
    return bytes((0, 1 if len(packed) == 4 else 2)) + _u16.pack(port ^ (MAGIC_COOKIE >> 16)) + masked


def success_response(request: StunMessage, host: str, port: int, password: bytes) -> bytes:
    """Answer a check with the address it came from."""
    mapped = xor_mapped_address(host, port, request.transaction_id)
    return build_stun(BINDING_SUCCESS, request.transaction_id, [(XOR_MAPPED_ADDRESS, mapped)], password)


def error_response(
    request: StunMessage, code: int, password: bytes, unknown: list[int] | None = None
) -> bytes:
    """Refuse an authenticated check (never an unauthenticated one: that would be reflection)."""
    attributes = [(ERROR_CODE, bytes((0, 0, code // 100, code % 100)))]
    if unknown:
        attributes.append((UNKNOWN_ATTRIBUTES, b"".join(_u16.pack(kind) for kind in unknown[:4])))
    return build_stun(BINDING_ERROR, request.transaction_id, attributes, password)
