"""Whatever happens to a forwarder, it never sends two different packets under one number of one SSRC.

With AES-GCM a second packet under a used number reveals the XOR of both (CLIENT-PROTOCOL.md, "Sending").
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mediaserver.flow.media_packet import MediaPacket
from mediaserver.rtp.packet import parse_rtp
from mediaserver.rtp.payload.vp8 import parse_vp8_descriptor
from mediaserver.rtp.rtcp import ReportBlock
from mediaserver.rtp.sequence import Unwrapper
from tests.unit.flow.packets import Rig, vp8

_SEND = st.tuples(
    st.just("send"),
    st.integers(0, 1),  # layer
    st.one_of(
        st.just(1), st.integers(-4, 4), st.integers(-60, 60), st.integers(-70_000, 70_000)
    ),  # step of the number
    st.sampled_from(["delta", "delta", "delta", "key", "padding", "upper"]),
)
_ACTION = st.one_of(
    _SEND,
    _SEND,
    _SEND,
    st.tuples(st.just("run"), st.integers(0, 1), st.integers(1, 300)),
    st.tuples(st.just("late"), st.integers(0, 1), st.lists(st.integers(0, 3), min_size=1, max_size=6)),
    st.tuples(st.just("target"), st.sampled_from([None, 0, 1])),
    st.tuples(st.just("source"), st.booleans()),
    st.tuples(st.just("pause")),
    st.tuples(st.just("resume")),
    st.tuples(st.just("temporal"), st.sampled_from([None, 0])),
    st.tuples(st.just("nack"), st.integers(0, 60)),
    st.tuples(st.just("report")),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_ACTION, max_size=60), st.integers(0, 0x7FFF))
def test_never_two_packets_under_one_number(actions: list[tuple[object, ...]], first_sequence: int) -> None:
    rig = Rig()
    rig.forwarder._rewriter._highest_out = 65_536 + first_sequence - 1
    numbers = {0: 70_000, 1: 90_000}
    generation = now = 0
    unwrappers = {1000: Unwrapper(), 1001: Unwrapper()}
    seen: dict[tuple[int, int], bytes] = {}
    highest: dict[int, int] = {}
    stamp = 0

    def send(layer: int, kind: str) -> None:
        nonlocal stamp
        number, stamp = numbers[layer], stamp + 1
        key, start = kind == "key", stamp % 2 == 0 or kind == "key"
        payload = (
            b"" if kind == "padding" else vp8(stamp & 0x7FFF, stamp, kind == "upper", start=start, key=key)
        )
        if payload:
            payload += b"%d/%d/%d/%d" % (generation, layer, number, stamp)
        descriptor = None
        if payload:
            descriptor = parse_vp8_descriptor(payload)
        rig.forwarder.forward(
            MediaPacket(
                number,
                stamp * 1000 & 0xFFFFFFFF,
                stamp % 3 == 0,
                96,
                payload,
                float(now),
                layer,
                keyframe=key,
                frame_start=start,
                temporal_layer=int(kind == "upper"),
                vp8=descriptor,
            )
        )

    for action in actions:
        now += 1
        match action:
            case ("send", int(layer), int(step), str(kind)):
                numbers[layer] = max(0, numbers[layer] + step)
                send(layer, kind)
            case ("run", int(layer), int(count)):
                for index in range(count):
                    numbers[layer] += 1
                    send(layer, "key" if index == 0 else "delta")
            case ("late", int(layer), list(backs)):
                # Two packets are lost in the middle; they and their neighbours come late, some of them twice.
                numbers[layer] += 3
                send(layer, "delta")
                for back in backs:
                    numbers[layer] -= back
                    send(layer, "delta")
                    numbers[layer] += back
            case ("target", layer):
                rig.forwarder.set_target_layer(layer)  # type: ignore[arg-type]
            case ("source", bool(scalable)):
                generation += 1
                rig.forwarder.set_source(scalable=scalable)
            case ("pause",):
                rig.forwarder.pause()
            case ("resume",):
                rig.forwarder.resume()
            case ("temporal", layer):
                rig.forwarder.set_max_temporal_layer(layer)  # type: ignore[arg-type]
            case ("nack", int(back)):
                newest = highest.get(1000, 0)
                rig.forwarder.on_nack([(newest - at) & 0xFFFF for at in range(back)], float(now))
            case ("report",):
                rig.forwarder.on_report_block(ReportBlock(1000, 0, 0, 0, 0, 0, 0), float(now))
        for header, payload, _ in rig.queue.drain(0.0):
            data = header + payload
            packet = parse_rtp(data)
            number = unwrappers[packet.ssrc].unwrap(packet.sequence_number)
            assert seen.setdefault((packet.ssrc, number), data) is data, "a number was used twice"
            newest = highest.get(packet.ssrc, number)
            assert abs(number - newest) < 0x4000, "so far off that SRTP would count another cycle"
            highest[packet.ssrc] = max(newest, number)
