"""Offers and answers of one connection: which track travels in which media section.

The client makes the offers (single connection, or the publisher of two) or the server does (the subscriber of
two). Whoever offers, downlinks wait here for a section, and `NegotiationHost.negotiated` hears the outcome.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from mediaserver.room.limits import RoomLimits
from mediaserver.room.model import TrackKind
from mediaserver.room.sections import Section, SectionTable
from mediaserver.sdp.description import SdpError, SessionDescription
from mediaserver.sdp.negotiate import (
    LocalEndpoint,
    OfferSection,
    SectionPlan,
    SendPlan,
    answer_offer,
    apply_answer,
    create_offer,
)
from mediaserver.sdp.negotiated import NegotiatedSession
from mediaserver.sdp.parser import parse_sdp
from mediaserver.sdp.writer import write_sdp
from mediaserver.transport.types import RemoteTransport

if TYPE_CHECKING:
    from mediaserver.room.downlink import Downlink
    from mediaserver.room.track import PublishedTrack
    from mediaserver.transport.front import MediaFront
    from mediaserver.transport.peer import PeerTransport

MAX_OWN_SECTIONS = 31
"""m-lines of our own offers beside the data section: what `parse_sdp` takes back."""


class NegotiationHost(Protocol):
    """The connection whose descriptions these are."""

    def track_of_section(self, section: Section) -> PublishedTrack | None:
        """The track the client announced for what it sends in a section."""

    def may_publish(self) -> bool:
        """Whether sections in which the client sends are accepted."""

    def allocate_ssrc(self) -> int:
        """An SSRC that was never used on this connection."""

    def negotiated(self, session: NegotiatedSession) -> None:
        """An exchange is complete; the sections hold the tracks that belong in them."""

    def say_answer(self, sdp: str, offer_id: int, mid_to_track: Mapping[str, str]) -> None:
        """The answer for the client."""

    def say_offer(self, sdp: str, offer_id: int, mid_to_track: Mapping[str, str]) -> None:
        """An offer for the client."""

    def ask_for_offer(self, audio: int, video: int) -> None:
        """The client has to offer again, with so many more sections."""


class Negotiation:
    """The state of one connection's descriptions."""

    def __init__(
        self,
        front: MediaFront,
        transport: PeerTransport,
        host: NegotiationHost,
        limits: RoomLimits,
        *,
        offering: bool,
        cname: str,
    ) -> None:
        self.sections = SectionTable(limit=MAX_OWN_SECTIONS if offering else None)
        self._front = front
        self._transport = transport
        self._host = host
        self._limits = limits
        self._offering = offering
        self._cname = cname
        self._session_id = secrets.randbits(62)
        self._session_version = 0
        self._remote: RemoteTransport | None = None
        self._scheduled = False
        self._forced = False
        self._asked = False
        """The client was asked for an offer that has not come yet."""
        self._started = False
        self._offer: SessionDescription | None = None
        """Our offer that is not answered yet."""
        self._offer_id = 0
        self._offer_again = False
        self._closed = False

    # The client offers ---------------------------------------------------------------------------

    def accept_offer(self, sdp: str, offer_id: int) -> None:
        """Answer a client's offer. Raises `SdpError` saying what is wrong with it."""
        offer = self._parse(sdp)
        self._note_offered(offer)
        self.sections.place_waiting()
        self._follow_ice_restart(offer)
        plans = {section.mid: self._plan(section) for section in self.sections}
        answer, session = answer_offer(offer, self._local(), plans)
        self._connect(session)
        self.sections.described()
        self._host.negotiated(session)
        self._asked = False
        self._host.say_answer(write_sdp(answer), offer_id, self.sections.mid_to_track())
        self._negotiate_soon()

    def _parse(self, sdp: str) -> SessionDescription:
        if len(sdp) > self._limits.max_sdp_bytes:
            raise SdpError(f"the description is longer than {self._limits.max_sdp_bytes} bytes")
        return parse_sdp(sdp)

    def _note_offered(self, offer: SessionDescription) -> None:
        for media in offer.media:
            if media.kind not in ("audio", "video") or not media.mid:
                continue
            section = self.sections.ensure(media.mid, media.kind)
            section.client_receives = media.direction.receives and not media.rejected
            section.cid = media.msids[0].track_id if media.msids and media.direction.sends else ""
            if section.downlink is not None and not section.client_receives:
                self.sections.put_back(section)

    def _plan(self, section: Section) -> SectionPlan:
        preferred: tuple[str, ...] = ("red", "opus") if section.kind == "audio" else ()
        dtx = section.kind == "audio"
        track = section.track
        if track is None and section.cid:
            track = self._host.track_of_section(section)
        if track is not None:
            if section.kind == "video":
                preferred = tuple(codec.mime_type for codec in track.request.codecs)
            elif track.info.disable_red or track.encrypted:
                preferred = ("opus",)
            dtx = dtx and not track.info.disable_dtx
        return SectionPlan(
            receive=self._host.may_publish(),
            send=None if section.downlink is None else self._send_plan(section.downlink),
            preferred_codecs=preferred,
            dtx=dtx,
        )

    def _send_plan(self, downlink: Downlink) -> SendPlan:
        info = downlink.track.info
        if not downlink.ssrc:
            downlink.ssrc = self._host.allocate_ssrc()
            downlink.rtx_ssrc = self._host.allocate_ssrc() if info.kind is TrackKind.VIDEO else 0
        return SendPlan(
            stream_id=downlink.stream_id,
            track_id=downlink.track_id,
            ssrc=downlink.ssrc,
            rtx_ssrc=downlink.rtx_ssrc or None,
            codec=downlink.track.codec if info.kind is TrackKind.VIDEO else None,
            stereo=info.stereo,
        )

    def _local(self) -> LocalEndpoint:
        self._session_version += 1
        return LocalEndpoint(
            ufrag=self._transport.local_ufrag,
            password=self._transport.local_password,
            fingerprint=self._transport.fingerprint,
            candidates=self._front.candidates(),
            session_id=self._session_id,
            session_version=self._session_version,
            cname=self._cname,
        )

    def _follow_ice_restart(self, offer: SessionDescription) -> None:
        """The client restarts ICE (RFC 8839, section 5.4): our side gets new credentials too."""
        if self._remote is None:
            return
        media = next((m for m in offer.media if m.ice_ufrag), None)
        if media is None or media.ice_ufrag is None or media.ice_ufrag == self._remote.ufrag:
            return
        if media.ice_password is None:
            raise SdpError("the offer restarts ICE without a=ice-pwd")
        self._renew_remote(media.ice_ufrag, media.ice_password)
        self._transport.restart_ice(self._remote)

    def _renew_remote(self, ufrag: str, password: str) -> None:
        assert self._remote is not None
        self._remote = RemoteTransport(
            ufrag,
            password,
            self._remote.fingerprints,
            self._remote.sctp_port,
            self._remote.max_message_bytes,
        )

    def _connect(self, session: NegotiatedSession) -> None:
        if self._remote is None:
            self._remote = RemoteTransport(
                session.remote_ufrag,
                session.remote_password,
                session.remote_fingerprints,
                5000 if session.data_channel else None,
                session.max_message_size,
            )
            self._transport.start(self._remote)

    # The server offers ---------------------------------------------------------------------------

    def start_offering(self) -> None:
        """Make the first offer, with whatever waits."""
        self._started = True
        self._make_offer()

    def _make_offer(self) -> None:
        if self._offer is not None:
            self._offer_again = True
            return
        while any(self.sections.missing()) and len(self.sections) < MAX_OWN_SECTIONS:
            audio, _ = self.sections.missing()
            section = self.sections.ensure(str(len(self.sections) + 1), "audio" if audio else "video")
            section.client_receives = True
        self.sections.place_waiting()
        self._offer = create_offer(
            self._local(),
            [
                OfferSection(
                    section.mid,
                    section.kind,
                    None if section.downlink is None else self._send_plan(section.downlink),
                )
                for section in self.sections
            ],
        )
        self._offer_id += 1
        self.sections.described()
        self._host.say_offer(write_sdp(self._offer), self._offer_id, self.sections.mid_to_track())

    def accept_answer(self, sdp: str, offer_id: int) -> None:
        """Take the client's answer; one to an offer that is no longer open is ignored. Raises `SdpError`."""
        if self._offer is None or (offer_id and offer_id != self._offer_id):
            return
        session = apply_answer(self._offer, self._parse(sdp))
        self._offer = None
        if self._remote is not None and session.remote_ufrag != self._remote.ufrag:
            self._renew_remote(session.remote_ufrag, session.remote_password)
        self._connect(session)
        self._host.negotiated(session)
        if self._offer_again:
            self._offer_again = False
            self._make_offer()
        else:
            self._negotiate_soon()

    def restart_ice(self) -> None:
        """Offer new ICE credentials; media goes on over the old ones until the client uses the new."""
        self._offer = None
        if self._remote is not None:
            self._transport.restart_ice(self._remote)
        self.start_offering()

    # Downlinks -----------------------------------------------------------------------------------

    def add(self, downlink: Downlink) -> None:
        """Find a section for a downlink; asks for a new exchange where it needs one."""
        self.sections.waiting.append(downlink)
        self._negotiate_soon()

    def remove(self, downlink: Downlink, *, at_once: bool) -> None:
        """Take a downlink out; `at_once` tells the client now, otherwise the next exchange will."""
        described = self.sections.remove(downlink)
        if described and at_once:
            self._negotiate_soon(forced=True)

    def resumed(self) -> None:
        """The client has a new signalling connection: what was asked over the old one may be lost."""
        self._asked = False
        if not self._offering:
            self._negotiate_soon()

    def close(self) -> None:
        """Nothing is negotiated any more."""
        self._closed = True

    def _negotiate_soon(self, *, forced: bool = False) -> None:
        """Once per turn of the event loop, so that several changes share one exchange."""
        self._forced = self._forced or forced
        if not self._closed and not self._scheduled and (self._forced or self.sections.waiting):
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._negotiate)

    def _negotiate(self) -> None:
        self._scheduled = False
        forced, self._forced = self._forced, False
        if self._closed or not (forced or self.sections.waiting):
            return
        if self._offering:
            if self._started:
                self._make_offer()
        elif self._remote is not None and not self._asked:
            self._asked = True
            self._host.ask_for_offer(*self.sections.missing())
