"""Data channels of one transport, on aiortc's SCTP association (RFC 8831, RFC 8832)."""

import logging
from collections.abc import Callable

from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters

from mediaserver.clock import monotonic
from mediaserver.transport.config import TransportConfig
from mediaserver.transport.dtls import DtlsTransport, SctpAssociation
from mediaserver.transport.errors import TransportError
from mediaserver.transport.sctp_guard import SctpGuard

log = logging.getLogger(__name__)

LOCAL_PORT = 5000
"""Our SCTP port, as our SDP says (a=sctp-port)."""
MAX_WAITING_MESSAGES = 512
"""Messages kept per label while no channel of that name is open."""
MAX_WAITING_BYTES = 1 << 20
CPU_ADVANCE_S = 0.25
"""CPU time a transport may use for SCTP at once."""
MAX_LABELS = 16
"""Labels for which messages are kept."""
MAX_LABEL_BYTES = 256


class DataChannels:
    """Every data channel of one transport, by label.

    Channels may be opened by either side. A message for a label whose channel is not open yet is kept, and
    sent when it opens if the channel is reliable.
    """

    def __init__(
        self,
        dtls: DtlsTransport,
        config: TransportConfig,
        on_open: Callable[[str], None],
        on_message: Callable[[str, bytes], None],
    ) -> None:
        self._dtls = dtls
        self._config = config
        self._on_open = on_open
        self._on_message = on_message
        self._guard = SctpGuard()
        self._sctp: SctpAssociation | None = None
        self._channels: dict[str, RTCDataChannel] = {}
        self._waiting: dict[str, list[bytes]] = {}
        self._wanted: list[RTCDataChannelParameters] = []
        self._allowance = float(config.max_sctp_packets_per_s)
        self._cpu_allowance_s = CPU_ADVANCE_S
        self._allowance_at = 0.0
        self._acknowledged = -1
        self._progress_at = 0.0
        self._closed = False
        self.dropped: dict[str, int] = {}
        """Messages and packets dropped, by reason."""

    # What the owner calls

    def open_channel(
        self,
        label: str,
        *,
        ordered: bool = True,
        max_retransmits: int | None = None,
        negotiated_id: int | None = None,
    ) -> None:
        """Open a channel from our side; may be called before the transport is connected.

        ``max_retransmits`` None means reliable. With ``negotiated_id`` no opening message is sent.
        """
        parameters = RTCDataChannelParameters(
            label=label,
            ordered=ordered,
            maxRetransmits=max_retransmits,
            negotiated=negotiated_id is not None,
            id=negotiated_id,
        )
        if self._sctp is None:
            self._wanted.append(parameters)
        else:
            self._adopt(RTCDataChannel(self._sctp, parameters))

    def send(self, label: str, payload: bytes) -> bool:
        """Send one binary message. False if it was dropped: too long, no room, or the transport is closed."""
        if self._closed or len(payload) > self._config.max_message_bytes:
            return self._drop("data_message_too_long" if not self._closed else "data_closed")
        channel = self._channels.get(label)
        if channel is None or channel.readyState == "connecting":
            return self._keep(label, payload)
        if channel.readyState != "open":
            return self._drop("data_channel_closed")
        if not _is_reliable(channel):
            if channel.bufferedAmount + len(payload) > self._config.max_lossy_buffered_bytes:
                return self._drop("data_lossy_full")
        elif self.buffered_bytes + len(payload) > self._config.max_reliable_buffered_bytes:
            # `poll` closes the transport; until then nothing more is taken.
            return self._drop("data_reliable_full")
        try:
            channel.send(payload)
        except ValueError:
            return self._drop("data_message_too_long")
        return True

    def buffered_amount(self, label: str) -> int:
        """Bytes of one channel not yet handed to SCTP."""
        channel = self._channels.get(label)
        kept = sum(map(len, self._waiting.get(label, ())))
        return kept + (channel.bufferedAmount if channel is not None else 0)

    @property
    def buffered_bytes(self) -> int:
        """Bytes of all channels not yet handed to SCTP."""
        return sum(channel.bufferedAmount for channel in self._channels.values())

    def is_open(self, label: str) -> bool:
        """Whether a channel of that name can be sent on."""
        channel = self._channels.get(label)
        return channel is not None and channel.readyState == "open"

    # What the transport calls

    def start(self, remote_port: int, remote_max_message_bytes: int) -> None:
        """Begin the association; DTLS is connected."""
        sctp = SctpAssociation(self._dtls, LOCAL_PORT, self)
        self._sctp = sctp
        sctp.on("datachannel", self._adopt)
        sctp.begin(remote_port, remote_max_message_bytes or self._config.max_message_bytes)
        for parameters in self._wanted:
            self._adopt(RTCDataChannel(sctp, parameters))
        self._wanted.clear()

    def admit(self, packet: bytes) -> bool:
        """Judge one inbound SCTP packet. Raises TransportError if the association must end."""
        now = monotonic()
        rate = self._config.max_sctp_packets_per_s
        elapsed = now - self._allowance_at
        self._allowance_at = now
        self._allowance = min(self._allowance + elapsed * rate, float(rate))
        self._cpu_allowance_s += elapsed * self._config.max_sctp_cpu_share
        self._cpu_allowance_s = min(self._cpu_allowance_s, CPU_ADVANCE_S)
        if self._allowance < 1:
            return self._drop("sctp_rate")
        if self._cpu_allowance_s < 0:
            return self._drop("sctp_cpu")
        self._allowance -= 1
        held_bytes, held_chunks = self._sctp.held() if self._sctp else (0, 0)
        return self._guard.inbound(packet, held_bytes, held_chunks) or self._drop("sctp_window")

    def spent(self, seconds: float) -> None:
        """Charge the CPU time of one inbound packet."""
        self._cpu_allowance_s -= seconds

    def sent(self, packet: bytes) -> None:
        """Note one outbound SCTP packet."""
        self._guard.outbound(packet)

    def poll(self, now: float) -> None:
        """Look whether the remote takes what we send. Raises TransportError if it does not."""
        sctp = self._sctp
        if sctp is None or self._closed:
            return
        waiting = bool(self.buffered_bytes or sctp.outstanding())
        acknowledged = sctp.acknowledged()
        if not waiting or acknowledged != self._acknowledged:
            self._acknowledged = acknowledged
            self._progress_at = now
        elif now - self._progress_at > self._config.reader_stuck_after_s:
            raise TransportError("data reader stuck")
        if self.dropped.get("data_reliable_full"):
            raise TransportError("data reader too slow")

    def close(self) -> None:
        """End the association and every channel."""
        self._closed = True
        self._waiting.clear()
        if self._sctp is not None:
            self._sctp.end()

    # Inside

    def _adopt(self, channel: RTCDataChannel) -> None:
        label = channel.label
        if len(label) > MAX_LABEL_BYTES:
            raise TransportError("data channel label too long")
        present = self._channels.get(label)
        if (
            present is None
            or present.readyState not in ("open", "connecting")
            or channel.readyState == "open"
        ):
            self._channels[label] = channel

        def on_message(message: bytes | str) -> None:
            payload = message.encode() if isinstance(message, str) else message
            if len(payload) > self._config.max_message_bytes:
                self._drop("data_message_too_long")
            else:
                self._on_message(label, payload)

        def on_close() -> None:
            if self._channels.get(label) is channel:
                del self._channels[label]

        channel.on("message", on_message)
        channel.on("close", on_close)
        if channel.readyState == "open":
            self._opened(channel)
        else:
            channel.on("open", lambda: self._opened(channel))

    def _opened(self, channel: RTCDataChannel) -> None:
        self._channels[channel.label] = channel
        kept = self._waiting.pop(channel.label, [])
        if _is_reliable(channel):
            for payload in kept:
                self.send(channel.label, payload)
        elif kept:
            self.dropped["data_lossy_early"] = self.dropped.get("data_lossy_early", 0) + len(kept)
        self._on_open(channel.label)

    def _keep(self, label: str, payload: bytes) -> bool:
        kept = self._waiting.get(label)
        if kept is None:
            if len(self._waiting) >= MAX_LABELS:
                return self._drop("data_no_channel")
            kept = self._waiting[label] = []
        if len(kept) >= MAX_WAITING_MESSAGES or sum(map(len, kept)) + len(payload) > MAX_WAITING_BYTES:
            return self._drop("data_no_channel")
        kept.append(payload)
        return True

    def _drop(self, reason: str) -> bool:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        return False


def _is_reliable(channel: RTCDataChannel) -> bool:
    return channel.maxRetransmits is None and channel.maxPacketLifeTime is None
