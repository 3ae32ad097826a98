from __future__ import annotations

from mediaserver.flow.send_queue import SENT_RING_SIZE, PacketResult, SendQueue, SentRing
from mediaserver.rtp.rtcp import TransportFeedback


def _results(ring: SentRing, feedback: TransportFeedback, now: float) -> list[PacketResult]:
    results: list[PacketResult] = []
    ring.on_feedback(feedback, now, results)
    return results


def _feedback(base: int, deltas: list[int | None], reference: int = 10) -> TransportFeedback:
    packets = tuple(((base + index) & 0xFFFF, delta) for index, delta in enumerate(deltas))
    return TransportFeedback(1, 2, base & 0xFFFF, reference, 0, packets)


def test_a_queue_registers_once_until_drained() -> None:
    dirty: list[SendQueue] = []
    queue = SendQueue(dirty)
    queue.append(b"h1", b"p1", 4)
    queue.append(b"h2", b"p2", 0)
    assert dirty == [queue]
    dirty.clear()
    assert queue.drain(0.0) == [(b"h1", b"p1", 4), (b"h2", b"p2", 0)]
    assert queue.drain(0.0) == []
    queue.append(b"h3", b"p3", 0)
    assert dirty == [queue]


def test_a_budget_leaves_the_rest() -> None:
    queue = SendQueue([])
    for index in range(5):
        queue.append(b"12345", b"67890", index)
    assert [offset for _, _, offset in queue.drain(0.0, 11)] == [0, 1]
    assert len(queue) == 3
    assert [offset for _, _, offset in queue.drain(0.0)] == [2, 3, 4]


def test_the_backlog_is_bounded_and_counted() -> None:
    queue = SendQueue([], max_backlog=3)
    for _ in range(5):
        queue.append(b"h", b"p", 0)
    assert len(queue) == 3
    assert queue.dropped == 2


def test_feedback_is_matched_with_what_was_sent() -> None:
    ring = SentRing()
    numbers = [ring.record(1.0 + index / 100, 1000 + index) for index in range(4)]
    assert numbers == [0, 1, 2, 3]
    results = _results(ring, _feedback(0, [4, None, 8, 4]), 1.1)
    assert [result.sequence for result in results] == [0, 1, 2, 3]
    assert [result.size for result in results] == [1000, 1001, 1002, 1003]
    assert results[1].arrival is None
    assert results[0].arrival == 0.64 + 0.001
    assert results[3].arrival == 0.64 + 0.004
    assert ring.acked_packets == 3
    assert ring.acked_bytes == 3005
    assert ring.lost_packets == 1
    assert ring.round_trip_time is not None
    assert abs(ring.round_trip_time - 0.07) < 1e-9


def test_feedback_said_twice_counts_once_and_late_arrivals_take_losses_back() -> None:
    ring = SentRing()
    for _ in range(3):
        ring.record(1.0, 100)
    _results(ring, _feedback(0, [4, None, 4]), 1.1)
    assert _results(ring, _feedback(0, [4, None, 4]), 1.1) == []
    assert [result.sequence for result in _results(ring, _feedback(1, [4]), 1.2)] == [1]
    assert (ring.acked_packets, ring.lost_packets) == (3, 0)


def test_feedback_about_packets_never_sent_or_forgotten_is_ignored() -> None:
    ring = SentRing()
    ring.record(1.0, 100)
    assert [result.sequence for result in _results(ring, _feedback(0, [4, 4, 4]), 1.1)] == [0]
    for _ in range(SENT_RING_SIZE):
        ring.record(2.0, 100)
    assert _results(ring, _feedback(0, [4]), 3.0) == []


def test_numbers_and_reference_time_wrap() -> None:
    ring = SentRing()
    for _ in range(65_534):
        ring.record(1.0, 1)
    assert [ring.record(2.0, 50) for _ in range(4)] == [65534, 65535, 0, 1]
    first = _results(ring, _feedback(65_534, [0, 0], 0xFFFFFF), 2.1)
    second = _results(ring, _feedback(0, [0, 0], 0), 2.1)
    assert [result.sequence for result in first + second] == [65534, 65535, 65536, 65537]
    assert first[0].arrival is not None
    assert second[0].arrival is not None
    assert abs(second[0].arrival - first[0].arrival - 0.064) < 1e-6
