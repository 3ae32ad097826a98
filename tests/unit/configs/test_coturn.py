"""The coturn configuration refuses every address that is not public unicast, in each form it can take."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

CONF = Path(__file__).parents[3] / "configs" / "coturn" / "turnserver.conf"
Address = IPv4Address | IPv6Address


def settings(name: str) -> list[str]:
    pairs = (line.partition("=") for line in CONF.read_text().splitlines() if not line.startswith("#"))
    return [value for key, _, value in pairs if key == name]


RANGES = [
    (ip_address(low), ip_address(high))
    for low, high in (value.split("-", 1) for value in settings("denied-peer-ip"))
]


def less_or_equal(one: Address, other: Address) -> bool:
    """coturn's order: every IPv4 address comes before every IPv6 address."""
    return (one.version, int(one)) <= (other.version, int(other))


def denied(address: Address) -> bool:
    """As coturn 4.6 decides (`ioa_addr_in_range`): an unspecified bound holds for every address."""
    if address.is_unspecified:
        return True  # refused like loopback, without a range
    return any(
        (low.is_unspecified or less_or_equal(low, address))
        and (high.is_unspecified or less_or_equal(address, high))
        for low, high in RANGES
    )


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.31.255.255"),
        *("192.168.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
        *("::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::a00:1", "2002:a00:1::1", "2001:0:a00:1::1"),
        *("fc00::1", "fd12:3456:789a::1", "fe80::1", "fec0::1", "ff02::1"),
    ],
)
def test_internal_addresses_are_denied(address: str) -> None:
    assert denied(ip_address(address))


# Tried against coturn 4.6.1 as well: 8.8.8.8 was refused while a range began with "::".
@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "172.32.0.0", "2400:cb00::1"]
)
def test_public_addresses_are_not_denied(address: str) -> None:
    assert not denied(ip_address(address))


@given(st.ip_addresses(v=4))
def test_what_python_calls_not_global_is_denied(address: IPv4Address) -> None:
    # 192.0.0.9 and .10 are global anycast services inside a special block that we deny as a whole.
    assert denied(address) or (address.is_global and not address.is_multicast)


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_gets_through_in_ipv6_clothes(address: IPv4Address) -> None:
    number = int(address)
    for form in (
        IPv6Address(number),
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0x0064FF9B << 96 | number),
        IPv6Address(0x2002 << 112 | number << 80 | 1),
    ):
        assert denied(form)


@given(st.ip_addresses(v=6))
def test_what_python_calls_not_global_ipv6_is_denied(address: IPv6Address) -> None:
    assert denied(address) or address.is_global


def test_only_time_limited_credentials_are_accepted() -> None:
    lines = CONF.read_text().splitlines()
    assert "use-auth-secret" in lines
    assert "no-multicast-peers" in lines
    assert not settings("user")
    assert not settings("allowed-peer-ip")
