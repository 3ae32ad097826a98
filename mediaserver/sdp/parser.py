"""Text to `SessionDescription` in linear time, refusing whatever exceeds the limits below.

The text comes from any participant, so every list is bounded and every number checked; a breach raises
`SdpError` naming the line. Unknown attributes are skipped (RFC 8866, section 5.13). Where a line states a
single value, the last one counts.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NoReturn

from mediaserver.sdp.description import (
    DEFAULT_ADDRESS,
    Candidate,
    CodecDescription,
    Direction,
    ExtensionDescription,
    Fingerprint,
    MediaDescription,
    Msid,
    Origin,
    RidDescription,
    SdpError,
    SessionDescription,
    SimulcastDescription,
    SimulcastStream,
    SsrcDescription,
    SsrcGroup,
)

MAX_SDP_BYTES = 64 * 1024
"""Longest description. The longest recorded join offer is 22 kB (tests/data/sdp)."""
MAX_LINES = 2560
"""Lines of a description; bounds the parse to a few milliseconds. The longest recorded offer has 735, and one
of 64 KiB would have about 2,500."""
MAX_MEDIA_SECTIONS = 32
MAX_CODECS = 64
"""Payload types of one section; Chromium lists up to 34."""
MAX_FORMATS = 8
"""Formats of a section that is not RTP."""
MAX_EXTENSIONS = 32
"""`a=extmap` lines of one section; Chromium lists up to 13."""
MAX_FEEDBACK = 16
"""`a=rtcp-fb` lines of one payload type."""
MAX_SSRCS = 32
MAX_SSRC_GROUPS = 32
MAX_SSRCS_PER_GROUP = 16
MAX_CANDIDATES = 32
"""Candidates of one section that are kept; later ones are skipped, not refused: an ICE-lite agent uses none,
and the native SDK repeats its TCP candidates (16 of them in tests/data/sdp)."""
MAX_RIDS = 16
MAX_RID_PARAMETERS = 16
MAX_RID_LENGTH = 16
"""libwebrtc's limit for a rid in a header extension."""
MAX_SIMULCAST_ALTERNATIVES = 4
MAX_MSIDS = 16
MAX_FINGERPRINTS = 8
MAX_BANDWIDTHS = 8
MAX_ICE_OPTIONS = 8
MAX_MID_LENGTH = 32
MAX_FMTP_LINES = 8
"""`a=fmtp` lines of one payload type; Chromium with the JS SDK writes two."""
MAX_FMTP_LENGTH = 2048
"""Characters of one `a=fmtp` line's parameters."""
MAX_EXTENSION_ID = 4351
"""RFC 8285, section 6: 4096 to 4351 stand for "to be chosen by the answerer"."""
SHA256_HEX_LENGTH = 32 * 3 - 1

CODEC_CACHE_ENTRIES = 64
"""Codec lists remembered: a client repeats one list in every section, and clients of one build share it."""
CODEC_CACHE_BYTES = 8 * 1024
"""Longest codec list remembered, which bounds the memory a hostile client can take; Chromium's has 5.3 kB."""

_MAX_U16 = 0xFFFF
_MAX_U32 = 0xFFFFFFFF
_MAX_U64 = 0xFFFFFFFFFFFFFFFF

_TOKEN = re.compile(r"[!#-'*+\-.0-9A-Z^_`a-z{|}~]{1,64}")
"""RFC 8866, section 9, `token`."""
_PAYLOAD_TYPE = re.compile(r"0|[1-9][0-9]?|1[01][0-9]|12[0-7]")
_ICE_UFRAG = re.compile(r"[!-9;-~]{4,256}")
_ICE_PASSWORD = re.compile(r"[!-9;-~]{22,256}")
_HEX_PAIRS = re.compile(r"[0-9A-F]{2}(?::[0-9A-F]{2}){0,63}")
_RID = re.compile(r"[0-9A-Za-z_-]{1,16}")
_SETUPS = frozenset({"actpass", "active", "passive", "holdconn"})
_DIRECTIONS = {direction.value: direction for direction in Direction}


