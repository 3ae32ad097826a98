"""The one place that touches private parts of aiortc and pylibsrtp: DTLS-SRTP as a server.

`RTCDtlsTransport` brings the state, the identity check and the certificate; this adapter drives it without
tasks: a datagram goes in, everything it causes has happened when `receive` returns. It differs from aiortc in
three ways that matter: replay protection is on in both directions (a nonce used twice with AES-GCM would
reveal plaintext, so a repeated packet is refused), handshake flights are split into datagrams, and the SSL
context is made once per certificate (0.65 ms a join).

`tests/unit/transport/test_dtls.py` fails when one of the private attributes goes away.
"""

import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import pylibsrtp
from aiortc.rtcdatachannel import RTCDataChannel
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AES128_CM_SHA1_80,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
    State,
)
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport
from OpenSSL import SSL

from mediaserver.transport.errors import RemoteClosedError, TransportError
from mediaserver.transport.sctp_guard import MAX_HELD_BYTES

log = logging.getLogger(__name__)

SRTP_PROFILES: list[SRTPProtectionProfile] = [SRTP_AEAD_AES_128_GCM, SRTP_AES128_CM_SHA1_80]
"""In order of preference. AES-GCM costs 1.3 us per 1,100 bytes, AES-CM with SHA-1 2.0 us."""

TAG_BYTES = {SRTP_AEAD_AES_128_GCM.openssl_profile: 16, SRTP_AES128_CM_SHA1_80.openssl_profile: 10}
"""What protection adds to an RTP packet (RFC 7714, section 12; RFC 3711, section 4.2)."""

REPLAY_WINDOW = 1024
"""Packets a replayed or reordered one may be late, per SSRC."""
DTLS_MTU = 1200
"""Bytes of a handshake datagram: fits everywhere with IPv6, UDP and a TURN header."""
MAX_RECORDS_PER_DATAGRAM = 64
"""Records read from one datagram; a flight has fewer than ten."""
MAX_APPLICATION_DATA = 2048
"""Bytes read per record: none can be longer than the datagram it came in (`datagrams.SLOT_BYTES`)."""

MAX_CONGESTION_WINDOW_BYTES = 256 * 1024
"""Data on the way to one remote at most: 2.6 MB/s at a round trip of 100 ms. Each SACK costs aiortc time in
proportion to it, so the remote must not be able to make it grow without end."""

REPLAY_STATUS = (9, 10)
"""srtp_err_status_replay_fail, srtp_err_status_replay_old"""

_DTLS_HEADER_BYTES = 13

_libsrtp: Any = pylibsrtp.lib  # type: ignore[attr-defined]
_libsrtp_ffi: Any = pylibsrtp.ffi  # type: ignore[attr-defined]
srtp_protect: Any = _libsrtp.srtp_protect
"""``srtp_protect(srtp_t, char *, int *length)``: in place, 0 on success; the others alike."""
srtp_unprotect: Any = _libsrtp.srtp_unprotect
srtp_unprotect_rtcp: Any = _libsrtp.srtp_unprotect_rtcp


def new_length() -> Any:
    """An ``int *`` for libsrtp's in-out length."""
    return _libsrtp_ffi.new("int *")


