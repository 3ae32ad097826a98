"""Which codecs and header extensions the server forwards, and how two sides' format parameters match."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from mediaserver.rtp.extensions import HeaderExtension
from mediaserver.sdp.description import CodecDescription, ExtensionDescription, MediaDescription, SdpError

AUDIO_CODECS = ("opus", "red")
VIDEO_CODECS = ("vp8", "h264", "vp9", "av1")

OPUS_FMTP = "minptime=10;useinbandfec=1"
"""What we ask of Opus (RFC 7587): packets from 10 ms on, forward error correction inside."""
_OPUS_WISHES = ("stereo", "sprop-stereo", "usedtx", "maxaveragebitrate", "cbr")
"""Opus parameters in which the client's own word is echoed."""

_ECHOED_PARAMETERS = {
    "vp8": (),
    "h264": ("level-asymmetry-allowed", "packetization-mode", "profile-level-id"),
    "vp9": ("profile-id",),
    "av1": ("level-idx", "profile", "tier"),
}
"""Video parameters that identify the format. Others (`x-google-*`, `max-fs`) are wishes of one side."""

MAX_CONSIDERED_CODECS = 24
"""Forwarded formats of one section that are looked at, without retransmission; Chromium offers 10."""

CODEC_CACHE_ENTRIES = 64
"""Results remembered: clients of one build offer one list of codecs, in every section and every re-offer."""

_VP9_PROFILES = frozenset({"0", "2"})
_AV1_PROFILES = frozenset({"0"})

_H264_DEFAULT_PROFILE = "420010"
"""What a missing `profile-level-id` means to browsers; RFC 6184, section 8.1 says Baseline, level 1."""

_WRITTEN_NAMES = {"opus": "opus", "red": "red", "vp8": "VP8", "h264": "H264", "vp9": "VP9", "av1": "AV1"}
VIDEO_CLOCK_RATE = 90_000
AUDIO_CLOCK_RATE = 48_000


class H264Profile(StrEnum):
    """Profiles of RFC 6184, section 8.1 that browsers use."""

    CONSTRAINED_BASELINE = "constrained-baseline"
    BASELINE = "baseline"
    MAIN = "main"
    CONSTRAINED_HIGH = "constrained-high"
    HIGH = "high"


_H264_DECODABLE_BY = {
    H264Profile.CONSTRAINED_BASELINE: tuple(H264Profile),
    # Browsers never use what Baseline has over Constrained Baseline, though they announce both.
    H264Profile.BASELINE: (H264Profile.BASELINE, *H264Profile),
    H264Profile.MAIN: (H264Profile.MAIN, H264Profile.HIGH),
    H264Profile.CONSTRAINED_HIGH: (H264Profile.CONSTRAINED_HIGH, H264Profile.HIGH),
    H264Profile.HIGH: (H264Profile.HIGH,),
}
"""Profile of a stream -> profiles whose decoders play it, the closest first (ITU-T H.264, Annex A)."""

_H264_ORDER = tuple(H264Profile)
"""Of preferred H264 formats the one that most receivers play comes first, for it is the one that is sent."""


@dataclass(frozen=True, slots=True)
class NegotiatedCodec:
    """A codec both sides agreed on."""

    payload_type: int
    name: str
    """`opus`, `red`, `vp8`, `h264`, `vp9` or `av1`."""
    clock_rate: int
    """Hz."""
    channels: int = 1
    fmtp: str = ""
    """Format parameters as our side states them."""
    rtx_payload_type: int | None = None
    redundant_payload_type: int | None = None
    """For `red`: the payload type of the Opus inside (RFC 2198)."""
    nack: bool = False
    pli: bool = False
    fir: bool = False
    transport_cc: bool = False
    remb: bool = False

    @property
    def parameters(self) -> dict[str, str]:
        return parse_fmtp(self.fmtp)


_FEEDBACK = (
    ("goog-remb", "remb"),
    ("transport-cc", "transport_cc"),
    ("ccm fir", "fir"),
    ("nack", "nack"),
    ("nack pli", "pli"),
)


def parse_fmtp(fmtp: str) -> dict[str, str]:
    """`a=1;b` as {"a": "1", "b": ""}; names in lower case."""
    parameters = {}
    for item in fmtp.split(";"):
        name, _, value = item.partition("=")
        if name := name.strip().lower():
            parameters[name] = value.strip()
    return parameters


def normalise_name(codec: str) -> str:
    """`video/VP8` or `VP8` -> `vp8`."""
    return codec.rpartition("/")[2].strip().lower()