def parse_sdp(text: str) -> SessionDescription:
    """Parse an offer or answer with CRLF or LF line ends.

    Raises SdpError naming the line and the field.
    """
    if len(text) > MAX_SDP_BYTES or (
        not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > MAX_SDP_BYTES
    ):
        raise SdpError(f"the description is longer than {MAX_SDP_BYTES} bytes")
    if text.count("\n") > MAX_LINES:
        raise SdpError(f"the description has more than {MAX_LINES} lines")
    session = _Session()
    lines = text.replace("\r\n", "\n").split("\n")
    number, line = 0, ""
    try:
        for number, line in enumerate(lines, 1):  # noqa: B007 - named in the error
            if line.startswith(_CODEC_LINES):
                # Two thirds of a join offer: only collected, and parsed once per client build.
                session.codec_lines.append(line)
            elif line:
                session.feed(line)
    except SdpError as error:
        raise SdpError(error.reason, number, line) from None
    return session.finish()


def parse_candidate(text: str) -> Candidate:
    """Parse one candidate as trickled: `candidate:...`, with or without `a=` before it.

    Raises SdpError naming the field.
    """
    if len(text) > MAX_SDP_BYTES or not text.isprintable():
        raise SdpError("candidate: too long or with control characters")
    value = text.strip().removeprefix("a=")
    if not value.startswith("candidate:"):
        raise SdpError("candidate: does not begin with 'candidate:'")
    return _candidate(value.removeprefix("candidate:"))


def _fail(reason: str) -> NoReturn:
    raise SdpError(reason)


def _integer(text: str, field: str, low: int, high: int) -> int:
    # isdigit alone admits digits of other scripts; the length check keeps int() cheap.
    if len(text) > 20 or not (text.isascii() and text.isdigit()):
        _fail(f"{field}: {text[:24]!r} is not a number from {low} to {high}")
    number = int(text)
    if not low <= number <= high:
        _fail(f"{field}: {number} is not a number from {low} to {high}")
    return number


def _bounded(count: int, limit: int, what: str) -> None:
    if count >= limit:
        _fail(f"more than {limit} {what}")


class _Codec:
    """A payload type while its lines are being read."""

    __slots__ = ("channels", "clock_rate", "feedback", "fmtp", "name")

    def __init__(self) -> None:
        self.name = ""
        self.clock_rate = 0
        self.channels = 1
        self.fmtp: list[str] = []
        self.feedback: list[str] = []


