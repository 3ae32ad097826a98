"""Payload facts for whatever codec a stream has been negotiated with."""

from collections.abc import Callable

from mediaserver.rtp.payload.av1 import facts_of_descriptor, inspect_av1
from mediaserver.rtp.payload.dependency_descriptor import TemplateStructure, parse_dependency_descriptor
from mediaserver.rtp.payload.facts import AUDIO_FACTS, NO_FACTS, PayloadFacts
from mediaserver.rtp.payload.h264 import inspect_h264
from mediaserver.rtp.payload.vp8 import inspect_vp8
from mediaserver.rtp.payload.vp9 import inspect_vp9


def _inspect_audio(payload: bytes) -> PayloadFacts:
    return AUDIO_FACTS


_INSPECTORS: dict[str, Callable[[bytes], PayloadFacts]] = {
    "VP8": inspect_vp8,
    "VP9": inspect_vp9,
    "H264": inspect_h264,
    "AV1": inspect_av1,
    "OPUS": _inspect_audio,
    "RED": _inspect_audio,
}


def _inspect_unknown(payload: bytes) -> PayloadFacts:
    return NO_FACTS


def _find(codec: str) -> Callable[[bytes], PayloadFacts]:
    return _INSPECTORS.get(codec.rpartition("/")[2].upper(), _inspect_unknown)


def inspect_payload(codec: str, payload: bytes, dependency_descriptor: bytes | None = None) -> PayloadFacts:
    """The facts of one payload; `codec` is an encoding name such as "VP8" or "video/vp8".

    Never raises: a damaged payload gives `NO_FACTS`. This function has no memory; a stream's
    `PayloadInspector` also knows the layers that a dependency descriptor tells after the key frame.
    """
    return PayloadInspector(codec).inspect(payload, dependency_descriptor)


class PayloadInspector:
    """Inspects the payloads of one stream, remembering its dependency descriptor's templates."""

    __slots__ = ("_inspect", "_is_av1", "_lacks_layers", "structure")

    def __init__(self, codec: str) -> None:
        self._inspect = _find(codec)
        self._is_av1 = self._inspect is inspect_av1
        self._lacks_layers = self._inspect in (inspect_vp8, inspect_h264)
        self.structure: TemplateStructure | None = None
        """The template structure seen last; None before the first."""

    def inspect(self, payload: bytes, dependency_descriptor: bytes | None = None) -> PayloadFacts:
        """The facts of the stream's next payload. Never raises.

        A dependency descriptor decides for AV1: it is there even when the payload is encrypted, and in
        packets that continue an OBU. For VP8 and H264 it tells the layers, which their payloads then keep
        silent about: libwebrtc leaves them out of VP8's own descriptor once this one is negotiated. VP9's
        payload says the same itself.
        """
        by_descriptor = None
        if dependency_descriptor is not None:
            by_descriptor = self._facts_of_descriptor(dependency_descriptor)
            if by_descriptor is not None and self._is_av1:
                return by_descriptor
        try:
            facts = self._inspect(payload)
        except ValueError:
            return NO_FACTS
        if by_descriptor is not None and self._lacks_layers and facts.temporal_layer == 0:
            return facts._replace(
                spatial_layer=by_descriptor.spatial_layer, temporal_layer=by_descriptor.temporal_layer
            )
        return facts

    def _facts_of_descriptor(self, value: bytes) -> PayloadFacts | None:
        try:
            descriptor = parse_dependency_descriptor(value, self.structure)
        except ValueError:
            return None  # the payload may still tell
        if descriptor.structure is not None:
            self.structure = descriptor.structure
        return facts_of_descriptor(descriptor)
