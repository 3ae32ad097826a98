"""The local certificate of `--dev-tls`."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

from cryptography import x509

from signalling.certificates import ensure_local_certificate, server_context

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
NAMES = ["localhost", "127.0.0.1", "::1", "192.0.2.7"]


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_serves_every_name_and_is_signed_by_the_authority(tmp_path: Path) -> None:
    files = ensure_local_certificate(tmp_path / "tls", NAMES, now=NOW)
    certificate, authority = load(files.certificate), load(files.authority)
    certificate.verify_directly_issued_by(authority)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} == set(NAMES[1:])
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life <= datetime.timedelta(days=398)
    assert files.key.stat().st_mode & 0o077 == 0
    assert server_context(files.certificate, files.key).minimum_version is ssl.TLSVersion.TLSv1_2


def test_is_kept_while_it_serves(tmp_path: Path) -> None:
    first = ensure_local_certificate(tmp_path, NAMES, now=NOW).certificate.read_bytes()
    again = ensure_local_certificate(tmp_path, NAMES[:2], now=NOW + datetime.timedelta(days=100))
    assert again.certificate.read_bytes() == first


def test_new_address_or_age_bring_a_new_one_of_the_same_authority(tmp_path: Path) -> None:
    files = ensure_local_certificate(tmp_path, NAMES, now=NOW)
    first, authority = files.certificate.read_bytes(), files.authority.read_bytes()
    ensure_local_certificate(tmp_path, [*NAMES, "192.0.2.8"], now=NOW)
    second = files.certificate.read_bytes()
    assert second != first
    ensure_local_certificate(tmp_path, NAMES, now=NOW + datetime.timedelta(days=380))
    assert files.certificate.read_bytes() != second
    assert files.authority.read_bytes() == authority


def test_damaged_files_are_replaced(tmp_path: Path) -> None:
    files = ensure_local_certificate(tmp_path, NAMES, now=NOW)
    files.certificate.write_text("damaged")
    files.authority.write_text("damaged")
    ensure_local_certificate(tmp_path, NAMES, now=NOW)
    load(files.certificate).verify_directly_issued_by(load(files.authority))
