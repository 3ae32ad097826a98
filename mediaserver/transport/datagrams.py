"""UDP sockets that receive and send in batches.

Two back ends with one interface: `recvmmsg`/`sendmmsg` with UDP GSO through the C library, and one system
call per datagram. A remote address is named by the raw bytes of its ``sockaddr``: the key that `recvmmsg`
hands us, so that finding the transport of a datagram costs one slice and one dictionary look-up.

Figures behind the shape of this file (CPython 3.11): a call through cffi's ABI mode costs 0.5 us, so it must
be per batch; a field of a C structure set through cffi 0.1 us, through a memoryview of 64-bit words 0.04 us.
"""

import ctypes.util
import errno
import logging
import socket
import struct
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from cffi import FFI

from mediaserver.transport.config import Batching, TransportConfig

log = logging.getLogger(__name__)

RECEIVE_SLOTS = 64
"""Datagrams taken by one `recvmmsg`."""
SLOT_SHIFT = 11
SLOT_BYTES = 1 << SLOT_SHIFT
"""Room per received datagram; one that fills it was longer than anything WebRTC sends and is dropped."""
SLOT_TAIL_BYTES = 256
"""Slack after the last slot."""

SEND_MESSAGES = 256
"""Messages (single datagrams or GSO runs) in one `sendmmsg`; the kernel's limit is 1,024."""
ARENA_BYTES = 256 * 1024
"""Bytes of one batch. Larger was slower: the arena should stay in the second-level cache."""
DATAGRAM_ROOM = 2048
"""Room a datagram may need in the arena, SRTP trailer included."""
MAX_GSO_SEGMENTS = 64
"""UDP_MAX_SEGMENTS of Linux before 6.9."""
MAX_GSO_BYTES = 65_000
"""Below the 65,535 of an IP packet, less headers."""

SOL_UDP = 17
UDP_SEGMENT = 103
"""linux/udp.h"""
IP_MTU_DISCOVER = 10
IPV6_MTU_DISCOVER = 23
PMTUDISC_OMIT = 5
"""linux/in.h: ignore path MTU learned from ICMP (which anyone can spoof), fragment if need be."""

_IN4_BYTES = 16
_IN6_BYTES = 28
_in4 = struct.Struct("=H2s4s8x")
_in6 = struct.Struct("=H2sI16sI")

_GSO_BROKEN = frozenset({errno.EIO, errno.EOPNOTSUPP, errno.ENOPROTOOPT})
"""Errors that say the device or kernel cannot do GSO at all."""

ffi: Any = FFI()
ffi.cdef("""
struct iovec { void *iov_base; size_t iov_len; };
struct msghdr {
    void *msg_name; unsigned int msg_namelen; struct iovec *msg_iov; size_t msg_iovlen;
    void *msg_control; size_t msg_controllen; int msg_flags;
};
struct mmsghdr { struct msghdr msg_hdr; unsigned int msg_len; };
int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags);
int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags, void *timeout);
""")


def _load_libc() -> Any:
    """The C library if it has the batched calls, else None."""
    try:
        libc = ffi.dlopen(None)
        libc.sendmmsg, libc.recvmmsg  # noqa: B018 - the look-up is the test
    except (OSError, AttributeError):
        name = ctypes.util.find_library("c")
        if name is None:
            return None
        try:
            libc = ffi.dlopen(name)
            libc.sendmmsg, libc.recvmmsg  # noqa: B018
        except (OSError, AttributeError):
            return None
    return libc


_libc: Any = _load_libc()


def has_batched_calls() -> bool:
    """Whether `sendmmsg` and `recvmmsg` can be called."""
    return _libc is not None


def pack_address(address: tuple[Any, ...]) -> bytes:
    """The raw ``sockaddr`` of what Python's socket module calls an address."""
    host, port = address[0], address[1]
    if ":" in host:
        flow_info = address[2] if len(address) > 2 else 0
        scope = address[3] if len(address) > 3 else 0
        packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
        return _in6.pack(socket.AF_INET6, port.to_bytes(2, "big"), socket.htonl(flow_info), packed, scope)
    return _in4.pack(socket.AF_INET, port.to_bytes(2, "big"), socket.inet_aton(host))


def unpack_address(name: bytes) -> tuple[Any, ...]:
    """The inverse of `pack_address`."""
    if len(name) == _IN4_BYTES:
        _, port, packed = _in4.unpack(name)
        return socket.inet_ntop(socket.AF_INET, packed), int.from_bytes(port, "big")
    _, port, flow_info, packed, scope = _in6.unpack(name)
    host = socket.inet_ntop(socket.AF_INET6, packed)
    return host, int.from_bytes(port, "big"), socket.ntohl(flow_info), scope