class _Section:
    """A media section, or the session level with the attributes sections inherit, while being collected."""

    __slots__ = (
        "address",
        "bandwidth",
        "bundle_only",
        "candidates",
        "codec_lines",
        "direction",
        "end_of_candidates",
        "extensions",
        "extmap_allow_mixed",
        "fingerprints",
        "formats",
        "ice_options",
        "ice_password",
        "ice_ufrag",
        "kind",
        "max_message_size",
        "mid",
        "msids",
        "port",
        "protocol",
        "rids",
        "rtcp_mux",
        "rtcp_rsize",
        "sctp_port",
        "setup",
        "simulcast",
        "ssrc_groups",
        "ssrcs",
    )

    def __init__(self, kind: str, port: int, protocol: str) -> None:
        self.kind = kind
        self.port = port
        self.protocol = protocol
        self.formats: tuple[str, ...] = ()
        self.codec_lines: list[str] = []
        self.mid = ""
        self.address: str | None = None
        self.direction: Direction | None = None
        self.extensions: dict[int, ExtensionDescription] = {}
        self.extmap_allow_mixed = False
        self.bundle_only = False
        self.ice_ufrag: str | None = None
        self.ice_password: str | None = None
        self.ice_options: tuple[str, ...] = ()
        self.fingerprints: dict[Fingerprint, None] = {}
        self.setup: str | None = None
        self.candidates: list[Candidate] = []
        self.end_of_candidates = False
        self.msids: dict[Msid, None] = {}
        self.ssrcs: dict[int, tuple[str | None, str | None]] = {}
        self.ssrc_groups: dict[SsrcGroup, None] = {}
        self.rids: dict[str, RidDescription] = {}
        self.simulcast: SimulcastDescription | None = None
        self.rtcp_mux = False
        self.rtcp_rsize = False
        self.sctp_port: int | None = None
        self.max_message_size: int | None = None
        self.bandwidth: list[tuple[str, int]] = []

    def finish(self, session: "_Section") -> MediaDescription:
        """The section with what it inherits from the session level."""
        extensions = self.extensions
        if session.extensions:
            uris = {extension.uri for extension in extensions.values()}
            inherited = [
                extension
                for extension in session.extensions.values()
                if extension.id not in extensions and extension.uri not in uris
            ]
            if len(extensions) + len(inherited) > MAX_EXTENSIONS:
                _fail(f"section {self.mid!r}: more than {MAX_EXTENSIONS} header extensions")
            extensions = extensions | {extension.id: extension for extension in inherited}
        return MediaDescription(
            kind=self.kind,
            mid=self.mid,
            port=self.port,
            protocol=self.protocol,
            address=self.address or session.address or DEFAULT_ADDRESS,
            direction=self.direction or session.direction or Direction.SENDRECV,
            formats=() if self.is_rtp else self.formats,
            codecs=self._finish_codecs() if self.is_rtp else (),
            extensions=tuple(extensions.values()),
            extmap_allow_mixed=self.extmap_allow_mixed,
            bundle_only=self.bundle_only,
            ice_ufrag=self.ice_ufrag or session.ice_ufrag,
            ice_password=self.ice_password or session.ice_password,
            ice_options=self.ice_options or session.ice_options,
            fingerprints=tuple(self.fingerprints or session.fingerprints),
            setup=self.setup or session.setup,
            candidates=tuple(self.candidates),
            end_of_candidates=self.end_of_candidates or session.end_of_candidates,
            msids=tuple(self.msids),
            ssrcs=tuple(SsrcDescription(ssrc, cname, msid) for ssrc, (cname, msid) in self.ssrcs.items()),
            ssrc_groups=tuple(self.ssrc_groups),
            rids=tuple(self.rids.values()),
            simulcast=self.simulcast,
            rtcp_mux=self.rtcp_mux,
            rtcp_rsize=self.rtcp_rsize,
            sctp_port=self.sctp_port,
            max_message_size=self.max_message_size,
            bandwidth=tuple(self.bandwidth),
        )

    @property
    def is_rtp(self) -> bool:
        return "RTP/" in self.protocol

    def _finish_codecs(self) -> tuple[CodecDescription, ...]:
        lines = self.codec_lines
        parse = _parse_codecs
        if sum(map(len, lines)) <= CODEC_CACHE_BYTES:
            parse = _parse_codecs_cached
        return parse(self.formats, tuple(lines))


def _parse_codecs(formats: tuple[str, ...], lines: tuple[str, ...]) -> tuple[CodecDescription, ...]:
    """The codecs of a section from the payload types of its `m=` line and its `_CODEC_ATTRIBUTES` lines."""
    codecs = _CodecList(formats)
    for line in lines:
        name, _, value = line.partition(":")
        try:
            if not line.isprintable():
                _fail("contains a control character")
            _CODEC_ATTRIBUTES[name](codecs, value)
        except SdpError as error:
            raise SdpError(f"payload types {' '.join(formats)}: {error.reason}", None, line) from None
    return codecs.finish()


_parse_codecs_cached = lru_cache(CODEC_CACHE_ENTRIES)(_parse_codecs)


class _CodecList:
    """The payload types of a section while their lines are being read."""

    __slots__ = ("codecs", "wildcard_feedback")

    def __init__(self, payload_types: Sequence[str]) -> None:
        self.codecs = {payload_type: _Codec() for payload_type in payload_types}
        self.wildcard_feedback: list[str] = []

    def finish(self) -> tuple[CodecDescription, ...]:
        codecs = []
        for payload_type, codec in self.codecs.items():
            if not codec.name:
                continue
            feedback = codec.feedback
            if self.wildcard_feedback:
                feedback = list(dict.fromkeys(feedback + self.wildcard_feedback))
                if len(feedback) > MAX_FEEDBACK:
                    _fail(f"payload type {payload_type}: more than {MAX_FEEDBACK} feedback types")
            codecs.append(
                CodecDescription(
                    int(payload_type),
                    codec.name,
                    codec.clock_rate,
                    codec.channels,
                    ";".join(codec.fmtp),
                    tuple(feedback),
                )
            )
        return tuple(codecs)


