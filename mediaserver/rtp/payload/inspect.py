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
    `PayloadInspector` also knows the layers of AV1 frames after the key frame.
    """
    return PayloadInspector(codec).inspect(payload, dependency_descriptor)


class PayloadInspector:
    """Inspects the payloads of one stream, remembering its dependency descriptor's templates."""

    __slots__ = ("_inspect", "_is_av1", "structure")

    def __init__(self, codec: str) -> None:
        self._inspect = _find(codec)
        self._is_av1 = self._inspect is inspect_av1
        self.structure: TemplateStructure | None = None
        """The template structure seen last; None before the first."""

    def inspect(self, payload: bytes, dependency_descriptor: bytes | None = None) -> PayloadFacts:
        """The facts of the stream's next payload.

        For AV1 the dependency descriptor, if there is one, decides: it is there even when the payload is
        encrypted. The other codecs say the same in their own descriptors. Never raises.
        """
        if dependency_descriptor is not None and self._is_av1:
            try:
                descriptor = parse_dependency_descriptor(dependency_descriptor, self.structure)
            except ValueError:
                pass  # the payload may still tell
            else:
                if descriptor.structure is not None:
                    self.structure = descriptor.structure
                return facts_of_descriptor(descriptor)
        try:
            return self._inspect(payload)
        except ValueError:
            return NO_FACTS