class Peer:
    """A remote UDP address, ready for use in a system call."""

    __slots__ = ("_cdata", "address", "gso", "name", "pointer")

    def __init__(self, name: bytes) -> None:
        self.name = name
        """Raw ``sockaddr``."""
        self.address = unpack_address(name)
        self._cdata = ffi.new("unsigned char[]", name)
        self.pointer = int(ffi.cast("uintptr_t", self._cdata))
        self.gso = True
        """False after a GSO run to this address failed."""


def open_udp_socket(host: str, port: int, config: TransportConfig) -> socket.socket:
    """A bound, non-blocking socket with large buffers. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, config.receive_buffer_bytes)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, config.send_buffer_bytes)
        try:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_OMIT)
            else:
                sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_OMIT)
        except OSError as error:
            log.debug("path MTU discovery stays as it is: %s", error)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def supports_gso(sock: socket.socket) -> bool:
    """Whether the kernel knows UDP_SEGMENT (Linux 4.18)."""
    try:
        sock.getsockopt(SOL_UDP, UDP_SEGMENT)
    except OSError:
        return False
    return True


class Receiver(ABC):
    """Takes datagrams from a socket into fixed slots.

    After `receive` returned ``n``, datagram ``i`` lies in ``buffer[i << SLOT_SHIFT :]``, is ``lengths[i]``
    bytes long and came from ``names[i]``.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._arena: Any = ffi.new("char[]", RECEIVE_SLOTS * SLOT_BYTES + SLOT_TAIL_BYTES)
        self.buffer: Any = ffi.buffer(self._arena)
        """Slices of it are new `bytes` objects."""
        self.view = memoryview(self.buffer).cast("B")
        """For single bytes as integers."""
        self.pointers: list[Any] = [self._arena + (i << SLOT_SHIFT) for i in range(RECEIVE_SLOTS)]
        """``char *`` of each slot."""
        self.lengths: Sequence[int] = ()
        self.names: Sequence[bytes] = ()

    @abstractmethod
    def receive(self) -> int:
        """Take up to `RECEIVE_SLOTS` datagrams; 0 if there are none. Raises OSError."""


class PlainReceiver(Receiver):
    """One `recvfrom` per datagram."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._slots = [self.view[i << SLOT_SHIFT : (i + 1) << SLOT_SHIFT] for i in range(RECEIVE_SLOTS)]
        self._lengths = [0] * RECEIVE_SLOTS
        self._names = [b""] * RECEIVE_SLOTS
        self.lengths = self._lengths
        self.names = self._names

    def receive(self) -> int:
        count = 0
        for count, slot in enumerate(self._slots):
            try:
                length, address = self._socket.recvfrom_into(slot)
            except (BlockingIOError, InterruptedError):
                return count
            self._lengths[count] = length
            self._names[count] = pack_address(address)
        return RECEIVE_SLOTS


class BatchReceiver(Receiver):
    """One `recvmmsg` per batch."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._fd = sock.fileno()
        name_bytes = _IN6_BYTES if sock.family == socket.AF_INET6 else _IN4_BYTES
        self._names_cdata: Any = ffi.new("unsigned char[]", RECEIVE_SLOTS * 32)
        self._names_buffer: Any = ffi.buffer(self._names_cdata)
        self._name_slices = [slice(i * 32, i * 32 + name_bytes) for i in range(RECEIVE_SLOTS)]
        self._iovecs: Any = ffi.new("struct iovec[]", RECEIVE_SLOTS)
        self._messages: Any = ffi.new("struct mmsghdr[]", RECEIVE_SLOTS)
        for i in range(RECEIVE_SLOTS):
            self._iovecs[i].iov_base = self.pointers[i]
            self._iovecs[i].iov_len = SLOT_BYTES
            header = self._messages[i].msg_hdr
            header.msg_name = self._names_cdata + i * 32
            header.msg_namelen = name_bytes
            header.msg_iov = self._iovecs + i
            header.msg_iovlen = 1
        words = memoryview(ffi.buffer(self._messages)).cast("B").cast("I")
        stride = ffi.sizeof("struct mmsghdr") // 4
        offset = ffi.offsetof("struct mmsghdr", "msg_len") // 4
        self.lengths = words[offset::stride]
        self._recvmmsg = _libc.recvmmsg

    def receive(self) -> int:
        count: int = self._recvmmsg(self._fd, self._messages, RECEIVE_SLOTS, socket.MSG_DONTWAIT, ffi.NULL)
        if count < 0:
            number = ffi.errno
            if number in (errno.EAGAIN, errno.EINTR):
                return 0
            raise OSError(number, "recvmmsg")
        buffer = self._names_buffer
        self.names = [buffer[part] for part in self._name_slices[:count]]
        return count


