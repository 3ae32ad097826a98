"""A child process that sends garbage fast: `python -m tests.integration.faults.flood PORT RATE SECONDS`.

With UDP segmentation offload one system call sends 50 datagrams, so one core reaches 50,000 a
second and more. Only to this machine. Prints how many datagrams it sent.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time

UDP_SEGMENT = 103
"""From linux/udp.h."""
SEGMENT_BYTES = 130
SEGMENTS = 50


def flood(port: int, per_second: float, seconds: float) -> int:
    """Send garbage that looks like SRTP; how much was sent."""
    senders = []
    for host in range(2, 10):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((f"127.0.1.{host}", 0))
        sock.connect(("127.0.0.1", port))
        sock.setsockopt(socket.SOL_UDP, UDP_SEGMENT, SEGMENT_BYTES)
        senders.append(sock)
    header = struct.pack("!BBHII", 0x90, 111, 7, 7, 7)
    burst = b"".join(header + os.urandom(SEGMENT_BYTES - len(header)) for _ in range(SEGMENTS))
    sent = 0
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        while sent < elapsed * per_second:
            try:
                senders[sent // SEGMENTS % len(senders)].send(burst)
            except OSError:
                break
            sent += SEGMENTS
        time.sleep(0.002)
    return sent


if __name__ == "__main__":
    print(flood(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