class _Session:
    """The description while it is being read line by line."""

    def __init__(self) -> None:
        self._started = False
        self._origin: Origin | None = None
        self._bundle: tuple[str, ...] | None = None
        self._ice_lite = False
        self._level = _Section("session", 0, "")
        self.codec_lines = self._level.codec_lines
        self._sections: list[_Section] = []
        self._current = self._level
        self._attributes = _SESSION_ATTRIBUTES

    def feed(self, line: str) -> None:
        """Take one line without its line end that is not about codecs."""
        if not line.isprintable():
            _fail("contains a control character")
        if line[1:2] != "=":
            _fail("is not of the form <letter>=<value>")
        kind = line[0]
        if kind == "a":
            name, _, value = line.partition(":")
            handler = self._attributes.get(name)
            if handler is not None:
                handler(self._current, value)
            elif self._current is self._level:
                self._session_attribute(name, value)
        elif kind == "m":
            self._open_section(line[2:])
        elif kind == "c":
            self._current.address = _connection(line[2:])
        elif kind == "b":
            if self._current is not self._level:
                _bandwidth(self._current, line[2:])
        elif kind == "v":
            if line != "v=0":
                _fail("v: only version 0 exists")
            self._started = True
        elif kind == "o":
            self._origin = _origin(line[2:])
        if not self._started:
            _fail("the description must begin with v=0")

    def _session_attribute(self, name: str, value: str) -> None:
        if name == "a=group":
            semantics, *mids = value.split()[: MAX_MEDIA_SECTIONS + 2] or [""]
            if semantics == "BUNDLE" and self._bundle is None:
                _bounded(len(mids) - 1, MAX_MEDIA_SECTIONS, "mids in a=group")
                self._bundle = tuple(dict.fromkeys(_mid(mid) for mid in mids))
        elif name == "a=ice-lite":
            self._ice_lite = True

    def _open_section(self, value: str) -> None:
        _bounded(len(self._sections), MAX_MEDIA_SECTIONS, "media sections")
        words = value.split(None, MAX_CODECS + 3)
        if len(words) < 4:
            _fail("m: expected kind, port, protocol and at least one format")
        kind, port, protocol, *formats = words
        if not _TOKEN.fullmatch(kind):
            _fail("m: the kind is not a word")
        if not all(_TOKEN.fullmatch(part) for part in protocol.split("/", 7)):
            _fail("m: the protocol is not a word")
        section = _Section(kind, _integer(port.partition("/")[0], "m: port", 0, _MAX_U16), protocol)
        section.formats = tuple(formats)
        if section.is_rtp:
            _bounded(len(formats) - 1, MAX_CODECS, "payload types in one section")
            for payload_type in formats:
                if not _PAYLOAD_TYPE.fullmatch(payload_type):
                    _fail(f"m: payload type {payload_type[:24]!r} is not a number from 0 to 127")
            if len(set(formats)) != len(formats):
                _fail("m: a payload type is listed twice")
        else:
            _bounded(len(formats) - 1, MAX_FORMATS, "formats in one section")
        self._sections.append(section)
        self._current = section
        self.codec_lines = section.codec_lines
        self._attributes = _MEDIA_ATTRIBUTES

    def finish(self) -> SessionDescription:
        if not self._started:
            _fail("the description is empty")
        if self._origin is None:
            _fail("the description has no o= line")
        media = tuple(section.finish(self._level) for section in self._sections)
        mids: set[str] = set()
        for section in media:
            if section.mid:
                if section.mid in mids:
                    _fail(f"two media sections have the mid {section.mid!r}")
                mids.add(section.mid)
        return SessionDescription(
            origin=self._origin,
            media=media,
            bundle=self._bundle,
            ice_lite=self._ice_lite,
            extmap_allow_mixed=self._level.extmap_allow_mixed,
        )


def _origin(value: str) -> Origin:
    words = value.split(None, 6)
    if len(words) != 6:
        _fail("o: expected user name, session id, version, IN, IP4 or IP6, address")
    username, session_id, version, _, _, address = words
    return Origin(
        _integer(session_id, "o: session id", 0, _MAX_U64),
        _integer(version, "o: session version", 0, _MAX_U64),
        username,
        address,
    )


def _connection(value: str) -> str:
    words = value.split(None, 3)
    if len(words) != 3:
        _fail("c: expected IN, IP4 or IP6, address")
    return words[2]


