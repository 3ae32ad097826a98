"""Off-path attackers: who can only send to the media ports, from addresses of their own."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
from typing import Any

import pytest
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport

from loadtest.wire import shared_certificate
from mediaserver.transport import stun
from tests.integration.faults.site import Site, paced

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

SECONDS = 2.0
FIRST_BYTES = (0, 1, 3, 20, 22, 63, 64, 127, 128, 144, 191, 192, 255)
"""Both ends of every range of RFC 7983."""


class Strangers:
    """Sockets on several addresses of this machine's loopback network."""

    def __init__(self, site: Site, number: int = 8) -> None:
        self.site = site
        self.sockets = []
        for index in range(number):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setblocking(False)
            sock.bind((f"127.0.0.{index + 2}", 0))
            sock.connect(site.media_address)
            self.sockets.append(sock)
        self.sent = 0

    def send(self, data: bytes) -> None:
        """From the next address."""
        try:
            self.sockets[self.sent % len(self.sockets)].send(data)
        except (BlockingIOError, ConnectionError):
            return
        self.sent += 1

    def answers(self) -> int:
        """Datagrams received."""
        count = 0
        for sock in self.sockets:
            try:
                while True:
                    sock.recv(4096)
                    count += 1
            except (BlockingIOError, ConnectionError):
                continue
        return count

    def __enter__(self) -> Strangers:
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self.sockets:
            sock.close()


async def dropped_since(site: Site, reason: str, before: float, number: float) -> None:
    """Wait until the server says that it dropped so many datagrams more for a reason."""
    async with asyncio.timeout(5.0):
        while await site.dropped(reason) - before < number:
            await asyncio.sleep(0.05)


async def client_hellos(number: int) -> list[bytes]:
    """Genuine ClientHellos, each of another client."""
    recorded: list[bytes] = []

    class Wire:
        role = "controlling"

        async def _send(self, data: bytes) -> None:
            recorded.append(data)

        async def _recv(self) -> bytes:
            raise ConnectionError

    for _ in range(number):
        wire: Any = Wire()
        dtls = RTCDtlsTransport(wire, [shared_certificate()])
        dtls._set_role("client")
        await dtls.start(RTCDtlsParameters([RTCDtlsFingerprint("sha-256", "00")], role="server"))
    assert all(hello[0] == 22 for hello in recorded)
    return recorded


async def test_datagrams_of_every_length(site: Site) -> None:
    garbage = [bytes(length) for length in range(65)]
    garbage += [bytes([first]) + os.urandom(length - 1) for length in range(1, 65) for first in FIRST_BYTES]
    empty, unvalidated = await site.dropped("empty"), await site.dropped("unvalidated")
    with Strangers(site) as strangers:
        async with site.undisturbed():
            await paced(lambda n: strangers.send(garbage[n % len(garbage)]), 2000, SECONDS)
            await paced(lambda _: strangers.send(b""), 500, 0.5)
        assert strangers.answers() == 0
    await dropped_since(site, "empty", empty, 250)
    await dropped_since(site, "unvalidated", unvalidated, 500)


async def test_the_same_with_a_callers_own_address(site: Site) -> None:
    """As if it were spoofed: an address that passed its checks, without the keys."""
    victim = site.callers[0]
    garbage = [bytes(length) for length in range(65)]
    garbage += [bytes([first]) + os.urandom(length - 1) for length in range(1, 65) for first in FIRST_BYTES]
    garbage += [
        b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x01\x00",  # close_notify in the clear
        b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28",  # fatal handshake_failure in the clear
        b"\x17\xfe\xfd\x00\x01" + bytes(6) + b"\x00\x20" + os.urandom(32),  # data under no key
        *await client_hellos(3),
    ]
    async with site.undisturbed():
        await paced(lambda n: victim.send_raw(garbage[n % len(garbage)]), 1500, SECONDS)


async def test_spoofed_client_hellos_during_set_ups(site: Site) -> None:
    hellos = await client_hellos(16)
    before = await site.dropped("dtls_unvalidated")
    with Strangers(site, 32) as strangers:
        async with site.undisturbed(set_ups=4) as verdict:
            sent = await paced(lambda n: strangers.send(hellos[n % len(hellos)]), 1000, SECONDS)
        assert strangers.answers() == 0
    assert len(verdict.set_ups) >= 4
    await dropped_since(site, "dtls_unvalidated", before, 0.9 * sent)


