"""VP9's payload descriptor (RFC 9628, section 4.2)."""

from typing import NamedTuple

from mediaserver.rtp.payload.facts import PayloadFacts

MAX_REFERENCES = 3
"""P_DIFF fields that a flexible-mode descriptor may have (RFC 9628, section 4.2)."""


class Vp9ScalabilityStructure(NamedTuple):
    """The SS data, sent with key frames (RFC 9628, section 4.2.1)."""

    spatial_layers: int
    """1 to 8."""
    resolutions: tuple[tuple[int, int], ...]
    """(width, height) of each spatial layer, lowest first; empty if not stated."""


class Vp9Descriptor(NamedTuple):
    """The descriptor's fields."""

    size: int
    """Octets of the descriptor: where the VP9 data begins."""
    picture_id: int | None
    picture_id_bits: int
    """7 or 15; 0 if absent."""
    inter_picture_predicted: bool
    """P bit: the frame depends on earlier pictures."""
    flexible: bool
    frame_start: bool
    """B bit: the packet begins a layer's frame."""
    frame_end: bool
    """E bit: the packet ends a layer's frame. The marker belongs on the last kept layer's end."""
    not_reference_for_upper: bool
    """Z bit: no higher spatial layer depends on this frame."""
    temporal_layer: int
    switching_up: bool
    """U bit: a receiver may move up to this temporal layer here."""
    spatial_layer: int
    inter_layer_predicted: bool
    """D bit: the frame depends on the spatial layer below, of the same picture."""
    tl0picidx: int | None
    structure: Vp9ScalabilityStructure | None

    @property
    def keyframe(self) -> bool:
        """Whether the packet begins a frame that depends on no other."""
        return self.frame_start and not self.inter_picture_predicted and not self.inter_layer_predicted


_new_tuple = tuple.__new__
"""Half the price of calling the NamedTuple."""


def parse_vp9_descriptor(payload: bytes) -> Vp9Descriptor:
    """Reads the descriptor at the head of a payload.

    Raises ValueError when it is truncated, lists too many references, or when no VP9 data follows it.
    """
    try:
        return _parse(payload)
    except IndexError:
        raise ValueError("VP9 descriptor truncated") from None


def _parse(payload: bytes) -> Vp9Descriptor:
    """Indexes only upwards from 0, so that a truncated descriptor ends in IndexError and nothing else."""
    first = payload[0]
    at = 1
    picture_id = tl0picidx = None
    picture_id_bits = temporal_layer = spatial_layer = 0
    switching_up = inter_layer_predicted = False
    structure = None
    if first & 0x80:  # I
        picture_id = payload[at]
        at += 1
        picture_id_bits = 7
        if picture_id & 0x80:
            picture_id = (picture_id & 0x7F) << 8 | payload[at]
            at += 1
            picture_id_bits = 15
    if first & 0x20:  # L
        octet = payload[at]
        at += 1
        temporal_layer = octet >> 5
        switching_up = octet & 0x10 != 0
        spatial_layer = octet >> 1 & 7
        inter_layer_predicted = octet & 1 != 0
        if not first & 0x10:
            tl0picidx = payload[at]
            at += 1
    if first & 0x50 == 0x50:  # F and P
        for index in range(MAX_REFERENCES + 1):
            if index == MAX_REFERENCES:
                raise ValueError("VP9 descriptor: too many references")
            octet = payload[at]
            at += 1
            if not octet & 1:
                break
    if first & 0x02:  # V
        octet = payload[at]
        at += 1
        layers = (octet >> 5) + 1
        resolutions = []
        if octet & 0x10:
            for _ in range(layers):
                height_low = payload[at + 3]
                width = payload[at] << 8 | payload[at + 1]
                resolutions.append((width, payload[at + 2] << 8 | height_low))
                at += 4
        if octet & 0x08:
            pictures = payload[at]
            at += 1
            for _ in range(pictures):
                at += 1 + (payload[at] >> 2 & 3)
        structure = Vp9ScalabilityStructure(layers, tuple(resolutions))
    if at >= len(payload):
        raise ValueError("VP9 data missing")
    return _new_tuple(
        Vp9Descriptor,
        (
            at,
            picture_id,
            picture_id_bits,
            first & 0x40 != 0,
            first & 0x10 != 0,
            first & 0x08 != 0,
            first & 0x04 != 0,
            first & 0x01 != 0,
            temporal_layer,
            switching_up,
            spatial_layer,
            inter_layer_predicted,
            tl0picidx,
            structure,
        ),
    )


def vp9_facts(descriptor: Vp9Descriptor) -> PayloadFacts:
    """The facts of a payload whose descriptor has been parsed."""
    width = height = None
    structure = descriptor.structure
    if structure is not None and structure.resolutions:
        width, height = max(structure.resolutions)
    return PayloadFacts(
        descriptor.keyframe,
        descriptor.frame_start,
        descriptor.spatial_layer,
        descriptor.temporal_layer,
        width,
        height,
    )


def inspect_vp9(payload: bytes) -> PayloadFacts:
    """The facts of a VP9 payload. Raises ValueError when its descriptor is damaged."""
    return vp9_facts(parse_vp9_descriptor(payload))
