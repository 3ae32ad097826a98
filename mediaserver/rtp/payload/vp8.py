"""VP8's payload descriptor (RFC 7741, section 4.2) and the patching of its picture ids.

A subscriber that is switched between layers must see `picture_id` and `tl0picidx` continue; both are
overwritten in a copy of the payload, at the offsets that the parser remembers.
"""

from struct import Struct
from typing import NamedTuple

from mediaserver.rtp.payload.facts import PayloadFacts

PICTURE_ID_SPAN = 1 << 15
"""Long picture ids count modulo this; short ones modulo 2^7."""

_LONG_PICTURE_ID = 0x80
_LONGEST_SHORT_PICTURE_ID = 0x7F

_START_CODE = b"\x9d\x01\x2a"
"""Follows the 3-octet frame tag of a key frame (RFC 6386, section 9.1)."""


class Vp8Descriptor(NamedTuple):
    """The descriptor's fields; an offset of 0 says that the field is absent."""

    size: int
    """Octets of the descriptor: where the VP8 data begins."""
    frame_start: bool
    """S bit set and partition index 0."""
    non_reference: bool
    """N bit: no other frame refers to this one."""
    picture_id: int | None
    picture_id_offset: int
    picture_id_bits: int
    """7 or 15; 0 if absent."""
    tl0picidx: int | None
    tl0picidx_offset: int
    temporal_layer: int | None
    """TID; None if absent."""
    layer_sync: bool
    """Y bit: the frame depends on the base layer only, so a receiver may move up to this layer here."""
    keyidx: int | None
    tid_keyidx_offset: int
    """The octet that holds TID, Y and KEYIDX."""


_new_tuple = tuple.__new__
"""Half the price of calling the NamedTuple: 0.8 µs instead of 1.1 µs for a descriptor with all fields."""

_pack_ids = Struct("!HB").pack

_START_FACTS = tuple(PayloadFacts(False, True, 0, layer, None, None) for layer in range(4))
_REST_FACTS = tuple(PayloadFacts(False, False, 0, layer, None, None) for layer in range(4))

_PLAIN_START = Vp8Descriptor(1, True, False, None, 0, 0, None, 0, None, False, None, 0)
_PLAIN_REST = _PLAIN_START._replace(frame_start=False)


def parse_vp8_descriptor(payload: bytes) -> Vp8Descriptor:
    """Reads the descriptor at the head of a payload.

    Raises ValueError when it is truncated or when no VP8 data follows it.
    """
    size = len(payload)
    if size < 2:
        raise ValueError("VP8 descriptor truncated")
    first = payload[0]
    if first == 0x10:
        return _PLAIN_START
    if first == 0x00:
        return _PLAIN_REST
    frame_start = first & 0x17 == 0x10
    at = 1
    picture_id = tl0picidx = temporal_layer = keyidx = None
    picture_id_offset = picture_id_bits = tl0picidx_offset = tid_keyidx_offset = 0
    layer_sync = False
    if first & 0x80:
        extension = payload[1]
        at = 2
        # At most four octets follow; one check here, one below, keeps every index in bounds.
        if size < at + 1:
            raise ValueError("VP8 descriptor truncated")
        if extension & 0x80:
            picture_id_offset = at
            picture_id = payload[at]
            at += 1
            picture_id_bits = 7
            if picture_id & _LONG_PICTURE_ID:
                if at >= size:
                    raise ValueError("VP8 picture id truncated")
                picture_id = (picture_id & 0x7F) << 8 | payload[at]
                at += 1
                picture_id_bits = 15
        if extension & 0x40:
            if at >= size:
                raise ValueError("VP8 tl0picidx truncated")
            tl0picidx_offset = at
            tl0picidx = payload[at]
            at += 1
        if extension & 0x30:
            if at >= size:
                raise ValueError("VP8 tid/keyidx truncated")
            tid_keyidx_offset = at
            octet = payload[at]
            at += 1
            if extension & 0x20:
                temporal_layer = octet >> 6
                layer_sync = octet & 0x20 != 0
            if extension & 0x10:
                keyidx = octet & 0x1F
        if at >= size:
            raise ValueError("VP8 data missing")
    return _new_tuple(
        Vp8Descriptor,
        (
            at,
            frame_start,
            first & 0x20 != 0,
            picture_id,
            picture_id_offset,
            picture_id_bits,
            tl0picidx,
            tl0picidx_offset,
            temporal_layer,
            layer_sync,
            keyidx,
            tid_keyidx_offset,
        ),
    )


def vp8_facts(payload: bytes, descriptor: Vp8Descriptor) -> PayloadFacts:
    """The facts of a payload whose descriptor has been parsed (RFC 6386, section 9.1)."""
    temporal_layer = descriptor.temporal_layer or 0
    if not descriptor.frame_start:
        return _REST_FACTS[temporal_layer]
    at = descriptor.size
    if payload[at] & 1:
        return _START_FACTS[temporal_layer]
    if len(payload) >= at + 10 and payload[at + 3 : at + 6] == _START_CODE:
        width = (payload[at + 7] << 8 | payload[at + 6]) & 0x3FFF
        height = (payload[at + 9] << 8 | payload[at + 8]) & 0x3FFF
        return PayloadFacts(True, True, 0, temporal_layer, width, height)
    return PayloadFacts(True, True, 0, temporal_layer, None, None)


def inspect_vp8(payload: bytes) -> PayloadFacts:
    """The facts of a VP8 payload. Raises ValueError when its descriptor is damaged."""
    return vp8_facts(payload, parse_vp8_descriptor(payload))


def patch_vp8(
    payload: bytes, descriptor: Vp8Descriptor, picture_id: int | None, tl0picidx: int | None
) -> bytes:
    """The payload with other picture ids; fields that the descriptor lacks are not added, None leaves one as
    it is.

    `picture_id` is taken modulo 2^15 and `tl0picidx` modulo 2^8. The descriptor keeps its size, except that a
    7-bit picture id grows by one octet for a value over 127.
    """
    at = descriptor.picture_id_offset
    if (
        picture_id is not None
        and tl0picidx is not None
        and descriptor.picture_id_bits == 15
        and descriptor.tl0picidx_offset
    ):
        # What browsers send: both fields, side by side. Measured: 0.65 µs for 1,100 octets.
        ids = _pack_ids(0x8000 | picture_id & 0x7FFF, tl0picidx & 0xFF)
        return b"".join((payload[:at], ids, payload[at + 3 :]))
    head = bytearray(payload[: descriptor.size])
    at = descriptor.tl0picidx_offset
    if at and tl0picidx is not None:
        head[at] = tl0picidx & 0xFF
    at = descriptor.picture_id_offset
    if at and picture_id is not None:
        picture_id &= PICTURE_ID_SPAN - 1
        if descriptor.picture_id_bits == 15:
            head[at] = _LONG_PICTURE_ID | picture_id >> 8
            head[at + 1] = picture_id & 0xFF
        elif picture_id <= _LONGEST_SHORT_PICTURE_ID:
            head[at] = picture_id
        else:
            head[at : at + 1] = bytes((_LONG_PICTURE_ID | picture_id >> 8, picture_id & 0xFF))
    return b"".join((head, payload[descriptor.size :]))