class SharedCertificate(RTCCertificate):
    """A certificate used by many transports, with its SSL context made once."""

    _context: SSL.Context | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 digest in the form of a=fingerprint (RFC 8122)."""
        return next(f.value for f in self.getFingerprints() if f.algorithm == "sha-256")

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        if self._context is None:
            self._context = super()._create_ssl_context(srtp_profiles)
            self._context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_QUERY_MTU)
        return self._context


class CertificateStore:
    """The certificate for new transports, renewed by age."""

    def __init__(self, lifetime_s: float) -> None:
        self._lifetime_s = lifetime_s
        self._certificate: SharedCertificate | None = None
        self._made_at = 0.0

    def current(self, now: float) -> SharedCertificate:
        """The certificate to use at monotonic time ``now``."""
        if self._certificate is None or now - self._made_at > self._lifetime_s:
            self._certificate = SharedCertificate.generateCertificate()
            self._made_at = now
        return self._certificate


class SctpObserver(Protocol):
    """Who watches an association from outside."""

    def admit(self, packet: bytes) -> bool:
        """Whether the association may see this inbound packet. Raises TransportError to end it."""

    def spent(self, seconds: float) -> None:
        """CPU time that the packet just admitted or refused took, with everything it caused."""

    def sent(self, packet: bytes) -> None:
        """An outbound packet is about to be encrypted."""


def drive(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine of aiortc that has nothing to wait for, since our sending never suspends."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("a coroutine expected to run through was suspended")


class _Wire:
    """What `RTCDtlsTransport` calls its ICE transport."""

    role = "controlled"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send_now = send

    async def _send(self, data: bytes) -> None:
        self._send_now(data)

    async def _recv(self) -> bytes:
        raise ConnectionError("datagrams are pushed, not pulled")


def split_records(flight: bytes, mtu: int = DTLS_MTU) -> list[bytes]:
    """Cut what OpenSSL wrote in a row into datagrams of whole records (RFC 6347, section 4.1.1)."""
    datagrams: list[bytes] = []
    start = position = 0
    size = len(flight)
    while position < size:
        first = flight[position]
        if first & 0xE0 == 0x20:
            length_at = position + 2 + bool(first & 0x08)
            if not first & 0x04:
                end = size
            else:
                end = length_at + 2 + int.from_bytes(flight[length_at : length_at + 2])
        elif position + _DTLS_HEADER_BYTES <= size:
            end = position + _DTLS_HEADER_BYTES + int.from_bytes(flight[position + 11 : position + 13])
        else:
            end = size
        end = min(end, size)
        if end - start > mtu and position > start:
            datagrams.append(flight[start:position])
            start = position
        position = end
    if start < size:
        datagrams.append(flight[start:])
    return datagrams


class DtlsTransport(RTCDtlsTransport):
    """DTLS server, SRTP sessions and the carrier of SCTP for one remote.

    ``send`` takes a finished datagram. `receive` and `on_timeout` raise TransportError when the association
    is over; the reason is its text.
    """

    def __init__(self, certificate: SharedCertificate, send: Callable[[bytes], None]) -> None:
        wire: Any = _Wire(send)
        super().__init__(wire, [certificate])
        self._certificate = certificate
        self._send_datagram = send
        self._parameters: RTCDtlsParameters | None = None
        self._set_role("server")
        self._srtp_profiles = SRTP_PROFILES
        self.profile: SRTPProtectionProfile | None = None
        self.tag_bytes = 0
        """Bytes by which protection lengthens an RTP packet."""
        self.rx: Any = None
        """``srtp_t`` for `srtp_unprotect`, None before the handshake is done."""
        self.tx: Any = None
        """``srtp_t`` for `srtp_protect`."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of our certificate."""
        return self._certificate.fingerprint

    @property
    def connected(self) -> bool:
        """Whether the handshake is done and the remote is who it should be."""
        return self._state == State.CONNECTED

    @property
    def suite(self) -> str | None:
        """Name of the negotiated SRTP profile."""
        return self.profile.openssl_profile.decode() if self.profile else None

    @property
    def version(self) -> str | None:
        """Negotiated protocol version, such as ``DTLSv1.2``."""
        return self._ssl.get_protocol_version_name() if self._ssl and self.connected else None

    def begin(self, fingerprints: tuple[tuple[str, str], ...]) -> None:
        """Be ready for a ClientHello of the remote whose certificate has these fingerprints.

        Raises ValueError if there are none.
        """
        if not fingerprints:
            raise ValueError("fingerprints: none")
        self._parameters = RTCDtlsParameters(
            fingerprints=[RTCDtlsFingerprint(algorithm=a, value=v) for a, v in fingerprints]
        )
        ssl = SSL.Connection(self._certificate._create_ssl_context(self._srtp_profiles))
        ssl.set_ciphertext_mtu(DTLS_MTU)
        ssl.set_accept_state()
        self._ssl = ssl
        self._set_state(State.CONNECTING)

    def receive(self, data: bytes) -> None:
        """Take one DTLS datagram."""
        ssl = self._ssl
        if ssl is None or self._state not in (State.CONNECTING, State.CONNECTED):
            return
        ssl.bio_write(data)
        if not self.encrypted:
            self._handshake()
            if not self.encrypted:
                return
        for _ in range(MAX_RECORDS_PER_DATAGRAM):
            try:
                message = ssl.recv(MAX_APPLICATION_DATA)
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                self._write_records()
                self._set_state(State.CLOSED)
                raise RemoteClosedError("closed by the remote") from None
            except SSL.Error:
                break  # a damaged or unexpected record: ignored (RFC 6347, section 4.1.2.7)
            if self._data_receiver is not None:
                drive(self._data_receiver._handle_data(message))
                if self._state != State.CONNECTED:
                    return
        self._write_records()

    def timeout(self) -> float | None:
        """Seconds until `on_timeout` is due, None if no flight is waiting for an answer."""
        if self._ssl is None or self._state not in (State.CONNECTING, State.CONNECTED):
            return None
        return self._ssl.DTLSv1_get_timeout()

    def on_timeout(self) -> None:
        """Send the last flight again (RFC 6347, section 4.2.4)."""
        assert self._ssl is not None
        try:
            self._ssl.DTLSv1_handle_timeout()
        except SSL.Error:
            self._fail("DTLS handshake: no answer")
        self._write_records()

    def shutdown(self) -> None:
        """Send close_notify and forget the keys."""
        if self._ssl is not None and self._state in (State.CONNECTING, State.CONNECTED):
            try:
                self._ssl.shutdown()
            except SSL.Error:
                log.debug("no close_notify could be sent")
            self._write_records()
        self.rx = self.tx = None
        self._set_state(State.CLOSED)

    def protect_rtcp(self, compound: bytes) -> bytes:
        """Protect one compound RTCP packet. Raises pylibsrtp.Error or ValueError."""
        return self._tx_srtp.protect_rtcp(compound)

    async def _send_data(self, data: bytes) -> None:
        receiver = self._data_receiver
        if isinstance(receiver, SctpAssociation):
            receiver.observer.sent(data)
        await super()._send_data(data)

    def _handshake(self) -> None:
        assert self._ssl is not None
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            self._write_records()
            return
        except SSL.Error as error:
            self._write_records()
            log.debug("DTLS handshake: %s", error)
            self._fail("DTLS handshake failed")
        self._write_records()
        self.encrypted = True
        assert self._parameters is not None
        self._validate_peer_identity(self._parameters)
        if self._state == State.FAILED:
            raise TransportError("DTLS fingerprint mismatch")
        self._setup_srtp()
        self._set_state(State.CONNECTED)

    def _fail(self, reason: str) -> None:
        self._set_state(State.FAILED)
        raise TransportError(reason)

    def _setup_srtp(self) -> None:
        """RFC 5764, section 4.2; unlike aiortc's, with replay protection in both directions."""
        assert self._ssl is not None
        name = self._ssl.get_selected_srtp_profile()
        profile = next((p for p in self._srtp_profiles if p.openssl_profile == name), None)
        if profile is None:
            self._fail("no SRTP profile negotiated")
            return
        material = self._ssl.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (profile.key_length + profile.salt_length)
        )
        self._rx_srtp = self._new_session(profile, material, 0, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self._tx_srtp = self._new_session(profile, material, 1, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self.rx = self._rx_srtp._srtp[0]
        self.tx = self._tx_srtp._srtp[0]
        self.profile = profile
        self.tag_bytes = TAG_BYTES[profile.openssl_profile]

    @staticmethod
    def _new_session(
        profile: SRTPProtectionProfile, material: bytes, side: int, direction: int
    ) -> pylibsrtp.Session:
        policy = pylibsrtp.Policy(
            key=profile.get_key_and_salt(material, side),
            ssrc_type=direction,
            srtp_profile=profile.libsrtp_profile,
        )
        policy.allow_repeat_tx = False
        policy.window_size = REPLAY_WINDOW
        return pylibsrtp.Session(policy)

    def _write_records(self) -> None:
        assert self._ssl is not None
        while True:
            try:
                flight = self._ssl.bio_read(65536)
            except SSL.Error:
                return
            if len(flight) <= DTLS_MTU:
                self._send_datagram(flight)
                continue
            for datagram in split_records(flight):
                self._send_datagram(datagram)

    async def _write_ssl(self) -> None:
        self._write_records()

    async def start(self, remoteParameters: RTCDtlsParameters) -> None:  # noqa: N803 - aiortc's name
        """Not for this adapter: see `begin`."""
        raise NotImplementedError

    async def stop(self) -> None:
        """See `shutdown`."""
        self.shutdown()


class SctpAssociation(RTCSctpTransport):
    """aiortc's association, with every packet shown to an observer first, and its state made readable."""

    def __init__(self, dtls: DtlsTransport, port: int, observer: SctpObserver) -> None:
        super().__init__(dtls, port)
        self.observer = observer

    def begin(self, remote_port: int, remote_max_message_bytes: int) -> None:
        """Start; DTLS must be connected. A maximum of 0 means no limit."""
        capabilities = RTCSctpCapabilities(maxMessageSize=remote_max_message_bytes)
        drive(self.start(capabilities, remote_port))

    def end(self) -> None:
        """Abort and close every channel."""
        drive(self.stop())

    def held(self) -> tuple[int, int]:
        """Bytes and chunks received but not delivered, as part of an incomplete or early message."""
        streams = self._inbound_streams.values()
        return MAX_HELD_BYTES - self._advertised_rwnd, sum(len(stream.reassembly) for stream in streams)

    def outstanding(self) -> int:
        """Chunks that the remote has not acknowledged."""
        return len(self._outbound_queue) + len(self._sent_queue)

    def acknowledged(self) -> int:
        """Last TSN acknowledged by the remote: changes when the remote takes data."""
        return self._last_sacked_tsn

    def channels(self) -> list[RTCDataChannel]:
        """Every channel, also one still without label in our books."""
        return list(self._data_channels.values())

    async def _handle_data(self, data: bytes) -> None:
        started = time.thread_time()
        try:
            if self.observer.admit(data):
                await super()._handle_data(data)
                self._cwnd = min(self._cwnd, MAX_CONGESTION_WINDOW_BYTES)
        finally:
            self.observer.spent(time.thread_time() - started)
