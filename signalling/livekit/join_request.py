"""What a client asks for when it connects: from the query of ``/rtc`` and ``/rtc/v1``.

``/rtc/v1`` carries a ``WrappedJoinRequest`` (base64url, often gzip): up to a few kilobytes that may hold a
first offer and the tracks to come. ``/rtc`` has plain parameters.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from livekit.protocol import models, rtc

from mediaserver.room.model import ClientFacts
from signalling.errors import JoinRequestError

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""zlib's code for "a gzip header, largest window"."""
_FACT_CHARACTERS = 128
"""Kept of each thing a client says about itself."""
_MAXIMUM_ATTRIBUTES = 256

NO_FACTS = ClientFacts()

_SDK_NAMES = {number: name.lower() for name, number in models.ClientInfo.SDK.items()}


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """A client's wish to join or to resume."""

    single_peer_connection: bool
    client: ClientFacts = NO_FACTS
    auto_subscribe: bool = True
    adaptive_stream: bool = False
    reconnect: bool = False
    participant_sid: str = ""
    """With `reconnect`: who the client was."""
    metadata: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    add_tracks: tuple[rtc.AddTrackRequest, ...] = ()
    offer: rtc.SessionDescription | None = None
    sync_state: rtc.SyncState | None = None


def decompress_gzip(data: bytes, limit: int) -> bytes:
    """At most `limit` bytes out of `data`: what a bomb would grow to is never produced.

    Raises JoinRequestError.
    """
    decompressor = zlib.decompressobj(_GZIP_WINDOW)
    try:
        content = decompressor.decompress(data, limit + 1)
    except zlib.error:
        raise JoinRequestError("join_request: the gzip data is damaged") from None
    if len(content) > limit:
        raise JoinRequestError(f"join_request: larger than {limit} bytes when decompressed")
    if not decompressor.eof:
        raise JoinRequestError("join_request: the gzip data ends early")
    return content


def read_join_request(encoded: str, *, limit: int) -> ConnectRequest:
    """The ``join_request`` parameter of ``/rtc/v1``; `limit` caps the decompressed size in bytes.

    Raises JoinRequestError.
    """
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise JoinRequestError("join_request: not base64url") from None
    try:
        wrapped = rtc.WrappedJoinRequest.FromString(raw)
        if wrapped.compression == rtc.WrappedJoinRequest.GZIP:
            content = decompress_gzip(wrapped.join_request, limit)
        elif wrapped.compression == rtc.WrappedJoinRequest.NONE:
            content = wrapped.join_request
        else:
            raise JoinRequestError("join_request: unknown compression")
        if len(content) > limit:
            raise JoinRequestError(f"join_request: larger than {limit} bytes")
        request = rtc.JoinRequest.FromString(content)
    except DecodeError:
        raise JoinRequestError("join_request: not a protobuf message of this kind") from None
    if len(request.participant_attributes) > _MAXIMUM_ATTRIBUTES:
        raise JoinRequestError("join_request: too many attributes")
    connection = request.connection_settings
    return ConnectRequest(
        single_peer_connection=True,
        client=_facts_of(request.client_info),
        auto_subscribe=connection.auto_subscribe,
        adaptive_stream=connection.adaptive_stream,
        reconnect=request.reconnect,
        participant_sid=request.participant_sid,
        metadata=request.metadata,
        attributes=tuple(sorted(request.participant_attributes.items())),
        add_tracks=tuple(request.add_track_requests),
        offer=request.publisher_offer if request.HasField("publisher_offer") else None,
        sync_state=request.sync_state if request.HasField("sync_state") else None,
    )


def read_query(query: Mapping[str, str], *, strict: bool = True) -> ConnectRequest:
    """The plain parameters of ``/rtc``; `strict` refuses attributes that cannot be read.

    Raises JoinRequestError.
    """
    return ConnectRequest(
        single_peer_connection=False,
        client=ClientFacts(
            sdk=_fact(query.get("sdk", "")),
            version=_fact(query.get("version", "")),
            protocol=_number(query.get("protocol", "")),
            os=_fact(query.get("os", "")),
            os_version=_fact(query.get("os_version", "")),
            browser=_fact(query.get("browser", "")),
            browser_version=_fact(query.get("browser_version", "")),
            device_model=_fact(query.get("device_model", "")),
            network=_fact(query.get("network", "")),
            client_protocol=_number(query.get("client_protocol", "")),
        ),
        auto_subscribe=_flag(query.get("auto_subscribe") or "1"),
        adaptive_stream=_flag(query.get("adaptive_stream", "")),
        reconnect=_flag(query.get("reconnect", "")),
        participant_sid=query.get("sid", ""),
        attributes=_query_attributes(query.get("attributes", ""), strict),
    )


def _query_attributes(encoded: str, strict: bool) -> tuple[tuple[str, str], ...]:
    if not encoded:
        return ()
    try:
        value = json.loads(
            base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        )
        if not isinstance(value, dict) or len(value) > _MAXIMUM_ATTRIBUTES:
            raise ValueError("attributes")
        return tuple(sorted((str(name), str(text)) for name, text in value.items()))
    except (ValueError, RecursionError):
        if strict:
            raise JoinRequestError("attributes: not base64url of a JSON object") from None
        return ()


def _facts_of(info: models.ClientInfo) -> ClientFacts:
    return ClientFacts(
        sdk=_SDK_NAMES.get(info.sdk, "unknown"),
        version=_fact(info.version),
        protocol=info.protocol,
        os=_fact(info.os),
        os_version=_fact(info.os_version),
        browser=_fact(info.browser),
        browser_version=_fact(info.browser_version),
        device_model=_fact(info.device_model),
        network=_fact(info.network),
        client_protocol=info.client_protocol,
    )


def _fact(text: str) -> str:
    return text[:_FACT_CHARACTERS]


def _flag(text: str) -> bool:
    return text in ("1", "true")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
