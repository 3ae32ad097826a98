"""`raisehand doctor`: what would keep a server on this machine from working, with the remedy."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from signalling.pages import pages_directory
from signalling.settings import Settings

MINIMUM_PYTHON = (3, 11)
MINIMUM_NODE = 20
MINIMUM_DESCRIPTORS = 4096
"""Open files: one per WebSocket and ICE-TCP connection, and some."""
WANTED_BUFFER_BYTES = 4 << 20
"""Socket buffer that the media front asks for."""
UDP_SEGMENT = 103
"""Socket option of UDP segmentation offload (linux/udp.h)."""


class Verdict(Enum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and what to do about it."""

    subject: str
    verdict: Verdict
    text: str
    remedy: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """All checks, one after the other."""
    checks: tuple[Callable[[Settings], Finding], ...] = (
        _python,
        _http_port,
        _tcp_port,
        _udp_port,
        _loopback,
        _sendmmsg,
        _segmentation,
        _buffers,
        _descriptors,
        _page,
        _node,
        _clock,
        _data_dir,
    )
    for check in checks:
        yield check(settings)


def _python(_settings: Settings) -> Finding:
    text = f"Python {platform.python_version()}, {platform.system()} {platform.release()}"
    if sys.version_info < MINIMUM_PYTHON:
        return Finding("python", Verdict.FAILED, text, "sudo apt install python3.11")
    if platform.system() != "Linux" or sys.maxsize < 2**32:
        return Finding("python", Verdict.WARNING, text, "64-bit Linux is what is tested")
    return Finding("python", Verdict.OK, text)


