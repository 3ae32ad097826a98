"""One answer for all codecs: is this the start of a key frame, which layer is it, how large is the
picture?"""

from typing import NamedTuple


class PayloadFacts(NamedTuple):
    """What one packet's payload says about itself."""

    keyframe: bool
    """Whether the packet begins a key frame, so that a decoder can start here."""
    frame_start: bool
    """Whether the packet begins a frame (with spatial layers: a layer's frame). H264 packets that carry
    parameter sets say so too, hence it may be said twice within a frame; a change of timestamp is the
    stronger sign."""
    spatial_layer: int
    """0 is the base layer, also when the codec or packet does not say."""
    temporal_layer: int
    """0 is the base layer, also when the codec or packet does not say."""
    width: int | None
    """Of the largest picture that the packet announces; None when it announces none."""
    height: int | None


NO_FACTS = PayloadFacts(False, False, 0, 0, None, None)
"""For damaged payloads, encrypted ones and codecs not known here."""

AUDIO_FACTS = PayloadFacts(False, True, 0, 0, None, None)
"""Every audio packet is a frame of its own; key frames are a matter of video."""