class Sender(ABC):
    """Collects datagrams in an arena and hands them to the kernel in batches.

    Whoever fills the arena writes at ``arena[position:]``, keeps `position`, flushes before it passes
    `ARENA_BYTES`, and announces each finished datagram or run with `put`. A full set of messages is flushed
    by `put` itself; bytes of the arena not announced yet stay valid then. What the kernel does not take at
    once waits in a bounded backlog.
    """

    def __init__(self, sock: socket.socket, config: TransportConfig, watch: Callable[[bool], None]) -> None:
        self._socket = sock
        self._cdata: Any = ffi.new("char[]", ARENA_BYTES)
        self.arena = memoryview(ffi.buffer(self._cdata)).cast("B")
        """Where datagrams are built."""
        self.base: Any = self._cdata + 0
        """``char *`` of the arena."""
        self.position = 0
        """First free byte of the arena."""
        self.count = 0
        """Messages announced since the last flush."""
        self.gso = False
        """Whether runs may be announced as one message."""
        self.datagrams_sent = 0
        self.send_calls = 0
        self.dropped_backlog = 0
        """Datagrams dropped because the backlog was full."""
        self.dropped_error = 0
        """Datagrams the kernel refused for good."""
        self.backlog_bytes = 0
        self._max_backlog_bytes = config.max_send_backlog_bytes
        self._backlog: deque[tuple[tuple[Any, ...], bytes]] = deque()
        self._watch = watch

    @abstractmethod
    def put(self, peer: Peer, start: int, size: int, segment: int, segments: int) -> None:
        """Announce ``size`` bytes at ``start`` for ``peer``: ``segments`` datagrams of ``segment`` bytes
        each, of which the last may be shorter."""

    @abstractmethod
    def flush(self) -> None:
        """Hand everything announced to the kernel and make the arena free again."""

    def send(self, peer: Peer, data: bytes) -> None:
        """Queue one finished datagram for the next flush."""
        size = len(data)
        if self.position + size > ARENA_BYTES:
            self.flush()
        start = self.position
        self.arena[start : start + size] = data
        self.position = start + size
        self.put(peer, start, size, size, 1)

    def on_writable(self) -> None:
        """Send what waits; called by the event loop."""
        while self._backlog:
            address, data = self._backlog[0]
            try:
                self._socket.sendto(data, address)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.dropped_error += 1
            else:
                self.datagrams_sent += 1
            self._backlog.popleft()
            self.backlog_bytes -= len(data)
        self._watch(False)

    def close(self) -> None:
        """Forget what waits."""
        self._backlog.clear()
        self.backlog_bytes = 0

    def _hold(self, address: tuple[Any, ...], start: int, size: int, segment: int) -> None:
        """Keep datagrams that the kernel has no room for, singly, within the limit."""
        if not self._backlog:
            self._watch(True)
        for at in range(start, start + size, segment):
            data = bytes(self.arena[at : min(at + segment, start + size)])
            if self.backlog_bytes + len(data) > self._max_backlog_bytes:
                self.dropped_backlog += 1
                continue
            self._backlog.append((address, data))
            self.backlog_bytes += len(data)

    def _send_singly(self, address: tuple[Any, ...], start: int, size: int, segment: int) -> bool:
        """Send a run without GSO. False if the kernel had no room for all of it; the rest is held back."""
        end = start + size
        for at in range(start, end, segment):
            try:
                self.send_calls += 1
                self._socket.sendto(self.arena[at : min(at + segment, end)], address)
            except (BlockingIOError, InterruptedError):
                self._hold(address, at, end - at, segment)
                return False
            except OSError as error:
                self.dropped_error += 1
                log.debug("sendto %s: %s", address, error)
            else:
                self.datagrams_sent += 1
        return True


class PlainSender(Sender):
    """One `sendto` per datagram."""

    def __init__(self, sock: socket.socket, config: TransportConfig, watch: Callable[[bool], None]) -> None:
        super().__init__(sock, config, watch)
        self._messages: list[tuple[tuple[Any, ...], int, int, int]] = []

    def put(self, peer: Peer, start: int, size: int, segment: int, segments: int) -> None:
        self._messages.append((peer.address, start, size, segment))
        self.count += 1
        if self.count == SEND_MESSAGES:
            self.flush()

    def flush(self) -> None:
        messages = self._messages
        self._messages = []
        blocked = bool(self._backlog)
        for message in messages:
            if blocked:
                self._hold(*message)
            else:
                blocked = not self._send_singly(*message)
        self.count = 0
        self.position = 0