async def test_garbage_srtp_and_rtp_spray(site: Site) -> None:
    chance = random.Random(1)
    ssrcs = [caller.outgoing[0].ssrc for caller in site.callers]
    packets = [
        struct.pack("!BBHII", 0x90, 111, n & 0xFFFF, 960 * n, chance.choice(ssrcs)) + chance.randbytes(110)
        for n in range(500)
    ]
    packets += [struct.pack("!BBHI", 0x81, 201, 7, chance.choice(ssrcs)) + chance.randbytes(40)] * 50
    before = await site.dropped("unvalidated")
    with Strangers(site, 16) as strangers:
        async with site.undisturbed():
            await paced(lambda n: strangers.send(packets[n % len(packets)]), 5000, SECONDS)
        sent = strangers.sent
        assert strangers.answers() == 0
    await dropped_since(site, "unvalidated", before, 0.9 * sent)


def odd_stun(ufrag: str) -> list[bytes]:
    """Requests that nobody may be answered for."""

    def request(attributes: list[tuple[int, bytes]], key: bytes | None) -> bytes:
        return stun.build_stun(stun.BINDING_REQUEST, os.urandom(12), attributes, key)

    name = (stun.USERNAME, f"{ufrag}:x".encode())
    usual = [name, (stun.PRIORITY, bytes(4)), (stun.ICE_CONTROLLING, bytes(8)), (stun.USE_CANDIDATE, b"")]
    good = request(usual, b"guess" * 6)
    odd = [
        good,
        request([], None),
        request(usual, None),
        request([(stun.USERNAME, b"nobody:x")], b"x" * 32),
        request([(stun.USERNAME, b"")], b"x" * 32),
        request([(stun.USERNAME, b"\xff" * 513)], b"x" * 32),
        request([(0x8028 - n, bytes(4)) for n in range(1, 120)], b"x" * 32),
        request([*usual, (0x7FFF, bytes(1000))], b"x" * 32),
    ]
    odd += [good[:size] for size in range(len(good))]
    for at in range(20, len(good) - 4, 4):
        for length in (0, 1, 3, 0x7FFF, 0xFFFF):
            odd.append(good[: at + 2] + struct.pack("!H", length) + good[at + 4 :])
    for length in (0, 2, 0xFFFC, 0xFFFF):
        odd.append(good[:2] + struct.pack("!H", length) + good[4:])
    odd += [kind.to_bytes(2) + good[2:] for kind in (0x0003, 0x0101, 0x0111, 0x0011, 0x0008)]
    return odd


async def test_stun_that_is_not_authentic_gets_no_answer(site: Site) -> None:
    """Nor does it move a call, even when it names the right user: no reflection, no hijacking."""
    odd = [packet for caller in site.callers[:2] for packet in odd_stun(caller.credentials[0])]
    before = await site.dropped("stun_unauthentic"), await site.dropped("stun_malformed")
    with Strangers(site) as strangers:
        async with site.undisturbed():
            await paced(lambda n: strangers.send(odd[n % len(odd)]), 1500, SECONDS)
            await paced(lambda n: site.callers[0].send_raw(odd[n % len(odd)]), 1500, 0.5)
        await dropped_since(site, "stun_unauthentic", before[0], 10)
        await dropped_since(site, "stun_malformed", before[1], 10)
        assert strangers.answers() == 0


async def test_an_answer_is_not_longer_than_its_request(site: Site) -> None:
    """Even with stolen credentials the server amplifies nothing."""
    ufrag, password = site.callers[0].credentials
    attributes = [
        (stun.USERNAME, f"{ufrag}:{site.callers[0].own_ufrag}".encode()),
        (stun.PRIORITY, bytes(4)),
        (stun.ICE_CONTROLLING, bytes(8)),
    ]
    request = stun.build_stun(stun.BINDING_REQUEST, os.urandom(12), attributes, password.encode())
    with Strangers(site, 1) as strangers:
        strangers.send(request)
        answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(strangers.sockets[0], 4096), 5.0)
        assert answer[:2] == b"\x01\x01"
        assert len(answer) <= len(request)
    async with site.undisturbed(set_ups=0):  # and without USE-CANDIDATE the call stays where it is
        await asyncio.sleep(0.3)


