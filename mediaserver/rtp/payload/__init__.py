"""What can be known of a payload without decoding it: key frame, layers, size; and the rewriting that VP8
needs."""

from mediaserver.rtp.payload.facts import AUDIO_FACTS, NO_FACTS, PayloadFacts
from mediaserver.rtp.payload.inspect import PayloadInspector, inspect_payload

__all__ = ["AUDIO_FACTS", "NO_FACTS", "PayloadFacts", "PayloadInspector", "inspect_payload"]
