"""The adapter, and that the private parts it stands on are still there."""

import inspect
from collections import deque

import aiortc.rtcdtlstransport
import pylibsrtp
import pytest
from aiortc import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsTransport, SRTPProtectionProfile, State
from aiortc.rtcsctptransport import RTCSctpTransport
from OpenSSL import SSL

from mediaserver.transport import dtls
from mediaserver.transport.dtls import CertificateStore, DtlsTransport, SharedCertificate, split_records
from mediaserver.transport.errors import RemoteClosedError, TransportError


@pytest.fixture(scope="module")
def certificate() -> SharedCertificate:
    return SharedCertificate.generateCertificate()


class Wire:
    """A client's side: OpenSSL through memory."""

    def __init__(
        self, server: DtlsTransport, out: deque[bytes], profiles: list[SRTPProtectionProfile] | None = None
    ) -> None:
        self.certificate = RTCCertificate.generateCertificate()
        self.server = server
        self.out = out
        context = self.certificate._create_ssl_context(profiles or dtls.SRTP_PROFILES)
        self.ssl = SSL.Connection(context)
        self.ssl.set_connect_state()

    @property
    def fingerprints(self) -> tuple[tuple[str, str], ...]:
        return tuple((f.algorithm, f.value) for f in self.certificate.getFingerprints())

    def shake(self) -> None:
        for _ in range(10):
            try:
                self.ssl.do_handshake()
            except SSL.WantReadError:
                pass
            else:
                if self.server.connected:
                    return
            try:
                flight = self.ssl.bio_read(65536)
            except SSL.WantReadError:
                flight = b""
            for datagram in split_records(flight):
                self.server.receive(datagram)
            while self.out:
                self.ssl.bio_write(self.out.popleft())

    def session(self, profile: SRTPProtectionProfile, side: int, direction: int) -> pylibsrtp.Session:
        material = self.ssl.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (profile.key_length + profile.salt_length)
        )
        key = profile.get_key_and_salt(material, side)
        policy = pylibsrtp.Policy(key=key, ssrc_type=direction, srtp_profile=profile.libsrtp_profile)
        policy.allow_repeat_tx = True
        return pylibsrtp.Session(policy)


def connected(
    certificate: SharedCertificate, profiles: list[SRTPProtectionProfile] | None = None
) -> tuple[DtlsTransport, Wire, deque[bytes]]:
    out: deque[bytes] = deque()
    server = DtlsTransport(certificate, out.append)
    wire = Wire(server, out, profiles)
    server.begin(wire.fingerprints)
    wire.shake()
    assert server.connected
    return server, wire, out


def test_private_attributes_of_aiortc_are_there(certificate: SharedCertificate) -> None:
    """Each of these is used by mediaserver/transport/dtls.py or overridden there."""
    transport = DtlsTransport(certificate, lambda data: None)
    for name in (
        "_ssl",
        "_state",
        "_role",
        "_srtp_profiles",
        "_data_receiver",
        "_rx_srtp",
        "_tx_srtp",
        "encrypted",
    ):
        assert hasattr(transport, name), name
    for name in (
        "_validate_peer_identity",
        "_setup_srtp",
        "_set_role",
        "_set_state",
        "_send_data",
        "_write_ssl",
    ):
        assert callable(getattr(RTCDtlsTransport, name)), name
    assert inspect.iscoroutinefunction(RTCDtlsTransport._write_ssl)
    assert inspect.iscoroutinefunction(RTCDtlsTransport._send_data)
    assert list(inspect.signature(RTCCertificate._create_ssl_context).parameters) == ["self", "srtp_profiles"]
    assert {"NEW", "CONNECTING", "CONNECTED", "CLOSED", "FAILED"} <= set(State.__members__)
    assert aiortc.rtcdtlstransport.SRTP_PROFILES, "libsrtp without AES-GCM"
    for name in ("srtp_protect", "srtp_unprotect", "srtp_protect_rtcp", "srtp_unprotect_rtcp"):
        assert callable(getattr(pylibsrtp.lib, name)), name  # type: ignore[attr-defined]
    assert pylibsrtp.Session()._srtp[0]


async def test_private_attributes_of_the_association_are_there(certificate: SharedCertificate) -> None:
    association = RTCSctpTransport(DtlsTransport(certificate, lambda data: None), 5000)
    assert association._advertised_rwnd == 1 << 20
    for name in (
        "_inbound_streams",
        "_outbound_queue",
        "_sent_queue",
        "_last_sacked_tsn",
        "_data_channels",
        "_cwnd",
    ):
        assert hasattr(association, name), name
    assert list(association._get_inbound_stream(0).reassembly) == []
    assert inspect.iscoroutinefunction(RTCSctpTransport._handle_data)
    assert RTCDataChannel(association, RTCDataChannelParameters(label="x")).bufferedAmount == 0


