"""The floor of forwarding: the same datagrams from bare loops, taken in turn with the server's rounds.

In C where a compiler is at hand, and in Python with one `sendmmsg` per burst through cffi. The loops run on
the server's core, at the rhythm of its load, towards receivers that read: what differs is the work alone.
"""

from __future__ import annotations

import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("sendmmsg.c")
LOOP_S = 0.6
"""Length of one run of a loop."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What a loop sends: `burst` datagrams of `size` bytes to each of `fan_out` receivers, every period."""

    fan_out: int
    burst: int
    size: int
    period_us: int

    @property
    def bursts(self) -> int:
        """How many fill a run."""
        return max(1, round(LOOP_S * 1e6 / self.period_us))

    @property
    def datagrams(self) -> int:
        """How many a run sends."""
        return self.bursts * self.fan_out * self.burst


@contextmanager
def receivers(count: int) -> Iterator[list[int]]:
    """Ports of UDP sockets that a thread of this process reads."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    ended = threading.Event()

    def read() -> None:
        with selectors.DefaultSelector() as selector:
            for sock in sockets:
                selector.register(sock, selectors.EVENT_READ)
            while not ended.is_set():
                for key, _ in selector.select(timeout=0.05):
                    try:
                        while True:
                            key.fileobj.recv(65536)  # type: ignore[union-attr]
                    except BlockingIOError:
                        continue

    thread = threading.Thread(target=read, name="receivers of the bare loop", daemon=True)
    try:
        for sock in sockets:
            sock.setblocking(False)
            sock.bind(("127.0.0.1", 0))
        thread.start()
        yield [int(sock.getsockname()[1]) for sock in sockets]
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()
        for sock in sockets:
            sock.close()


def _run(command: list[str], arguments: list[int], ports: list[int], core: int | None) -> float:
    """CPU seconds that the command says it took."""
    whole = [*command, *map(str, arguments), *map(str, ports)]
    process = subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    output, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"a bare loop failed: {errors.strip() or process.returncode}")
    return float(output)


class CompiledLoop:
    """`sendmmsg.c`, built once into a temporary directory; None where there is no C compiler."""

    def __init__(self, directory: Path, program: Path) -> None:
        self._directory = directory
        self._program = program

    @classmethod
    def build(cls) -> CompiledLoop | None:
        """Compile it; None without a compiler."""
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            return None
        directory = Path(tempfile.mkdtemp(prefix="raisehand-bench-"))
        program = directory / "sendmmsg"
        subprocess.run([compiler, "-O2", "-o", str(program), str(SOURCE)], check=True, capture_output=True)
        return cls(directory, program)

    def us_per_packet(self, rhythm: Rhythm, *, gso: bool, core: int | None) -> float:
        """CPU microseconds for each datagram, on `core` where one is given."""
        with receivers(rhythm.fan_out) as ports:
            arguments = [
                rhythm.fan_out, rhythm.burst, rhythm.size, rhythm.bursts, rhythm.period_us, int(gso),
            ]  # fmt: skip
            return _run([str(self._program)], arguments, ports, core) * 1e6 / rhythm.datagrams

    def close(self) -> None:
        """Remove the program."""
        shutil.rmtree(self._directory, ignore_errors=True)


_PYTHON_LOOP = '''
import resource, socket, sys, time
from cffi import FFI
fan_out, burst, size, bursts, period_us = map(int, sys.argv[1:6])
ports = list(map(int, sys.argv[6:]))
ffi = FFI()
ffi.cdef("""
struct iovec { void *base; size_t length; };
struct msghdr { void *name; unsigned namelen; struct iovec *iov; size_t iovlen; void *control;
                size_t controllen; int flags; };
struct mmsghdr { struct msghdr header; unsigned sent; };
int sendmmsg(int, struct mmsghdr *, unsigned, int);
""")
libc = ffi.dlopen(None)
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
count = fan_out * burst
headers = ffi.new("struct mmsghdr[]", count)
vectors = ffi.new("struct iovec[]", count)
payload = ffi.new("char[]", size)
keep = []
for i in range(count):
    raw = (socket.AF_INET.to_bytes(2, sys.byteorder) + ports[i // burst].to_bytes(2, "big")
           + socket.inet_aton("127.0.0.1") + bytes(8))
    address = ffi.new("char[]", raw)
    keep.append(address)
    vectors[i].base, vectors[i].length = payload, size
    headers[i].header.name, headers[i].header.namelen = address, 16
    headers[i].header.iov, headers[i].header.iovlen = vectors + i, 1
usage = resource.getrusage(resource.RUSAGE_SELF)
before = usage.ru_utime + usage.ru_stime
due = time.monotonic()
for _ in range(bursts):
    done = 0
    while done < count:
        sent = libc.sendmmsg(sock.fileno(), headers + done, count - done, 0)
        if sent <= 0:
            raise SystemExit("sendmmsg failed")
        done += sent
    due += period_us / 1e6
    time.sleep(max(0.0, due - time.monotonic()))
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_utime + usage.ru_stime - before)
'''


def python_us_per_packet(rhythm: Rhythm, *, core: int | None) -> float:
    """CPU microseconds per datagram of a bare Python loop: one `sendmmsg` per burst, nothing else."""
    with receivers(rhythm.fan_out) as ports:
        arguments = [rhythm.fan_out, rhythm.burst, rhythm.size, rhythm.bursts, rhythm.period_us]
        return _run([sys.executable, "-c", _PYTHON_LOOP], arguments, ports, core) * 1e6 / rhythm.datagrams
