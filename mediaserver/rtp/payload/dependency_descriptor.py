"""The dependency descriptor header extension (RTP Payload Format For AV1, appendix A).

A key frame's first packet carries the template structure; later frames only name one of its templates. A
reader therefore keeps the structure that it saw last and hands it to the next call.
"""

from enum import IntEnum
from typing import NamedTuple

from mediaserver.rtp.bits import BitReader

MANDATORY_BYTES = 3
"""A descriptor of this size has no extended fields (A.8.1)."""

MAX_DESCRIPTOR_BYTES = 255
"""The longest value of a two-byte header extension."""

MAX_TEMPLATES = 64
MAX_SPATIAL_ID = 3
MAX_TEMPORAL_ID = 7


class DecodeTargetIndication(IntEnum):
    """What a frame is to one decode target (A.8.3)."""

    NOT_PRESENT = 0
    DISCARDABLE = 1
    SWITCH = 2
    REQUIRED = 3


class FrameTemplate(NamedTuple):
    """One template: what the frames that name it have in common."""

    spatial_layer: int
    temporal_layer: int
    indications: tuple[int, ...]
    """A `DecodeTargetIndication` for each decode target."""


class TemplateStructure(NamedTuple):
    """The template dependency structure of a coded video sequence (A.8.2)."""

    template_id_offset: int
    templates: tuple[FrameTemplate, ...]
    decode_targets: tuple[tuple[int, int], ...]
    """The highest (spatial layer, temporal layer) of each decode target."""
    chain_count: int
    resolutions: tuple[tuple[int, int], ...]
    """(width, height) of each spatial layer; empty if not stated."""

    def template(self, template_id: int) -> FrameTemplate | None:
        """The template that a descriptor names; None if this structure does not have it."""
        index = (template_id - self.template_id_offset) % MAX_TEMPLATES
        return self.templates[index] if index < len(self.templates) else None


class DependencyDescriptor(NamedTuple):
    """One packet's descriptor."""

    start_of_frame: bool
    end_of_frame: bool
    template_id: int
    frame_number: int
    """16 bits, the same in all packets of a frame."""
    structure: TemplateStructure | None
    """The structure that this packet itself carries: it begins a new coded video sequence."""
    active_decode_targets: int | None
    """Bit mask (bit 0 is target 0) if this packet changes it."""
    template: FrameTemplate | None
    """The frame's template, with custom indications in place; None if its structure is unknown."""


def parse_dependency_descriptor(
    value: bytes, structure: TemplateStructure | None = None
) -> DependencyDescriptor:
    """Reads an extension value; `structure` is the one last seen on the stream, if any.

    Raises ValueError when a field is truncated or out of range, or when the frame names a template that its
    structure does not have.
    """
    size = len(value)
    if not MANDATORY_BYTES <= size <= MAX_DESCRIPTOR_BYTES:
        raise ValueError("dependency descriptor length out of range")
    first = value[0]
    carried = None
    active = None
    custom_indications = False
    bits = None
    if size > MANDATORY_BYTES:
        bits = BitReader(value[MANDATORY_BYTES:], "dependency descriptor")
        flags = bits.read(5)
        custom_indications = flags & 0x04 != 0
        if flags & 0x10:
            structure = carried = _parse_structure(bits)
            active = (1 << len(carried.decode_targets)) - 1
        if flags & 0x08:
            if structure is None:
                # Sent again on later frames; without the structure the mask's width is unknown.
                return _descriptor(value, first, None, None, None)
            active = bits.read(len(structure.decode_targets))
    if structure is None:
        return _descriptor(value, first, None, None, None)
    template = structure.template(first & 0x3F)
    if template is None:
        raise ValueError("dependency descriptor: template unknown")
    if custom_indications and bits is not None:
        targets = len(structure.decode_targets)
        template = template._replace(indications=tuple(bits.read(2) for _ in range(targets)))
    # Custom frame differences and chains follow; nothing here needs them.
    return _descriptor(value, first, carried, active, template)


def _descriptor(
    value: bytes,
    first: int,
    structure: TemplateStructure | None,
    active: int | None,
    template: FrameTemplate | None,
) -> DependencyDescriptor:
    return DependencyDescriptor(
        first & 0x80 != 0,
        first & 0x40 != 0,
        first & 0x3F,
        value[1] << 8 | value[2],
        structure,
        active,
        template,
    )


def _parse_structure(bits: BitReader) -> TemplateStructure:
    template_id_offset = bits.read(6)
    target_count = bits.read(5) + 1
    layers = _parse_layers(bits)
    indications = [tuple(bits.read(2) for _ in range(target_count)) for _ in layers]
    for _ in layers:
        while bits.flag():  # fdiff_follows_flag; ends with the descriptor's bits at the latest
            bits.skip(4)
    chain_count = bits.read_non_symmetric(target_count + 1)
    if chain_count:
        for _ in range(target_count):
            bits.read_non_symmetric(chain_count)  # decode_target_protected_by
        bits.skip(4 * chain_count * len(layers))  # template_chain_fdiff
    resolutions: list[tuple[int, int]] = []
    if bits.flag():
        for _ in range(max(spatial for spatial, _ in layers) + 1):
            width = bits.read(16) + 1
            resolutions.append((width, bits.read(16) + 1))
    templates = tuple(
        FrameTemplate(spatial, temporal, indication)
        for (spatial, temporal), indication in zip(layers, indications, strict=True)
    )
    targets = []
    for target in range(target_count):
        present = [template for template in templates if template.indications[target]]
        spatial = max((template.spatial_layer for template in present), default=0)
        targets.append((spatial, max((template.temporal_layer for template in present), default=0)))
    return TemplateStructure(template_id_offset, templates, tuple(targets), chain_count, tuple(resolutions))


def _parse_layers(bits: BitReader) -> list[tuple[int, int]]:
    """(spatial, temporal) of each template: template_layers() of A.8.2."""
    layers: list[tuple[int, int]] = []
    spatial = temporal = 0
    while len(layers) < MAX_TEMPLATES:
        layers.append((spatial, temporal))
        following = bits.read(2)
        if following == 3:
            return layers
        if following == 1:
            temporal += 1
        elif following == 2:
            spatial += 1
            temporal = 0
        if spatial > MAX_SPATIAL_ID or temporal > MAX_TEMPORAL_ID:
            raise ValueError("dependency descriptor: layer out of range")
    raise ValueError("dependency descriptor: too many templates")