# ICE-TCP


async def connect_from(site: Site, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", site.server.tcp_port, local_addr=(host, 0))


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the server closes a connection, within a deadline."""
    try:
        async with asyncio.timeout(5.0):
            return await reader.read() == b""
    except ConnectionError:
        return True


async def check_over_tcp(site: Site, host: str) -> bool:
    """An honest connectivity check over ICE-TCP, for a call in progress."""
    caller = site.callers[0]
    ufrag, password = caller.credentials
    attributes = [
        (stun.USERNAME, f"{ufrag}:{caller.own_ufrag}".encode()),
        (stun.PRIORITY, bytes(4)),
        (stun.ICE_CONTROLLING, bytes(8)),
    ]
    request = stun.build_stun(stun.BINDING_REQUEST, os.urandom(12), attributes, password.encode())
    reader, writer = await connect_from(site, host)
    writer.write(struct.pack("!H", len(request)) + request)
    async with asyncio.timeout(5.0):
        length = int.from_bytes(await reader.readexactly(2))
        answer = await reader.readexactly(length)
    writer.close()
    return answer[:2] == b"\x01\x01"


async def test_tcp_connections_that_say_nothing(site: Site) -> None:
    """One address gets its share, others still get through, and silence ends by a deadline."""
    refused = await site.dropped("tcp_connections")
    writers = []
    async with site.undisturbed():
        for _ in range(60):
            _, writer = await connect_from(site, "127.0.0.66")
            writers.append(writer)
        await dropped_since(site, "tcp_connections", refused, 28)
        assert await check_over_tcp(site, "127.0.0.67")
        expired = await site.dropped("tcp_unauthenticated")
        for writer in writers[:20]:
            writer.close()
    for writer in writers:
        writer.close()
    assert (await site.metrics())["raisehand_tcp_connections"] <= 32
    assert expired >= 0


async def test_slow_and_garbled_tcp(site: Site) -> None:
    oversized = await site.dropped("tcp_frame")
    expired = await site.dropped("tcp_unauthenticated")
    async with site.undisturbed():
        slow = [await connect_from(site, "127.0.0.70") for _ in range(10)]
        request = struct.pack("!H", 100) + bytes(100)
        for index, (host, data) in enumerate(
            [
                ("127.0.0.71", b"\xff\xff"),
                ("127.0.0.72", b"GET / HTTP/1.1\r\n\r\n"),
                ("127.0.0.73", struct.pack("!H", 2049) + bytes(2049)),
                ("127.0.0.74", b"\x16\x03\x01\x02\x00\x01"),
                ("127.0.0.75", struct.pack("!H", 30) + os.urandom(30) + b"\xff\xff"),
            ]
        ):
            reader, writer = await connect_from(site, host)
            writer.write(data)
            assert await ended(reader), index
            writer.close()
        # Framed correctly, but never authentic: ended by the bytes that are allowed before.
        for frame in (struct.pack("!H", 4) + b"\xc0abc", struct.pack("!H", 0), struct.pack("!H", 1) + b"\0"):
            reader, writer = await connect_from(site, "127.0.0.76")
            writer.write(frame * 4000)
            assert await ended(reader)
            writer.close()
        for at in range(40):  # byte by byte
            for _, writer in slow:
                writer.write(request[at : at + 1])
            await asyncio.sleep(0.02)
        assert await check_over_tcp(site, "127.0.0.77")
    await dropped_since(site, "tcp_frame", oversized, 5)
    await dropped_since(site, "tcp_unauthenticated", expired, 3)
    for _, writer in slow:
        writer.close()


async def test_ipv6_is_guarded_alike(site: Site) -> None:
    try:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    sock.setblocking(False)
    before = await site.dropped("empty")
    async with site.undisturbed(set_ups=0):
        for length in range(65):
            sock.sendto(bytes(length), ("::1", site.server.udp_port))
        for _ in range(50):
            sock.sendto(b"", ("::1", site.server.udp_port))
    await dropped_since(site, "empty", before, 50)
    with pytest.raises(BlockingIOError):
        sock.recv(100)
    sock.close()