def _bandwidth(section: _Section, value: str) -> None:
    kind, _, number = value.partition(":")
    if not _TOKEN.fullmatch(kind):
        _fail("b: expected type:value")
    _bounded(len(section.bandwidth), MAX_BANDWIDTHS, "b= lines in one section")
    section.bandwidth.append((kind, _integer(number.strip(), "b: bandwidth", 0, _MAX_U64)))


def _mid(value: str) -> str:
    value = value.strip()
    if len(value) > MAX_MID_LENGTH or not _TOKEN.fullmatch(value):
        _fail(f"mid: expected a word of at most {MAX_MID_LENGTH} characters")
    return value


def _set_mid(section: _Section, value: str) -> None:
    section.mid = _mid(value)


def _rtpmap(section: _CodecList, value: str) -> None:
    payload_type, _, encoding = value.partition(" ")
    codec = section.codecs.get(payload_type)
    if codec is None:
        return
    name, *numbers = encoding.strip().split("/", 3)
    if not 1 <= len(numbers) <= 2 or not _TOKEN.fullmatch(name):
        _fail("rtpmap: expected payload type, name/clock rate[/channels]")
    codec.name = name
    codec.clock_rate = _integer(numbers[0], "rtpmap: clock rate", 1, _MAX_U32)
    codec.channels = _integer(numbers[1], "rtpmap: channels", 1, 255) if len(numbers) == 2 else 1


def _fmtp(section: _CodecList, value: str) -> None:
    payload_type, _, parameters = value.partition(" ")
    codec = section.codecs.get(payload_type)
    parameters = parameters.strip()
    if codec is not None and parameters and parameters not in codec.fmtp:
        _bounded(len(codec.fmtp), MAX_FMTP_LINES, "a=fmtp lines for one payload type")
        _bounded(len(parameters) - 1, MAX_FMTP_LENGTH, "characters in one a=fmtp line")
        codec.fmtp.append(parameters)


def _rtcp_fb(section: _CodecList, value: str) -> None:
    payload_type, _, feedback = value.partition(" ")
    codec = section.codecs.get(payload_type)
    if codec is not None:
        known = codec.feedback
    elif payload_type == "*":
        known = section.wildcard_feedback
    else:
        return
    feedback = " ".join(feedback.split(None, 4))
    if not feedback:
        _fail("rtcp-fb: expected payload type and feedback type")
    if feedback not in known:
        _bounded(len(known), MAX_FEEDBACK, "feedback types for one payload type")
        known.append(feedback)


def _extmap(section: _Section, value: str) -> None:
    words = value.split(None, 2)
    if len(words) < 2:
        _fail("extmap: expected id and URI")
    number, slash, way = words[0].partition("/")
    extension_id = _integer(number, "extmap: id", 1, MAX_EXTENSION_ID)
    direction = None
    if slash:
        direction = _DIRECTIONS.get(way)
        if direction is None:
            _fail(f"extmap: {way[:24]!r} is not a direction")
    extension = ExtensionDescription(extension_id, words[1], direction)
    known = section.extensions.get(extension_id)
    if known is None:
        _bounded(len(section.extensions), MAX_EXTENSIONS, "header extensions in one section")
        section.extensions[extension_id] = extension
    elif known != extension:
        _fail(f"extmap: id {extension_id} is given to two extensions")


def _extmap_allow_mixed(section: _Section, _: str) -> None:
    section.extmap_allow_mixed = True


def _bundle_only(section: _Section, _: str) -> None:
    section.bundle_only = True


def _ice_ufrag(section: _Section, value: str) -> None:
    if not _ICE_UFRAG.fullmatch(value):
        _fail("ice-ufrag: expected 4 to 256 visible characters")
    section.ice_ufrag = value


def _ice_password(section: _Section, value: str) -> None:
    if not _ICE_PASSWORD.fullmatch(value):
        _fail("ice-pwd: expected 22 to 256 visible characters")
    section.ice_password = value


def _ice_options(section: _Section, value: str) -> None:
    options = value.split(None, MAX_ICE_OPTIONS)
    _bounded(len(options) - 1, MAX_ICE_OPTIONS, "ice-options")
    section.ice_options = tuple(options)


