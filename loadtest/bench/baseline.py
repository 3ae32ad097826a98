"""The floor of forwarding: the same datagrams from bare loops, in the same run as the server's figures.

In C where a compiler is at hand, and in Python with one `sendmmsg` per burst through cffi.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_name("sendmmsg.c")


@contextmanager
def receivers(count: int) -> Iterator[list[int]]:
    """Ports of UDP sockets that hold what they get until it overflows: delivery is paid by the sender."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        yield [int(sock.getsockname()[1]) for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


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

    def us_per_packet(self, fan_out: int, burst: int, size: int, *, gso: bool, bursts: int = 400) -> float:
        """CPU microseconds for each datagram."""
        with receivers(fan_out) as ports:
            arguments = [fan_out, burst, size, bursts, int(gso), *ports]
            result = subprocess.run(
                [str(self._program), *map(str, arguments)], check=True, capture_output=True, text=True
            )
        return float(result.stdout) * 1e6 / (bursts * fan_out * burst)

    def close(self) -> None:
        """Remove the program."""
        shutil.rmtree(self._directory, ignore_errors=True)


_PYTHON_LOOP = '''
import resource, socket, sys, time
from cffi import FFI
fan_out, burst, size, bursts = map(int, sys.argv[1:5])
ports = list(map(int, sys.argv[5:]))
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
for _ in range(bursts):
    done = 0
    while done < count:
        sent = libc.sendmmsg(sock.fileno(), headers + done, count - done, 0)
        if sent <= 0:
            raise SystemExit("sendmmsg failed")
        done += sent
    time.sleep(0.002)
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_utime + usage.ru_stime - before)
'''


def python_us_per_packet(fan_out: int, burst: int, size: int, *, bursts: int = 400) -> float:
    """CPU microseconds per datagram of a bare Python loop: one `sendmmsg` per burst, nothing else."""
    with receivers(fan_out) as ports:
        result = subprocess.run(
            [sys.executable, "-c", _PYTHON_LOOP, *map(str, [fan_out, burst, size, bursts, *ports])],
            check=True,
            capture_output=True,
            text=True,
        )
    return float(result.stdout) * 1e6 / (bursts * fan_out * burst)
