"""Offer and answer (RFC 3264, RFC 9429) for a server that forwards: ICE-lite, DTLS server, one bundle.

Pure functions. The server never depends on what an earlier description said: the caller passes what it wants
now, and constant tables keep payload types, extension ids and the order of sections stable over re-offers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from mediaserver.rtp.extensions import HeaderExtension
from mediaserver.sdp.codecs import (
    NegotiatedCodec,
    accept_codecs,
    accept_extensions,
    best_match,
    describe_codecs,
    offered_codecs,
    offered_extensions,
)
from mediaserver.sdp.description import (
    Candidate,
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
from mediaserver.sdp.negotiated import (
    DEFAULT_MAX_MESSAGE_SIZE,
    NegotiatedMedia,
    NegotiatedSession,
    merge_extensions,
)

LOCAL_MAX_MESSAGE_SIZE = 256 * 1024
"""Bytes we accept in one data channel message: what Chromium announces too."""

SCTP_PORT = 5000
"""RFC 8841, section 5: the port inside the DTLS association, by convention."""

RTP_PROTOCOL = "UDP/TLS/RTP/SAVPF"
DATA_PROTOCOL = "UDP/DTLS/SCTP"
DATA_FORMAT = "webrtc-datachannel"
_RTP_PROTOCOLS = frozenset({RTP_PROTOCOL, "TCP/TLS/RTP/SAVPF", "RTP/SAVPF"})
"""RFC 9429, section 5.1.2: these mean the same here."""
_DATA_PROTOCOLS = frozenset({DATA_PROTOCOL, "TCP/DTLS/SCTP"})

_DEPENDENCY_DESCRIPTOR_CODECS = frozenset({"av1", "vp9"})
"""Codecs whose senders are asked for the dependency descriptor. With VP8 Chromium 156 would move picture ids
and temporal layers from the payload, where a layer switch can be mended, into the descriptor, where it
cannot."""

PORT = 9
"""Port in `m=` lines ("discard"): the addresses are in the candidates (RFC 8840)."""

ICE_OPTIONS = ("trickle",)
"""Candidates that a client trickles are taken (and ignored: ICE-lite only answers checks)."""

DATA_MID = "0"
"""Mid of the data section of our own offers, which is the first."""


class CandidateLike(Protocol):
    """What an announced candidate needs; the transport's own candidates fit."""

    @property
    def foundation(self) -> str: ...
    @property
    def component(self) -> int: ...
    @property
    def protocol(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def address(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def tcp_type(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class LocalEndpoint:
    """Our side of one connection."""

    ufrag: str
    password: str
    fingerprint: str
    """SHA-256 of our certificate, `AA:BB:...`."""
    candidates: Sequence[CandidateLike]
    session_id: int
    """Constant for the life of the connection."""
    session_version: int
    """One more with every description we send."""
    cname: str
    max_message_size: int = LOCAL_MAX_MESSAGE_SIZE


@dataclass(frozen=True, slots=True)
class SendPlan:
    """A track that we send in one section."""

    stream_id: str
    """`PARTICIPANT_SID|TRACK_SID` for LiveKit's clients."""
    track_id: str
    ssrc: int
    rtx_ssrc: int | None = None
    codec: str | None = None
    """Name of the codec to be sent: it goes first in the section."""
    stereo: bool = False
    """The track is stereo Opus."""


@dataclass(frozen=True, slots=True)
class SectionPlan:
    """What we want of one offered section."""

    receive: bool = False
    send: SendPlan | None = None
    preferred_codecs: tuple[str, ...] = ()
    """Names or MIME types, the codec the client shall send first; `("red", "opus")` asks for redundancy."""
    dtx: bool = False
    """Ask the client to send (next to) nothing while it is silent (RFC 7587, `usedtx`)."""


@dataclass(frozen=True, slots=True)
class OfferSection:
    """One section of our own offer. Its place in the list never changes; a stopped one may be replaced by a
    section with a new mid."""

    mid: str
    kind: str
    send: SendPlan | None = None
    """None keeps the section inactive, to be reused by a later track of the same kind."""
    codecs: tuple[str, ...] = ()
    """Codecs to offer, the first preferred; all of the kind if empty."""
    stopped: bool = False
    """The section is refused for good (port 0)."""


_NO_PLAN = SectionPlan()


class _SectionRefusedError(Exception):
    """An offered section is refused; the text says why."""


def answer_offer(
    offer: SessionDescription, local: LocalEndpoint, plans: Mapping[str, SectionPlan]
) -> tuple[SessionDescription, NegotiatedSession]:
    """Answer a client's offer.

    A section without a plan is answered inactive, with its codecs and every header extension that we
    understand, so that it can be activated by a later offer. A section that cannot be used is refused (port
    0), and `NegotiatedSession.rejected` says why. Plans for sections that are not offered are ignored.

    Raises SdpError if nothing of the offer can be accepted or it lacks what a connection needs.
    """
    bundle = _offered_bundle(offer)
    answered: list[MediaDescription] = []
    media: dict[str, NegotiatedMedia] = {}
    rejected: dict[str, str] = {}
    accepted: list[MediaDescription] = []
    data: MediaDescription | None = None
    for offered in offer.media:
        try:
            if offered.rejected:
                raise _SectionRefusedError("the offer itself refuses it (port 0)")
            if offered.mid not in bundle:
                raise _SectionRefusedError("it is not in the BUNDLE group, and there is only one transport")
            if offered.kind == "application":
                section = _answer_data(offered, local)
                if data is not None:
                    raise _SectionRefusedError("there is one data section already")
                data = offered
            else:
                plan = plans.get(offered.mid, _NO_PLAN)
                section, media[offered.mid] = _answer_media(offered, local, plan)
        except _SectionRefusedError as reason:
            rejected[offered.mid] = str(reason)
            answered.append(_refuse(offered))
            continue
        if not accepted:
            section = _with_candidates(section, local)
        accepted.append(offered)
        answered.append(section)
    if not accepted:
        raise SdpError(
            "no section of the offer can be accepted: "
            + ("; ".join(f"{mid!r}: {reason}" for mid, reason in rejected.items()) or "it has none")
        )
    remote = _remote_transport(accepted)
    if remote.setup not in ("actpass", "active"):
        raise SdpError(f"the offer has a=setup:{remote.setup}, but the server needs actpass or active")
    answer = SessionDescription(
        origin=Origin(local.session_id, local.session_version),
        media=tuple(answered),
        bundle=None if offer.bundle is None else tuple(section.mid for section in accepted),
        ice_lite=True,
        extmap_allow_mixed=offer.extmap_allow_mixed,
    )
    return answer, _session(remote, media, data, rejected)


def create_offer(
    local: LocalEndpoint, sections: Sequence[OfferSection], *, data_channel: bool = True
) -> SessionDescription:
    """Our own offer, for the connection on which a client of two peer connections subscribes.

    The data section comes first, with the mid `DATA_MID`; then the sections in their order.

    Raises SdpError if two sections share a mid, a kind is neither audio nor video, or a codec is unknown.
    """
    mids = ([DATA_MID] if data_channel else []) + [section.mid for section in sections]
    if len(set(mids)) != len(mids):
        raise SdpError("two sections of the offer have the same mid")
    media: list[MediaDescription] = []
    if data_channel:
        media.append(_data_section(DATA_MID, local, "actpass"))
    media.extend([_offer_media(section, local) for section in sections])
    for index, section in enumerate(media):
        if section.port != 0:
            media[index] = _with_candidates(section, local)
            break
    return SessionDescription(
        origin=Origin(local.session_id, local.session_version),
        media=tuple(media),
        bundle=tuple(section.mid for section in media if section.port != 0),
        ice_lite=True,
        extmap_allow_mixed=True,
    )


def apply_answer(offer: SessionDescription, answer: SessionDescription) -> NegotiatedSession:
    """What a client's answer to our own offer settles.

    Raises SdpError if the answer does not fit the offer (RFC 3264, section 6) or accepts nothing.
    """
    if len(answer.media) != len(offer.media):
        raise SdpError(f"the answer has {len(answer.media)} media sections, the offer {len(offer.media)}")
    media: dict[str, NegotiatedMedia] = {}
    rejected: dict[str, str] = {}
    accepted: list[MediaDescription] = []
    data: MediaDescription | None = None
    for index, (offered, answered) in enumerate(zip(offer.media, answer.media, strict=True)):
        if answered.kind != offered.kind:
            raise SdpError(f"media section {index} is {answered.kind} but was offered as {offered.kind}")
        if answered.mid != offered.mid and not (answered.rejected or offered.rejected):
            raise SdpError(f"media section {index} has the mid {answered.mid!r}, offered was {offered.mid!r}")
        if answered.rejected or offered.rejected:
            rejected[offered.mid] = "the offer stopped it" if offered.rejected else "the client refused it"
            continue
        if answer.bundle is not None and answered.mid not in answer.bundle:
            raise SdpError(f"media section {answered.mid!r} is not in the answer's BUNDLE group")
        if offered.kind == "application":
            data = answered
        else:
            try:
                media[offered.mid] = _apply_media(offered, answered)
            except _SectionRefusedError as reason:
                rejected[offered.mid] = str(reason)
                continue
        accepted.append(answered)
    if not accepted:
        raise SdpError("the answer accepts no media section")
    if answer.bundle is None and len(accepted) > 1:
        raise SdpError("the answer has no BUNDLE group, and there is only one transport")
    remote = _remote_transport(accepted)
    if remote.setup != "active":
        raise SdpError(f"the answer has a=setup:{remote.setup}, but only active can reach an ICE-lite server")
    return _session(remote, media, data, rejected)


# -- sections we answer


def _offered_bundle(offer: SessionDescription) -> frozenset[str]:
    for index, section in enumerate(offer.media):
        if not section.mid:
            raise SdpError(f"media section {index} has no a=mid")
    if offer.bundle is not None:
        return frozenset(offer.bundle)
    if len(offer.media) == 1:
        return frozenset({offer.media[0].mid})
    raise SdpError("the offer has several media sections but no a=group:BUNDLE")


def _answer_media(
    offered: MediaDescription, local: LocalEndpoint, plan: SectionPlan
) -> tuple[MediaDescription, NegotiatedMedia]:
    if offered.kind not in ("audio", "video"):
        raise _SectionRefusedError(f"{offered.kind} is not forwarded")
    if offered.protocol not in _RTP_PROTOCOLS:
        raise _SectionRefusedError(f"its protocol {offered.protocol} is not {RTP_PROTOCOL}")
    if not offered.rtcp_mux:
        raise _SectionRefusedError("it lacks a=rtcp-mux")
    preferred = plan.preferred_codecs
    if plan.send is not None and plan.send.codec is not None:
        preferred = (plan.send.codec, *preferred)
    codecs = accept_codecs(offered, preferred)
    if not codecs:
        names = ", ".join(dict.fromkeys(codec.name for codec in offered.codecs)) or "none"
        raise _SectionRefusedError(f"it offers no codec that is forwarded (offered: {names})")
    extensions = accept_extensions(offered)
    receive = plan.receive and offered.direction.sends
    send = plan.send if offered.direction.receives else None
    if receive and codecs[0].name not in _DEPENDENCY_DESCRIPTOR_CODECS:
        extensions = {
            number: extension
            for number, extension in extensions.items()
            if extension is not HeaderExtension.DEPENDENCY_DESCRIPTOR
        }
    rids, simulcast = _answer_simulcast(offered, extensions)
    if send is not None and send.stereo:
        codecs = tuple(_announce_stereo(codec) for codec in codecs)
    if plan.dtx:
        codecs = tuple(_ask_for_dtx(codec) for codec in codecs)
    msids, ssrcs, ssrc_groups = _describe_track(send, local, codecs)
    section = MediaDescription(
        kind=offered.kind,
        mid=offered.mid,
        port=PORT,
        protocol=offered.protocol,
        direction=Direction.of(sends=send is not None, receives=receive),
        codecs=describe_codecs(codecs),
        extensions=_describe_extensions(offered, extensions),
        extmap_allow_mixed=offered.extmap_allow_mixed,
        ice_ufrag=local.ufrag,
        ice_password=local.password,
        ice_options=ICE_OPTIONS,
        fingerprints=_fingerprints(local),
        setup="passive",
        msids=msids,
        ssrcs=ssrcs,
        ssrc_groups=ssrc_groups,
        rids=rids,
        simulcast=simulcast,
        rtcp_mux=True,
        rtcp_rsize=offered.rtcp_rsize,
    )
    return section, _negotiated_media(
        offered, codecs, extensions, tuple(rid.id for rid in rids), receive=receive, send=send is not None
    )


def _answer_simulcast(
    offered: MediaDescription, extensions: Mapping[int, HeaderExtension]
) -> tuple[tuple[RidDescription, ...], SimulcastDescription | None]:
    """Accept every offered layer (RFC 8853, section 5.3), of alternatives the first.

    The answer stays the same while the section is inactive: a browser drops layers for good that an answer
    leaves out. A paused layer stays paused, for a browser would resume it by itself otherwise.
    """
    if offered.simulcast is None or HeaderExtension.RID not in extensions.values():
        return (), None
    sent = {rid.id for rid in offered.rids if rid.direction == "send"}
    layers: dict[str, SimulcastStream] = {}
    for layer in offered.simulcast.send:
        stream = next((stream for stream in layer if stream.rid in sent), None)
        if stream is not None:
            layers.setdefault(stream.rid, stream)
    if not layers:
        return (), None
    return (
        tuple(RidDescription(rid, "recv") for rid in layers),
        SimulcastDescription(recv=tuple((stream,) for stream in layers.values())),
    )


def _announce_stereo(codec: NegotiatedCodec) -> NegotiatedCodec:
    if codec.name != "opus" or "sprop-stereo" in codec.parameters:
        return codec
    return replace(codec, fmtp=f"{codec.fmtp};sprop-stereo=1")


def _ask_for_dtx(codec: NegotiatedCodec) -> NegotiatedCodec:
    if codec.name != "opus" or "usedtx" in codec.parameters:
        return codec
    return replace(codec, fmtp=f"{codec.fmtp};usedtx=1")


def _describe_extensions(
    offered: MediaDescription, extensions: Mapping[int, HeaderExtension]
) -> tuple[ExtensionDescription, ...]:
    return tuple(
        replace(described, direction=None if described.direction is None else described.direction.reversed)
        for described in offered.extensions
        if described.id in extensions
    )


def _answer_data(offered: MediaDescription, local: LocalEndpoint) -> MediaDescription:
    if offered.protocol not in _DATA_PROTOCOLS or DATA_FORMAT not in offered.formats:
        raise _SectionRefusedError(f"only {DATA_PROTOCOL} {DATA_FORMAT} is accepted as a data section")
    return replace(_data_section(offered.mid, local, "passive"), protocol=offered.protocol)


def _refuse(offered: MediaDescription) -> MediaDescription:
    """A section with port 0 (RFC 3264, section 6)."""
    return MediaDescription(
        kind=offered.kind,
        mid=offered.mid,
        port=0,
        protocol=offered.protocol,
        direction=Direction.INACTIVE,
        formats=offered.formats,
    )


# -- sections we offer


def _offer_media(section: OfferSection, local: LocalEndpoint) -> MediaDescription:
    if section.kind not in ("audio", "video"):
        raise SdpError(f"section {section.mid!r}: {section.kind} is neither audio nor video")
    if section.stopped:
        return MediaDescription(
            kind=section.kind, mid=section.mid, port=0, protocol=RTP_PROTOCOL, direction=Direction.INACTIVE
        )
    names = section.codecs
    send = section.send
    if send is not None and send.codec is not None:
        names = (send.codec, *(names or _others(section.kind)))
    codecs = offered_codecs(section.kind, names, stereo=send is not None and send.stereo)
    msids, ssrcs, ssrc_groups = _describe_track(send, local, codecs)
    return MediaDescription(
        kind=section.kind,
        mid=section.mid,
        port=PORT,
        protocol=RTP_PROTOCOL,
        direction=Direction.of(sends=send is not None, receives=False),
        codecs=describe_codecs(codecs),
        extensions=offered_extensions(section.kind),
        ice_ufrag=local.ufrag,
        ice_password=local.password,
        ice_options=ICE_OPTIONS,
        fingerprints=_fingerprints(local),
        setup="actpass",
        msids=msids,
        ssrcs=ssrcs,
        ssrc_groups=ssrc_groups,
        rtcp_mux=True,
        rtcp_rsize=True,
    )


def _others(kind: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(codec.name for codec in offered_codecs(kind, ())))


def _data_section(mid: str, local: LocalEndpoint, setup: str) -> MediaDescription:
    return MediaDescription(
        kind="application",
        mid=mid,
        port=PORT,
        protocol=DATA_PROTOCOL,
        formats=(DATA_FORMAT,),
        ice_ufrag=local.ufrag,
        ice_password=local.password,
        ice_options=ICE_OPTIONS,
        fingerprints=_fingerprints(local),
        setup=setup,
        sctp_port=SCTP_PORT,
        max_message_size=local.max_message_size,
    )


def _fingerprints(local: LocalEndpoint) -> tuple[Fingerprint, ...]:
    return (Fingerprint("sha-256", local.fingerprint.upper()),)


def _with_candidates(section: MediaDescription, local: LocalEndpoint) -> MediaDescription:
    """The candidates belong to the first section of a bundle (RFC 9429, section 5.2.1)."""
    candidates = tuple(
        Candidate(
            candidate.foundation,
            candidate.component,
            candidate.protocol,
            candidate.priority,
            candidate.address,
            candidate.port,
            candidate.type,
            candidate.tcp_type,
        )
        for candidate in local.candidates
    )
    return replace(section, candidates=candidates, end_of_candidates=True)


def _describe_track(
    send: SendPlan | None, local: LocalEndpoint, codecs: Sequence[NegotiatedCodec]
) -> tuple[tuple[Msid, ...], tuple[SsrcDescription, ...], tuple[SsrcGroup, ...]]:
    """What a section says about the track we send in it: msid, SSRCs and the group that joins them."""
    if send is None:
        return (), (), ()
    msids = (Msid(send.stream_id, send.track_id),)
    primary = SsrcDescription(send.ssrc, local.cname)
    if send.rtx_ssrc is None or all(codec.rtx_payload_type is None for codec in codecs):
        return msids, (primary,), ()
    repair = SsrcDescription(send.rtx_ssrc, local.cname)
    return msids, (primary, repair), (SsrcGroup("FID", (send.ssrc, send.rtx_ssrc)),)


# -- what was settled


def _apply_media(offered: MediaDescription, answered: MediaDescription) -> NegotiatedMedia:
    if not answered.rtcp_mux:
        raise _SectionRefusedError("the answer lacks a=rtcp-mux")
    own = accept_codecs(offered)
    codecs = []
    for codec in accept_codecs(answered):
        match = best_match(own, codec.name, codec.fmtp)
        if match is not None:
            codecs.append(_common(codec, match))
    if not codecs:
        raise _SectionRefusedError("the answer names no codec of the offer")
    offered_ids = accept_extensions(offered)
    extensions = {
        identifier: extension
        for identifier, extension in accept_extensions(answered).items()
        if offered_ids.get(identifier) is extension
    }
    return _negotiated_media(
        answered,
        tuple(codecs),
        extensions,
        (),
        receive=offered.direction.receives and answered.direction.sends,
        send=offered.direction.sends and answered.direction.receives,
    )


def _common(answered: NegotiatedCodec, own: NegotiatedCodec) -> NegotiatedCodec:
    return replace(
        answered,
        nack=answered.nack and own.nack,
        pli=answered.pli and own.pli,
        fir=answered.fir and own.fir,
        transport_cc=answered.transport_cc and own.transport_cc,
        remb=answered.remb and own.remb,
    )


def _negotiated_media(
    remote: MediaDescription,
    codecs: tuple[NegotiatedCodec, ...],
    extensions: Mapping[int, HeaderExtension],
    rids: tuple[str, ...],
    *,
    receive: bool,
    send: bool,
) -> NegotiatedMedia:
    stream_id, track_id = _remote_track(remote)
    return NegotiatedMedia(
        mid=remote.mid,
        kind=remote.kind,
        receive=receive,
        send=send,
        codecs=codecs,
        extensions=extensions,
        stream_id=stream_id,
        track_id=track_id,
        ssrcs=_remote_ssrcs(remote),
        rids=rids,
    )


def _remote_track(remote: MediaDescription) -> tuple[str | None, str | None]:
    """(stream id, track id) of what the client sends, from `a=msid` or the older `a=ssrc:... msid:`."""
    if not remote.direction.sends:
        return None, None
    if remote.msids:
        msid = remote.msids[0]
        stream_id, track_id = msid.stream_id, msid.track_id
    else:
        text = next((source.msid for source in remote.ssrcs if source.msid), "")
        stream_id, _, track_id = text.partition(" ")
    return (None if stream_id in ("", "-") else stream_id), (track_id or None)


def _remote_ssrcs(remote: MediaDescription) -> dict[int, int | None]:
    """Media SSRC -> retransmission SSRC of what the client sends, simulcast layers in their order."""
    if not remote.direction.sends:
        return {}
    repairs: dict[int, int] = {}
    order: dict[int, None] = {}
    others: set[int] = set()
    for group in remote.ssrc_groups:
        if group.semantics == "SIM":
            order.update(dict.fromkeys(group.ssrcs))
        elif len(group.ssrcs) == 2:
            # FID pairs with retransmissions, FEC-FR with forward error correction, which is not forwarded.
            others.add(group.ssrcs[1])
            if group.semantics == "FID":
                repairs[group.ssrcs[0]] = group.ssrcs[1]
    order.update(dict.fromkeys(source.ssrc for source in remote.ssrcs))
    return {ssrc: repairs.get(ssrc) for ssrc in order if ssrc not in others}


@dataclass(frozen=True, slots=True)
class _RemoteTransport:
    ufrag: str
    password: str
    fingerprints: tuple[tuple[str, str], ...]
    setup: str


def _remote_transport(accepted: Sequence[MediaDescription]) -> _RemoteTransport:
    """ICE and DTLS parameters of a bundle: those of its first section that states them."""
    ice = next((media for media in accepted if media.ice_ufrag and media.ice_password), None)
    if ice is None or ice.ice_ufrag is None or ice.ice_password is None:
        raise SdpError("the description has no a=ice-ufrag with a=ice-pwd")
    dtls = next((media for media in accepted if media.fingerprints), None)
    if dtls is None:
        raise SdpError("the description has no a=fingerprint")
    setup = next((media.setup for media in accepted if media.setup), "actpass")
    return _RemoteTransport(
        ice.ice_ufrag,
        ice.ice_password,
        tuple((item.algorithm, item.value) for item in dtls.fingerprints),
        setup,
    )


def _session(
    remote: _RemoteTransport,
    media: Mapping[str, NegotiatedMedia],
    data: MediaDescription | None,
    rejected: Mapping[str, str],
) -> NegotiatedSession:
    max_message_size = DEFAULT_MAX_MESSAGE_SIZE
    if data is not None and data.max_message_size is not None:
        max_message_size = data.max_message_size
    return NegotiatedSession(
        remote_ufrag=remote.ufrag,
        remote_password=remote.password,
        remote_fingerprints=remote.fingerprints,
        remote_setup="active",
        media=media,
        data_channel=data is not None,
        max_message_size=max_message_size,
        rejected=rejected,
        extensions=merge_extensions(media),
    )