def _fingerprint(section: _Section, value: str) -> None:
    algorithm, _, digest = value.strip().partition(" ")
    algorithm = algorithm.lower()
    digest = digest.strip().upper()
    if not _TOKEN.fullmatch(algorithm) or not _HEX_PAIRS.fullmatch(digest):
        _fail("fingerprint: expected hash name and hexadecimal pairs joined by colons")
    if algorithm == "sha-256" and len(digest) != SHA256_HEX_LENGTH:
        _fail("fingerprint: a sha-256 value has 32 pairs")
    fingerprint = Fingerprint(algorithm, digest)
    if fingerprint not in section.fingerprints:
        _bounded(len(section.fingerprints), MAX_FINGERPRINTS, "fingerprints in one section")
        section.fingerprints[fingerprint] = None


def _setup(section: _Section, value: str) -> None:
    if value not in _SETUPS:
        _fail("setup: expected actpass, active, passive or holdconn")
    section.setup = value


def _candidate(value: str) -> Candidate:
    words = value.split(None, 32)
    if len(words) < 8 or words[6] != "typ":
        _fail("candidate: expected foundation component transport priority address port typ type")
    foundation, component, protocol, priority, address, port, _, kind = words[:8]
    if not _TOKEN.fullmatch(kind) or not _TOKEN.fullmatch(protocol):
        _fail("candidate: transport or type is not a word")
    rest = dict(zip(words[8:32:2], words[9:32:2], strict=False))
    related_port = rest.get("rport")
    return Candidate(
        foundation,
        _integer(component, "candidate: component", 1, 256),
        protocol.lower(),
        _integer(priority, "candidate: priority", 0, _MAX_U32),
        address,
        _integer(port, "candidate: port", 0, _MAX_U16),
        kind,
        rest.get("tcptype"),
        rest.get("raddr"),
        None if related_port is None else _integer(related_port, "candidate: rport", 0, _MAX_U16),
    )


def _add_candidate(section: _Section, value: str) -> None:
    if len(section.candidates) < MAX_CANDIDATES:
        section.candidates.append(_candidate(value))


def _end_of_candidates(section: _Section, _: str) -> None:
    section.end_of_candidates = True


def _msid(section: _Section, value: str) -> None:
    words = value.split(None, 2)
    if not words or len(words) > 2:
        _fail("msid: expected stream id and track id")
    msid = Msid(words[0], words[1] if len(words) == 2 else "")
    if msid not in section.msids:
        _bounded(len(section.msids), MAX_MSIDS, "a=msid lines in one section")
        section.msids[msid] = None


def _ssrc(section: _Section, value: str) -> None:
    number, _, attribute = value.partition(" ")
    ssrc = _integer(number, "ssrc", 0, _MAX_U32)
    known = section.ssrcs.get(ssrc)
    if known is None:
        _bounded(len(section.ssrcs), MAX_SSRCS, "SSRCs in one section")
        known = (None, None)
    name, _, text = attribute.partition(":")
    if name == "cname":
        known = (text.strip() or known[0], known[1])
    elif name == "msid":
        known = (known[0], " ".join(text.split(None, 2)) or known[1])
    section.ssrcs[ssrc] = known


def _ssrc_group(section: _Section, value: str) -> None:
    words = value.split(None, MAX_SSRCS_PER_GROUP + 1)
    if len(words) < 2 or not _TOKEN.fullmatch(words[0]):
        _fail("ssrc-group: expected semantics and SSRCs")
    _bounded(len(words) - 2, MAX_SSRCS_PER_GROUP, "SSRCs in one group")
    group = SsrcGroup(words[0], tuple(_integer(word, "ssrc-group", 0, _MAX_U32) for word in words[1:]))
    if group not in section.ssrc_groups:
        _bounded(len(section.ssrc_groups), MAX_SSRC_GROUPS, "SSRC groups in one section")
        section.ssrc_groups[group] = None