class BatchSender(Sender):
    """One `sendmmsg` per batch, a GSO run being one message of it."""

    def __init__(self, sock: socket.socket, config: TransportConfig, watch: Callable[[bool], None]) -> None:
        super().__init__(sock, config, watch)
        self._fd = sock.fileno()
        self.gso = config.gso and supports_gso(sock)
        name_bytes = _IN6_BYTES if sock.family == socket.AF_INET6 else _IN4_BYTES
        self._iovecs: Any = ffi.new("struct iovec[]", SEND_MESSAGES)
        self._messages: Any = ffi.new("struct mmsghdr[]", SEND_MESSAGES)
        # A control message of 16 bytes of header and 2 of segment size, aligned to 24.
        self._controls: Any = ffi.new("unsigned char[]", SEND_MESSAGES * 24)
        controls = ffi.buffer(self._controls)
        for i in range(SEND_MESSAGES):
            struct.pack_into("=QiiHxxxxxx", controls, i * 24, 18, SOL_UDP, UDP_SEGMENT, 0)
            header = self._messages[i].msg_hdr
            header.msg_namelen = name_bytes
            header.msg_iov = self._iovecs + i
            header.msg_iovlen = 1
            header.msg_control = self._controls + i * 24
        # 64-bit words: msg_name is word 0 of 8, msg_controllen word 5; an iovec is two, a control three.
        self._message_words = memoryview(ffi.buffer(self._messages)).cast("B").cast("Q")
        self._iovec_words = memoryview(ffi.buffer(self._iovecs)).cast("B").cast("Q")
        self._control_words = memoryview(controls).cast("B").cast("Q")
        self._base_address = int(ffi.cast("uintptr_t", self._cdata))
        self._peers: list[Peer] = []
        self._segment_counts: list[int] = []
        self._sendmmsg = _libc.sendmmsg

    def put(self, peer: Peer, start: int, size: int, segment: int, segments: int) -> None:
        index = self.count
        self.count = index + 1
        self._peers.append(peer)
        self._segment_counts.append(segments)
        words = self._message_words
        words[index << 3] = peer.pointer
        iovecs = self._iovec_words
        iovecs[index << 1] = self._base_address + start
        iovecs[(index << 1) + 1] = size
        if segments > 1:
            words[(index << 3) + 5] = 24
            self._control_words[index * 3 + 2] = segment
        else:
            words[(index << 3) + 5] = 0
        if index + 1 == SEND_MESSAGES:
            self.flush()

    def flush(self) -> None:
        count = self.count
        done = 0
        if self._backlog:
            for index in range(count):
                self._hold_message(index)
            done = count
        while done < count:
            self.send_calls += 1
            sent: int = self._sendmmsg(self._fd, self._messages + done, count - done, socket.MSG_DONTWAIT)
            if sent > 0:
                if sent == count:
                    self.datagrams_sent += sum(self._segment_counts)
                else:
                    self.datagrams_sent += sum(self._segment_counts[done : done + sent])
                done += sent
                continue
            number = ffi.errno
            if number == errno.EINTR:
                continue
            if number in (errno.EAGAIN, errno.ENOBUFS):
                for index in range(done, count):
                    self._hold_message(index)
                break
            if not self._recover(done, number):
                for index in range(done + 1, count):
                    self._hold_message(index)
                break
            done += 1
        self.count = 0
        self.position = 0
        self._peers.clear()
        self._segment_counts.clear()

    def _message(self, index: int) -> tuple[tuple[Any, ...], int, int, int]:
        start = self._iovec_words[index << 1] - self._base_address
        size = self._iovec_words[(index << 1) + 1]
        segment = self._control_words[index * 3 + 2] if self._segment_counts[index] > 1 else size
        return self._peers[index].address, start, size, segment

    def _hold_message(self, index: int) -> None:
        self._hold(*self._message(index))

    def _recover(self, index: int, number: int) -> bool:
        """One message failed: a single one is dropped, a run sent singly. False if the socket is full."""
        if self._segment_counts[index] == 1:
            self.dropped_error += 1
            log.debug("sendmmsg to %s: %s", self._peers[index].address, errno.errorcode.get(number, number))
            return True
        # Any error: the device may lack checksums (EIO), the path may be too narrow (EINVAL, EMSGSIZE).
        self._peers[index].gso = False
        if number in _GSO_BROKEN:
            self.gso = False
            log.warning(
                "UDP GSO does not work here (%s), sending singly", errno.errorcode.get(number, number)
            )
        return self._send_singly(*self._message(index))


def make_batches(
    sock: socket.socket, config: TransportConfig, watch: Callable[[bool], None]
) -> tuple[Receiver, Sender]:
    """Receiver and sender of the back end that ``config.batching`` asks for.

    ``watch`` is called with True when the socket is full and `Sender.on_writable` should be called once it is
    not, with False when that is over.
    """
    if config.batching is Batching.SENDTO or (config.batching is Batching.AUTO and not has_batched_calls()):
        return PlainReceiver(sock), PlainSender(sock, config, watch)
    return BatchReceiver(sock), BatchSender(sock, config, watch)