def h264_profile(parameters: dict[str, str]) -> H264Profile | None:
    """The profile in `profile-level-id`; None if it is damaged or one that is not forwarded."""
    value = parameters.get("profile-level-id", _H264_DEFAULT_PROFILE)
    if len(value) != 6:
        return None
    try:
        profile_idc, constraints = bytes.fromhex(value[:4])
    except ValueError:
        return None
    if profile_idc == 0x42:
        return H264Profile.CONSTRAINED_BASELINE if constraints & 0x40 else H264Profile.BASELINE
    if profile_idc == 0x4D:
        return H264Profile.CONSTRAINED_BASELINE if constraints & 0x80 else H264Profile.MAIN
    if profile_idc == 0x64:
        return H264Profile.CONSTRAINED_HIGH if constraints & 0x0C == 0x0C else H264Profile.HIGH
    return None


def accept_codecs(media: MediaDescription, preferred: Sequence[str] = ()) -> tuple[NegotiatedCodec, ...]:
    """The codecs of an offered section that we forward; preferred names first, else the offer's order.

    Empty if there is none.
    """
    names = tuple(dict.fromkeys(normalise_name(name) for name in preferred))
    return _accept(media.kind, media.codecs, tuple(name for name in names if name in _WRITTEN_NAMES))


@lru_cache(CODEC_CACHE_ENTRIES)
def _accept(
    kind: str, offered: tuple[CodecDescription, ...], preferred: tuple[str, ...]
) -> tuple[NegotiatedCodec, ...]:
    accepted = _accept_audio(offered) if kind == "audio" else _accept_video(offered)
    ranks = {name: index for index, name in enumerate(preferred)}

    def rank(codec: NegotiatedCodec) -> tuple[int, int]:
        if codec.name not in ranks:
            return len(ranks), 0
        profile = h264_profile(codec.parameters) if codec.name == "h264" else None
        return ranks[codec.name], 0 if profile is None else _H264_ORDER.index(profile)

    accepted.sort(key=rank)
    return tuple(accepted)


def _accept_audio(offered: Sequence[CodecDescription]) -> list[NegotiatedCodec]:
    accepted = []
    opus_payload_types = {
        codec.payload_type
        for codec in offered
        if codec.name.lower() == "opus" and codec.clock_rate == AUDIO_CLOCK_RATE and codec.channels == 2
    }
    for codec in offered:
        if codec.payload_type in opus_payload_types:
            parameters = parse_fmtp(codec.fmtp)
            wishes = [f"{name}={parameters[name]}" for name in _OPUS_WISHES if parameters.get(name)]
            accepted.append(
                NegotiatedCodec(
                    codec.payload_type,
                    "opus",
                    AUDIO_CLOCK_RATE,
                    2,
                    ";".join([OPUS_FMTP, *wishes]),
                    transport_cc="transport-cc" in codec.feedback,
                )
            )
        elif codec.name.lower() == "red" and codec.clock_rate == AUDIO_CLOCK_RATE:
            inside = _redundant_payload_type(codec.fmtp)
            if inside in opus_payload_types:
                accepted.append(
                    NegotiatedCodec(
                        codec.payload_type,
                        "red",
                        AUDIO_CLOCK_RATE,
                        codec.channels,
                        codec.fmtp,
                        redundant_payload_type=inside,
                        transport_cc="transport-cc" in codec.feedback,
                    )
                )
    return accepted


def _redundant_payload_type(fmtp: str) -> int | None:
    """`111/111` -> 111; None if the blocks are not all of one payload type (RFC 2198, section 5)."""
    blocks = {block.strip() for block in fmtp.split("/")}
    block = blocks.pop()
    if blocks or len(block) > 3 or not (block.isascii() and block.isdigit()):
        return None
    return int(block)


