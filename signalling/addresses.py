"""This machine's own addresses, and how a server's addresses are shown to people."""

from __future__ import annotations

import ipaddress
import os
import socket

import psutil


def own_addresses() -> list[str]:
    """Addresses of this machine's interfaces that others may reach: no loopback, no link-local ones."""
    found = []
    for name, addresses in psutil.net_if_addrs().items():
        if name.startswith(("docker", "br-", "veth")):
            continue
        for address in addresses:
            if address.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            parsed = ipaddress.ip_address(address.address.partition("%")[0])
            if not (parsed.is_loopback or parsed.is_link_local or parsed.is_multicast):
                found.append(str(parsed))
    return sorted(found, key=lambda text: (":" in text, text))


def host_in_url(host: str) -> str:
    """An address as it stands in a URL: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def speaks_chinese(environment: dict[str, str] | None = None) -> bool:
    """Whether messages to the person at the terminal should be Chinese (LC_ALL, LC_MESSAGES, LANG)."""
    values = dict(os.environ) if environment is None else environment
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if values.get(name):
            return values[name].lower().startswith("zh")
    return False