@pytest.mark.parametrize("profile", dtls.SRTP_PROFILES, ids=lambda p: p.openssl_profile.decode())
def test_handshake_agrees_on_keys(certificate: SharedCertificate, profile: SRTPProtectionProfile) -> None:
    server, wire, _ = connected(certificate, [profile])
    assert server.suite == profile.openssl_profile.decode()
    length = dtls.new_length()
    sender = wire.session(profile, 0, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
    plain = b"\x80\x60\x00\x01" + bytes(8) + b"payload"
    protected = sender.protect(plain)
    assert len(protected) == len(plain) + server.tag_bytes
    ffi = pylibsrtp.ffi  # type: ignore[attr-defined]
    for expected in (0, 9):  # the second is a replay
        buffer = ffi.new("char[]", protected)
        length[0] = len(protected)
        assert dtls.srtp_unprotect(server.rx, buffer, length) == expected
    receiver = wire.session(profile, 1, pylibsrtp.Policy.SSRC_ANY_INBOUND)
    buffer = ffi.new("char[]", plain + bytes(64))
    length[0] = len(plain)
    assert dtls.srtp_protect(server.tx, buffer, length) == 0
    assert receiver.unprotect(bytes(ffi.buffer(buffer)[0 : length[0]])) == plain
    rtcp = b"\x80\xc9\x00\x01" + bytes(4)
    assert receiver.unprotect_rtcp(server.protect_rtcp(rtcp)) == rtcp


def test_one_nonce_never_protects_two_packets(certificate: SharedCertificate) -> None:
    server, _, _ = connected(certificate)
    length = dtls.new_length()
    ffi = pylibsrtp.ffi  # type: ignore[attr-defined]
    for payload, expected in ((b"first", 0), (b"other", 9)):
        buffer = ffi.new("char[]", b"\x80\x60\x00\x07" + bytes(8) + payload + bytes(64))
        length[0] = 12 + len(payload)
        assert dtls.srtp_protect(server.tx, buffer, length) == expected


def test_gcm_is_preferred(certificate: SharedCertificate) -> None:
    server, _, _ = connected(certificate, list(reversed(dtls.SRTP_PROFILES)))
    assert server.suite == "SRTP_AEAD_AES_128_GCM"


def test_wrong_fingerprint_fails(certificate: SharedCertificate) -> None:
    out: deque[bytes] = deque()
    server = DtlsTransport(certificate, out.append)
    wire = Wire(server, out)
    server.begin((("sha-256", ":".join(["00"] * 32)),))
    with pytest.raises(TransportError, match="fingerprint"):
        wire.shake()
    assert server.tx is None
    assert server.rx is None


def test_garbage_during_the_handshake_is_ignored(certificate: SharedCertificate) -> None:
    out: deque[bytes] = deque()
    server = DtlsTransport(certificate, out.append)
    wire = Wire(server, out)
    server.begin(wire.fingerprints)
    for first in (20, 22, 23, 40, 63):
        for size in range(1, 64):
            server.receive(bytes([first]) * size)
    wire.shake()
    assert server.connected


def test_no_fingerprint_is_refused(certificate: SharedCertificate) -> None:
    with pytest.raises(ValueError, match="fingerprints"):
        DtlsTransport(certificate, lambda data: None).begin(())


def test_goodbye_is_noticed(certificate: SharedCertificate) -> None:
    server, wire, _ = connected(certificate)
    wire.ssl.shutdown()
    with pytest.raises(RemoteClosedError):
        server.receive(wire.ssl.bio_read(1500))
    assert not server.connected


def test_flights_fit_into_datagrams(certificate: SharedCertificate) -> None:
    record = b"\x16\xfe\xfd" + bytes(8) + (500).to_bytes(2, "big") + bytes(500)
    flight = record * 5
    datagrams = split_records(flight)
    assert [len(datagram) for datagram in datagrams] == [1026, 1026, 513]
    assert b"".join(datagrams) == flight
    assert split_records(b"") == []
    assert split_records(b"\x16\xfe\xfd") == [b"\x16\xfe\xfd"]
    unified = b"\x2c" + bytes(2) + (700).to_bytes(2, "big") + bytes(700)
    assert [len(datagram) for datagram in split_records(unified * 3)] == [705, 705, 705]


def test_certificate_is_shared_and_renewed() -> None:
    store = CertificateStore(lifetime_s=100.0)
    first = store.current(1000.0)
    assert store.current(1100.0) is first
    assert first._create_ssl_context(dtls.SRTP_PROFILES) is first._create_ssl_context(dtls.SRTP_PROFILES)
    second = store.current(1100.1)
    assert second is not first
    assert second.fingerprint != first.fingerprint
    assert len(first.fingerprint) == 95


def test_suspended_coroutine_is_an_error() -> None:
    import asyncio

    with pytest.raises(RuntimeError, match="suspended"):
        dtls.drive(asyncio.sleep(0))