def _accept_video(offered: Sequence[CodecDescription]) -> list[NegotiatedCodec]:
    repairs: dict[int, int] = {}
    candidates: list[tuple[CodecDescription, str, dict[str, str]]] = []
    for codec in offered:
        name = codec.name.lower()
        if codec.clock_rate != VIDEO_CLOCK_RATE:
            continue
        if name == "rtx":
            repaired = parse_fmtp(codec.fmtp).get("apt", "")
            if repaired.isascii() and repaired.isdigit() and len(repaired) <= 3:
                repairs.setdefault(int(repaired), codec.payload_type)
        elif name in _ECHOED_PARAMETERS and len(candidates) < MAX_CONSIDERED_CODECS:
            parameters = parse_fmtp(codec.fmtp)
            if _profile_accepted(name, parameters):
                candidates.append((codec, name, parameters))
    # Packetization mode 0 (no fragments, RFC 6184) only for a client that has nothing better.
    has_mode_1 = any(
        name == "h264" and parameters.get("packetization-mode") == "1" for _, name, parameters in candidates
    )
    accepted = []
    for codec, name, parameters in candidates:
        if name == "h264" and has_mode_1 and parameters.get("packetization-mode") != "1":
            continue
        fmtp = ";".join([f"{key}={parameters[key]}" for key in _ECHOED_PARAMETERS[name] if key in parameters])
        accepted.append(
            NegotiatedCodec(
                codec.payload_type,
                name,
                VIDEO_CLOCK_RATE,
                1,
                fmtp,
                rtx_payload_type=repairs.get(codec.payload_type),
                nack="nack" in codec.feedback,
                pli="nack pli" in codec.feedback,
                fir="ccm fir" in codec.feedback,
                transport_cc="transport-cc" in codec.feedback,
                remb="goog-remb" in codec.feedback,
            )
        )
    return accepted


def _profile_accepted(name: str, parameters: dict[str, str]) -> bool:
    if name == "h264":
        mode = parameters.get("packetization-mode", "0")
        return mode in ("0", "1") and h264_profile(parameters) is not None
    if name == "vp9":
        return parameters.get("profile-id", "0") in _VP9_PROFILES
    if name == "av1":
        return parameters.get("profile", "0") in _AV1_PROFILES
    return True


@lru_cache(CODEC_CACHE_ENTRIES)
def describe_codecs(codecs: tuple[NegotiatedCodec, ...]) -> tuple[CodecDescription, ...]:
    """The payload types of a section of ours, each codec followed by its retransmission format."""
    described = []
    for codec in codecs:
        feedback = tuple(text for text, attribute in _FEEDBACK if getattr(codec, attribute))
        described.append(
            CodecDescription(
                codec.payload_type,
                _WRITTEN_NAMES[codec.name],
                codec.clock_rate,
                codec.channels,
                codec.fmtp,
                feedback,
            )
        )
        if codec.rtx_payload_type is not None:
            described.append(
                CodecDescription(
                    codec.rtx_payload_type, "rtx", codec.clock_rate, fmtp=f"apt={codec.payload_type}"
                )
            )
    return tuple(described)


def best_match(codecs: Iterable[NegotiatedCodec], name: str, fmtp_hint: str = "") -> NegotiatedCodec | None:
    """Of `codecs`, the one under which a stream of this codec and format can be forwarded.

    Without a hint the first of that name. H264 prefers the same profile, then any whose decoders play the
    stream; a stream of packetization mode 1 is never sent as mode 0.
    """
    name = normalise_name(name)
    same = [codec for codec in codecs if codec.name == name]
    if not same or not fmtp_hint or name in ("opus", "red", "vp8"):
        return same[0] if same else None
    hint = parse_fmtp(fmtp_hint)
    if name == "h264":
        return _best_h264(same, hint)
    key = "profile-id" if name == "vp9" else "profile"
    for codec in same:
        if codec.parameters.get(key, "0") == hint.get(key, "0"):
            return codec
    return None


def _best_h264(codecs: Sequence[NegotiatedCodec], hint: dict[str, str]) -> NegotiatedCodec | None:
    profile = h264_profile(hint)
    if profile is None:
        return None
    mode = hint.get("packetization-mode", "0")
    decoders = _H264_DECODABLE_BY[profile]
    best: tuple[tuple[int, int], NegotiatedCodec] | None = None
    for codec in codecs:
        parameters = codec.parameters
        own_profile = h264_profile(parameters)
        own_mode = parameters.get("packetization-mode", "0")
        if own_profile not in decoders or mode > own_mode:
            continue
        rank = (decoders.index(own_profile), int(own_mode != mode))
        if best is None or rank < best[0]:
            best = (rank, codec)
    return None if best is None else best[1]


@dataclass(frozen=True, slots=True)
class _OfferedCodec:
    payload_type: int
    rtx_payload_type: int | None
    name: str
    fmtp: str = ""