def _try_port(kind: socket.SocketKind, host: str, port: int) -> str | None:
    """None when the port can be had, else why not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def _port(subject: str, kind: socket.SocketKind, host: str, port: int, flag: str) -> Finding:
    problem = _try_port(kind, host, port)
    if problem is None:
        return Finding(subject, Verdict.OK, f"port {port} is free")
    tool = "ss -lntp" if kind is socket.SOCK_STREAM else "ss -lnup"
    return Finding(
        subject,
        Verdict.FAILED,
        f"port {port}: {problem}",
        f"`{tool} 'sport = :{port}'` shows who has it; or choose another: {flag} 0",
    )


def _http_port(settings: Settings) -> Finding:
    return _port("http port", socket.SOCK_STREAM, settings.bind_host, settings.port, "--port")


def _tcp_port(settings: Settings) -> Finding:
    return _port("ICE-TCP port", socket.SOCK_STREAM, "0.0.0.0", settings.tcp_port, "--tcp-port")  # noqa: S104


def _udp_port(settings: Settings) -> Finding:
    return _port("media port", socket.SOCK_DGRAM, "0.0.0.0", settings.udp_port, "--udp-port")  # noqa: S104


def _loopback(_settings: Settings) -> Finding:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(1.0)
        try:
            sender.sendto(b"raisehand", receiver.getsockname())
            receiver.recv(64)
        except OSError as error:
            return Finding(
                "udp",
                Verdict.FAILED,
                f"UDP does not pass on loopback: {error}",
                "look at the firewall: nft list ruleset",
            )
    return Finding("udp", Verdict.OK, "UDP passes on loopback")


def _sendmmsg(_settings: Settings) -> Finding:
    if hasattr(ctypes.CDLL(None), "sendmmsg"):
        return Finding("batching", Verdict.OK, "sendmmsg is there: many datagrams per system call")
    return Finding("batching", Verdict.WARNING, "no sendmmsg in the C library", "use a glibc or musl Linux")


def _segmentation(_settings: Settings) -> Finding:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.setsockopt(socket.SOL_UDP, UDP_SEGMENT, 1200)
        except OSError:
            return Finding(
                "offload",
                Verdict.WARNING,
                "no UDP segmentation offload",
                "Linux 4.18 or newer has it; works without",
            )
    return Finding("offload", Verdict.OK, "UDP segmentation offload is there")


def _buffers(_settings: Settings) -> Finding:
    small = []
    for name in ("rmem_max", "wmem_max"):
        try:
            allowed = int(Path(f"/proc/sys/net/core/{name}").read_text())
        except (OSError, ValueError):
            continue
        if allowed < WANTED_BUFFER_BYTES:
            small.append((name, allowed))
    if not small:
        return Finding("buffers", Verdict.OK, "socket buffers may be as large as wanted")
    text = ", ".join(f"net.core.{name} = {allowed}" for name, allowed in small)
    remedy = "sudo sysctl -w " + " ".join(f"net.core.{name}={WANTED_BUFFER_BYTES}" for name, _ in small)
    return Finding("buffers", Verdict.WARNING, f"{text}: bursts may be dropped under load", remedy)


def _descriptors(_settings: Settings) -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= MINIMUM_DESCRIPTORS:
        return Finding("open files", Verdict.OK, f"{soft} open files allowed")
    remedy = (
        f"ulimit -n {MINIMUM_DESCRIPTORS}"
        if hard >= MINIMUM_DESCRIPTORS
        else "raise LimitNOFILE of the service"
    )
    return Finding("open files", Verdict.WARNING, f"only {soft} open files allowed", remedy)


def _page(_settings: Settings) -> Finding:
    directory = pages_directory()
    if directory is None:
        return Finding("web page", Verdict.WARNING, "the web page has not been built", "make web")
    return Finding("web page", Verdict.OK, f"served from {directory}")


def _node(_settings: Settings) -> Finding:
    """Only building the page needs Node; an installed wheel has it built."""
    program = shutil.which("node")
    if program is None:
        if pages_directory() is not None:
            return Finding("node", Verdict.OK, "no Node.js, and none needed: the page is built")
        return Finding("node", Verdict.WARNING, "no Node.js found", "`make web` brings its own")
    try:
        text = subprocess.run(  # noqa: S603  (a program found on the PATH, no input of others)
            [program, "--version"], capture_output=True, text=True, timeout=5, check=False
        ).stdout.strip()
        major = int(text.removeprefix("v").partition(".")[0])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return Finding("node", Verdict.WARNING, f"{program} does not work", "`make web` brings its own")
    if major < MINIMUM_NODE:
        return Finding("node", Verdict.WARNING, f"Node.js {text} is old", "`make web` brings a newer one")
    return Finding("node", Verdict.OK, f"Node.js {text}")


def _clock(_settings: Settings) -> Finding:
    """Tokens have a beginning and an end; a wrong clock refuses them."""
    if time.get_clock_info("monotonic").resolution > 1e-3:
        return Finding("clock", Verdict.WARNING, "the monotonic clock is coarse", "check the clock source")
    program = shutil.which("timedatectl")
    if program is not None:
        try:
            answer = subprocess.run(  # noqa: S603  (a program found on the PATH, no input of others)
                [program, "show", "--property=NTPSynchronized", "--value"],
                capture_output=True,
                text=True,
                timeout=5,
                check=False,
            ).stdout.strip()
        except (OSError, subprocess.TimeoutExpired):
            answer = ""
        if answer == "no":
            return Finding(
                "clock", Verdict.WARNING, "the clock is not synchronised", "sudo timedatectl set-ntp true"
            )
        if answer == "yes":
            return Finding("clock", Verdict.OK, "the clock is synchronised")
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    return Finding("clock", Verdict.OK, f"{now}; whether it is synchronised cannot be asked here")


def _data_dir(settings: Settings) -> Finding:
    directory = settings.data_dir
    existing = directory
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not os.access(existing, os.W_OK):
        return Finding(
            "data", Verdict.FAILED, f"{directory} cannot be written", "choose another: --data-dir DIR"
        )
    free_gb = shutil.disk_usage(existing).free / 1e9
    verdict = Verdict.OK if free_gb >= 1 else Verdict.WARNING
    return Finding(
        "data", verdict, f"{directory}: {free_gb:.1f} GB free", "" if free_gb >= 1 else "make room"
    )
