"""`SessionDescription` to text, such that parsing the text gives the same description again."""

from mediaserver.sdp.description import (
    Candidate,
    Direction,
    MediaDescription,
    SdpError,
    SessionDescription,
    SimulcastStream,
)


def write_sdp(description: SessionDescription) -> str:
    """The description as text with CRLF line ends.

    Raises SdpError if a value contains a line break: it would add lines of its own.
    """
    origin = description.origin
    lines = [
        "v=0",
        f"o={origin.username} {origin.session_id} {origin.session_version} IN {_address(origin.address)}",
        "s=-",
        "t=0 0",
    ]
    if description.bundle is not None:
        lines.append(" ".join(("a=group:BUNDLE", *description.bundle)))
    if description.extmap_allow_mixed:
        lines.append("a=extmap-allow-mixed")
    lines.append("a=msid-semantic: WMS *")
    if description.ice_lite:
        lines.append("a=ice-lite")
    for media in description.media:
        _write_media(lines, media)
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise SdpError("a value contains a line break")
    return text + "\r\n"


def write_candidate(candidate: Candidate) -> str:
    """`candidate:...` without `a=`, as trickled (RFC 8839, section 5.1)."""
    text = (
        f"candidate:{candidate.foundation} {candidate.component} {candidate.protocol} {candidate.priority} "
        f"{candidate.address} {candidate.port} typ {candidate.type}"
    )
    if candidate.related_address is not None:
        text += f" raddr {candidate.related_address}"
    if candidate.related_port is not None:
        text += f" rport {candidate.related_port}"
    if candidate.tcp_type is not None:
        text += f" tcptype {candidate.tcp_type}"
    return text


def _address(address: str) -> str:
    return f"IP6 {address}" if ":" in address else f"IP4 {address}"


def _write_media(lines: list[str], media: MediaDescription) -> None:
    if media.is_rtp:
        # A section needs a format even when none is left (RFC 8866, section 5.14).
        formats = " ".join([str(codec.payload_type) for codec in media.codecs]) or "0"
    else:
        formats = " ".join(media.formats)
    lines.append(f"m={media.kind} {media.port} {media.protocol} {formats}")
    lines.append(f"c=IN {_address(media.address)}")
    lines.extend([f"b={kind}:{value}" for kind, value in media.bandwidth])
    _write_transport(lines, media)
    if media.is_rtp or media.direction is not Direction.SENDRECV:
        lines.append(f"a={media.direction.value}")
    if media.extmap_allow_mixed:
        lines.append("a=extmap-allow-mixed")
    for extension in media.extensions:
        way = "" if extension.direction is None else f"/{extension.direction.value}"
        lines.append(f"a=extmap:{extension.id}{way} {extension.uri}")
    for msid in media.msids:
        lines.append(f"a=msid:{msid.stream_id} {msid.track_id}".rstrip())
    if media.rtcp_mux:
        lines.append("a=rtcp-mux")
    if media.rtcp_rsize:
        lines.append("a=rtcp-rsize")
    _write_codecs(lines, media)
    _write_sources(lines, media)
    if media.sctp_port is not None:
        lines.append(f"a=sctp-port:{media.sctp_port}")
    if media.max_message_size is not None:
        lines.append(f"a=max-message-size:{media.max_message_size}")


def _write_transport(lines: list[str], media: MediaDescription) -> None:
    if media.mid:
        lines.append(f"a=mid:{media.mid}")
    if media.bundle_only:
        lines.append("a=bundle-only")
    if media.ice_ufrag is not None:
        lines.append(f"a=ice-ufrag:{media.ice_ufrag}")
    if media.ice_password is not None:
        lines.append(f"a=ice-pwd:{media.ice_password}")
    if media.ice_options:
        lines.append(f"a=ice-options:{' '.join(media.ice_options)}")
    lines.extend([f"a=fingerprint:{item.algorithm} {item.value}" for item in media.fingerprints])
    if media.setup is not None:
        lines.append(f"a=setup:{media.setup}")
    lines.extend([f"a={write_candidate(candidate)}" for candidate in media.candidates])
    if media.end_of_candidates:
        lines.append("a=end-of-candidates")


def _write_codecs(lines: list[str], media: MediaDescription) -> None:
    for codec in media.codecs:
        channels = "" if codec.channels == 1 else f"/{codec.channels}"
        lines.append(f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}")
        if codec.fmtp:
            lines.append(f"a=fmtp:{codec.payload_type} {codec.fmtp}")
        for feedback in codec.feedback:
            lines.append(f"a=rtcp-fb:{codec.payload_type} {feedback}")


def _write_sources(lines: list[str], media: MediaDescription) -> None:
    for group in media.ssrc_groups:
        lines.append(f"a=ssrc-group:{group.semantics} {' '.join(map(str, group.ssrcs))}")
    for source in media.ssrcs:
        if source.cname is not None:
            lines.append(f"a=ssrc:{source.ssrc} cname:{source.cname}")
        if source.msid is not None:
            lines.append(f"a=ssrc:{source.ssrc} msid:{source.msid}")
        if source.cname is None and source.msid is None:
            lines.append(f"a=ssrc:{source.ssrc}")
    for rid in media.rids:
        parameters = ";".join([f"{name}={value}" if value else name for name, value in rid.parameters])
        lines.append(f"a=rid:{rid.id} {rid.direction} {parameters}".rstrip())
    if media.simulcast is not None:
        send, recv = media.simulcast.send, media.simulcast.recv
        words = [f"send {_layers(send)}"] if send else []
        words += [f"recv {_layers(recv)}"] if recv else []
        if words:
            lines.append(f"a=simulcast:{' '.join(words)}")


def _layers(layers: tuple[tuple[SimulcastStream, ...], ...]) -> str:
    return ";".join(
        [
            ",".join([f"~{stream.rid}" if stream.paused else stream.rid for stream in layer])
            for layer in layers
        ]
    )