OFFERED_CODECS = (
    _OfferedCodec(111, None, "opus", OPUS_FMTP),
    _OfferedCodec(63, None, "red", "111/111"),
    _OfferedCodec(96, 97, "vp8"),
    _OfferedCodec(102, 103, "h264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"),
    _OfferedCodec(108, 109, "h264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
    _OfferedCodec(116, 117, "h264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"),
    _OfferedCodec(112, 113, "h264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f"),
    _OfferedCodec(98, 99, "vp9", "profile-id=0"),
    _OfferedCodec(100, 101, "vp9", "profile-id=2"),
    _OfferedCodec(45, 46, "av1", "level-idx=5;profile=0;tier=0"),
)
"""Payload types of our own offers: constant, so that a section keeps its numbers over re-offers. They follow
Chromium's where it has one and avoid 64 to 95, which RTCP multiplexing takes (RFC 5761, section 4)."""

OFFERED_EXTENSIONS = {
    1: HeaderExtension.AUDIO_LEVEL,
    2: HeaderExtension.ABS_SEND_TIME,
    3: HeaderExtension.TRANSPORT_SEQUENCE,
    4: HeaderExtension.MID,
    5: HeaderExtension.PLAYOUT_DELAY,
    12: HeaderExtension.DEPENDENCY_DESCRIPTOR,
    13: HeaderExtension.VIDEO_ORIENTATION,
}
"""Header extension identifiers of our own offers, constant for the same reason. Rids are a publisher's."""

_ONE_KIND_ONLY = {
    HeaderExtension.AUDIO_LEVEL: "audio",
    HeaderExtension.PLAYOUT_DELAY: "video",
    HeaderExtension.DEPENDENCY_DESCRIPTOR: "video",
    HeaderExtension.VIDEO_ORIENTATION: "video",
}

_EXTENSIONS_BY_URI = {extension.value: extension for extension in HeaderExtension}
_MAX_EXTENSION_ID = 255
_RESERVED_EXTENSION_ID = 15
"""RFC 8285, section 4.2: stops the parsing of the one-byte form."""


def accept_extensions(media: MediaDescription) -> dict[int, HeaderExtension]:
    """The header extensions of a section that we understand; of a repeated one the first."""
    accepted: dict[int, HeaderExtension] = {}
    for described in media.extensions:
        extension = _EXTENSIONS_BY_URI.get(described.uri)
        if (
            extension is not None
            and described.id <= _MAX_EXTENSION_ID
            and described.id != _RESERVED_EXTENSION_ID
            and extension not in accepted.values()
        ):
            accepted[described.id] = extension
    return accepted


def offered_extensions(kind: str) -> tuple[ExtensionDescription, ...]:
    """Our own offer's header extensions for a section of this kind."""
    return tuple(
        ExtensionDescription(identifier, extension.value)
        for identifier, extension in OFFERED_EXTENSIONS.items()
        if _ONE_KIND_ONLY.get(extension, kind) == kind
    )


def offered_codecs(kind: str, names: Sequence[str], *, stereo: bool = False) -> tuple[NegotiatedCodec, ...]:
    """Our own offer's codecs: those named, in that order; all of the kind if none is named.

    Offering `red` always offers `opus` too, which its packets contain. Raises SdpError for a name that is not
    forwarded in a section of this kind.
    """
    known = AUDIO_CODECS if kind == "audio" else VIDEO_CODECS
    wanted = list(dict.fromkeys(normalise_name(name) for name in names)) or list(known)
    for name in wanted:
        if name not in known:
            raise SdpError(f"{name!r} is not a codec of a section of kind {kind!r}")
    if "red" in wanted and "opus" not in wanted:
        wanted.append("opus")
    result = []
    for name in wanted:
        for codec in OFFERED_CODECS:
            if codec.name == name:
                result.append(_offered(codec, stereo=stereo))
    return tuple(result)


def _offered(codec: _OfferedCodec, *, stereo: bool) -> NegotiatedCodec:
    if codec.name in AUDIO_CODECS:
        # The JS SDK decodes stereo only if the sender says that it sends it.
        fmtp = codec.fmtp + (";sprop-stereo=1" if stereo and codec.name == "opus" else "")
        inside = 111 if codec.name == "red" else None
        return NegotiatedCodec(
            codec.payload_type,
            codec.name,
            AUDIO_CLOCK_RATE,
            2,
            fmtp,
            redundant_payload_type=inside,
            transport_cc=codec.name == "opus",
        )
    return NegotiatedCodec(
        codec.payload_type,
        codec.name,
        VIDEO_CLOCK_RATE,
        1,
        codec.fmtp,
        rtx_payload_type=codec.rtx_payload_type,
        nack=True,
        pli=True,
        fir=True,
        transport_cc=True,
        remb=True,
    )
