"""A real browser (libwebrtc, BoringSSL, dcsctp) against the front, without signalling or SDP code."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

from mediaserver.transport.front import MediaFront
from mediaserver.transport.peer import PeerTransport
from mediaserver.transport.types import RemoteTransport, TransportState
from tests.chromium import find_chromium
from tests.integration.transport.client import Handler, eventually, make_config

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGE = """
async () => {
  const pc = window.pc = new RTCPeerConnection();
  const context = new AudioContext();
  const tone = context.createOscillator();
  const target = context.createMediaStreamDestination();
  tone.connect(target); tone.start();
  pc.addTrack(target.stream.getAudioTracks()[0]);
  window.messages = [];
  const adopt = channel => {
    window.channels = {...window.channels, [channel.label]: channel};
    channel.binaryType = "arraybuffer";
    channel.onmessage = e => window.messages.push([channel.label, e.data.byteLength ?? e.data]);
  };
  adopt(pc.createDataChannel("_reliable"));
  adopt(pc.createDataChannel("_lossy", {ordered: false, maxRetransmits: 0}));
  pc.ondatachannel = e => adopt(e.channel);
  await pc.setLocalDescription();
  return pc.localDescription.sdp;
}
"""


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=Path(chromium),
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-gpu"],
        )
        page = await browser.new_page()
        yield page
        await browser.close()


def remote_of(offer: str) -> RemoteTransport:
    def field(name: str) -> str:
        found = re.search(rf"^a={name}:(.*)$", offer, re.MULTILINE)
        assert found, name
        return found[1].strip()

    algorithm, value = field("fingerprint").split()
    return RemoteTransport(
        field("ice-ufrag"), field("ice-pwd"), ((algorithm, value),), max_message_bytes=262144
    )


def answer_to(offer: str, transport: PeerTransport, front: MediaFront, protocol: str) -> str:
    """The browser's own offer turned round."""
    candidates = "".join(
        f"a=candidate:{c.foundation} 1 {c.protocol} {c.priority} {c.address} {c.port} typ host"
        + (f" tcptype {c.tcp_type}" if c.tcp_type else "")
        + "\r\n"
        for c in front.candidates()
        if c.protocol == protocol
    )
    head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-lite\r\na=group:BUNDLE 0 1\r\n"
    transport_lines = (
        f"a=ice-ufrag:{transport.local_ufrag}\r\na=ice-pwd:{transport.local_password}\r\n"
        f"a=fingerprint:sha-256 {transport.fingerprint}\r\na=setup:passive\r\n{candidates}"
    )
    audio = (
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\n"
        f"a=rtpmap:111 opus/48000/2\r\n{transport_lines}"
    )
    data = (
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n"
        f"a=sctp-port:5000\r\na=max-message-size:262144\r\n{transport_lines}"
    )
    return head + audio + data


async def accept(page: Page, offer: str, transport: PeerTransport, front: MediaFront, protocol: str) -> None:
    await page.evaluate(
        "sdp => window.pc.setRemoteDescription({type: 'answer', sdp})",
        answer_to(offer, transport, front, protocol),
    )


async def in_page(page: Page, expression: str, what: str) -> Any:
    async with asyncio.timeout(10):
        while not (value := await page.evaluate(expression)):
            await asyncio.sleep(0.02)
    assert value, what
    return value


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
async def test_browser_sends_media_and_data(page: Page, protocol: str) -> None:
    front = await MediaFront.create(make_config())
    handler = Handler()
    transport = front.create_transport(handler)
    offer = await page.evaluate(PAGE)
    transport.start(remote_of(offer))
    transport.data.open_channel("from-us")
    await accept(page, offer, transport, front, protocol)
    await eventually(lambda: transport.state is TransportState.CONNECTED, "connected")
    await eventually(lambda: len(handler.rtp) > 20, "audio")
    await eventually(lambda: {"_reliable", "_lossy", "from-us"} <= set(handler.opened), "channels")
    stats = transport.stats()
    assert stats.protocol == protocol
    assert stats.srtp_suite == "SRTP_AEAD_AES_128_GCM"

    await page.evaluate(
        "() => { channels._reliable.send(new Uint8Array(200000)); channels._lossy.send('hi') }"
    )
    await eventually(lambda: len(handler.messages) == 2, "messages up")
    assert {(label, len(payload)) for label, payload in handler.messages} == {
        ("_reliable", 200000),
        ("_lossy", 2),
    }
    for label, size in (("_reliable", 200_000), ("_lossy", 10), ("from-us", 11)):
        assert transport.data.send(label, bytes(size))
    await in_page(page, "() => window.messages.length == 3", "messages down")
    assert sorted(await page.evaluate("() => window.messages")) == [
        ["_lossy", 10],
        ["_reliable", 200_000],
        ["from-us", 11],
    ]
    assert transport.stats().dropped == {}

    # An ICE restart goes on with the same DTLS association.
    received = transport.stats().packets_received
    offer = await page.evaluate(
        "async () => { pc.restartIce(); await pc.setLocalDescription(); return pc.localDescription.sdp }"
    )
    old = transport.local_ufrag
    transport.restart_ice(remote_of(offer))
    assert transport.local_ufrag != old
    await accept(page, offer, transport, front, protocol)
    await eventually(lambda: len(transport.ice.ufrags) == 1, "new credentials used")
    await eventually(lambda: transport.stats().packets_received > received + 20, "audio goes on")
    assert set(handler.states) == {TransportState.CONNECTING, TransportState.CONNECTED}
    await page.evaluate("() => pc.close()")
    await eventually(lambda: transport.state is TransportState.CLOSED, "goodbye")
    await front.close()