def _rid(section: _Section, value: str) -> None:
    words = value.split(None, 2)
    if len(words) < 2 or words[1] not in ("send", "recv") or not _RID.fullmatch(words[0]):
        _fail(f"rid: expected an id of at most {MAX_RID_LENGTH} letters and digits, then send or recv")
    if words[0] in section.rids:
        _fail(f"rid: {words[0]} is described twice")
    _bounded(len(section.rids), MAX_RIDS, "rids in one section")
    parameters = []
    if len(words) == 3:
        items = words[2].split(";", MAX_RID_PARAMETERS)
        _bounded(len(items) - 1, MAX_RID_PARAMETERS, "parameters of a rid")
        for item in items:
            name, _, text = item.partition("=")
            name = name.strip()
            if not _TOKEN.fullmatch(name):
                _fail("rid: expected parameters as name=value joined by semicolons")
            parameters.append((name, text.strip()))
    section.rids[words[0]] = RidDescription(words[0], words[1], tuple(parameters))


def _simulcast(section: _Section, value: str) -> None:
    if section.simulcast is not None:
        _fail("simulcast: the section has two such lines")
    words = value.split(None, 4)
    if len(words) not in (2, 4):
        _fail("simulcast: expected send or recv and a list of rids, once or for both directions")
    layers = {way: _simulcast_layers(text) for way, text in zip(words[::2], words[1::2], strict=True)}
    if len(layers) != len(words) // 2 or not layers.keys() <= {"send", "recv"}:
        _fail("simulcast: expected send or recv and a list of rids, once or for both directions")
    section.simulcast = SimulcastDescription(layers.get("send", ()), layers.get("recv", ()))


def _simulcast_layers(text: str) -> tuple[tuple[SimulcastStream, ...], ...]:
    layers = text.split(";", MAX_RIDS)
    _bounded(len(layers) - 1, MAX_RIDS, "simulcast layers")
    result = []
    for layer in layers:
        alternatives = layer.split(",", MAX_SIMULCAST_ALTERNATIVES)
        _bounded(len(alternatives) - 1, MAX_SIMULCAST_ALTERNATIVES, "alternatives of a simulcast layer")
        streams = []
        for alternative in alternatives:
            rid = alternative.removeprefix("~")
            if not _RID.fullmatch(rid):
                _fail("simulcast: a layer is not a rid")
            streams.append(SimulcastStream(rid, paused=rid != alternative))
        result.append(tuple(streams))
    return tuple(result)


def _rtcp_mux(section: _Section, _: str) -> None:
    section.rtcp_mux = True


def _rtcp_rsize(section: _Section, _: str) -> None:
    section.rtcp_rsize = True


def _sctp_port(section: _Section, value: str) -> None:
    section.sctp_port = _integer(value.strip(), "sctp-port", 0, _MAX_U16)


def _max_message_size(section: _Section, value: str) -> None:
    section.max_message_size = _integer(value.strip(), "max-message-size", 0, _MAX_U64)


def _direction_setter(direction: Direction) -> "_Handler":
    def set_direction(section: _Section, _: str) -> None:
        section.direction = direction

    return set_direction


_Handler = Callable[[_Section, str], None]

_SESSION_ATTRIBUTES: dict[str, _Handler] = {
    **{f"a={direction.value}": _direction_setter(direction) for direction in Direction},
    "a=end-of-candidates": _end_of_candidates,
    "a=extmap": _extmap,
    "a=extmap-allow-mixed": _extmap_allow_mixed,
    "a=fingerprint": _fingerprint,
    "a=ice-options": _ice_options,
    "a=ice-pwd": _ice_password,
    "a=ice-ufrag": _ice_ufrag,
    "a=setup": _setup,
}
"""What a section may inherit."""

_CODEC_ATTRIBUTES: dict[str, Callable[[_CodecList, str], None]] = {
    "a=fmtp": _fmtp,
    "a=rtcp-fb": _rtcp_fb,
    "a=rtpmap": _rtpmap,
}

_CODEC_LINES = tuple(f"{name}:" for name in _CODEC_ATTRIBUTES)

_MEDIA_ATTRIBUTES: dict[str, _Handler] = {
    **_SESSION_ATTRIBUTES,
    "a=bundle-only": _bundle_only,
    "a=candidate": _add_candidate,
    "a=max-message-size": _max_message_size,
    "a=mid": _set_mid,
    "a=msid": _msid,
    "a=rid": _rid,
    "a=rtcp-mux": _rtcp_mux,
    "a=rtcp-rsize": _rtcp_rsize,
    "a=sctp-port": _sctp_port,
    "a=simulcast": _simulcast,
    "a=ssrc": _ssrc,
    "a=ssrc-group": _ssrc_group,
}
