"""A local certificate authority and certificate for trying things out with phones in the LAN.

Browsers give camera and microphone to secure pages only. Whoever trusts the CA (or clicks the warning away)
gets one without a public domain. For `--dev-tls`; a real server has a real certificate.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS = 3650
LEAF_DAYS = 397
"""Browsers refuse leaf certificates that live longer than 398 days."""
RENEW_DAYS = 30


@dataclass(frozen=True, slots=True)
class LocalCertificate:
    """Files (PEM) of a certificate for this machine and of the CA that signed it."""

    certificate: Path
    key: Path
    authority: Path


def ensure_local_certificate(
    directory: Path, names: Sequence[str], *, now: datetime.datetime
) -> LocalCertificate:
    """The certificate in `directory` for these names and addresses, made or renewed if need be.

    The CA stays the same, so that a phone has to trust it once.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = LocalCertificate(
        directory / "dev-tls.pem", directory / "dev-tls-key.pem", directory / "dev-ca.pem"
    )
    authority_key_file = directory / "dev-ca-key.pem"
    authority = _load(files.authority, authority_key_file)
    if authority is None or authority[0].not_valid_after_utc < now + datetime.timedelta(days=LEAF_DAYS):
        authority = _make_authority(now)
        _store(files.authority, authority_key_file, authority)
        files.certificate.unlink(missing_ok=True)
    leaf = _load(files.certificate, files.key)
    if leaf is None or not _serves(leaf[0], names, now):
        leaf = _make_leaf(authority, names, now)
        _store(files.certificate, files.key, leaf)
    return files


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer with this certificate; raises OSError or ssl.SSLError when it cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


_Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _load(certificate: Path, key: Path) -> _Pair | None:
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError):
        return None
    return (loaded, private) if isinstance(private, ec.EllipticCurvePrivateKey) else None


def _store(certificate: Path, key: Path, pair: _Pair) -> None:
    key.touch(mode=0o600)
    key.write_bytes(
        pair[1].private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    certificate.write_bytes(pair[0].public_bytes(serialization.Encoding.PEM))


def _serves(certificate: x509.Certificate, names: Sequence[str], now: datetime.datetime) -> bool:
    if certificate.not_valid_after_utc < now + datetime.timedelta(days=RENEW_DAYS):
        return False
    present = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(_general_names(names)) <= set(present)


def _general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    general: list[x509.GeneralName] = []
    for name in names:
        try:
            general.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            general.append(x509.DNSName(name))
    return general


def _make_authority(now: datetime.datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Raisehand development CA")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def _make_leaf(authority: _Pair, names: Sequence[str], now: datetime.datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority[1].public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Raisehand development")]))
        .issuer_name(authority[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=LEAF_DAYS - 1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .sign(authority[1], hashes.SHA256())
    )
    return certificate, key


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )
