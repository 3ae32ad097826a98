"""What is shown from the board: places in a queue, queues, waiting lists."""

from __future__ import annotations

from datetime import datetime

from signalling.api.answers.calls import QueuePlace, WaitRange
from signalling.api.answers.queues import QueueAnswer, WaitingAnswer, queue_config_answer
from signalling.desk import routing
from signalling.desk.model import AgentState, AssignmentRole, Call, Kind, QueueConfig
from signalling.service.live_board import LiveBoard


def place_of(live: LiveBoard, call: Call, now: datetime) -> QueuePlace:
    """Where a call stands."""
    board = live.board
    config = board.desk.queues.get(call.queue) or QueueConfig(call.queue)
    is_open = routing.is_open(config, now)
    position = wait = None
    if call.seek(AssignmentRole.PRIMARY) is not None:
        ahead = board.ahead(call.id, now)
        position = ahead + 1 if ahead is not None else None
        estimate = board.estimate(call.id, now)
        if estimate is not None:
            wait = WaitRange(low=round(estimate.low_s), high=round(estimate.high_s))
    minor = call.student.age is not None and call.student.age < live.policy.minor_age
    return QueuePlace(
        position=position,
        estimated_wait_s=wait,
        advice=[dict(each.child if minor else each.say) for each in live.advice(call.topic)],
        open=is_open,
        opens_at=None if is_open else routing.next_opening(config, now),
    )


def queue_view(
    live: LiveBoard,
    config: QueueConfig,
    now: datetime,
    *,
    numbers: dict[str, str] | None = None,
) -> QueueAnswer:
    """A queue; with ticket numbers also everybody who waits in it."""
    board = live.board
    positions = board.positions(config.id, now)
    waited = [(now - position.waiting_since).total_seconds() for position in positions]
    staffing = board.staffing(config.id, Kind.VOICE)
    online = sum(
        config.id in agent.profile.queues and agent.state is not AgentState.OFFLINE
        for agent in board.desk.agents.values()
    )
    calls = None
    if numbers is not None:
        calls = [
            _waiting(
                board.desk.calls[position.call], position.ahead + 1, position.waiting_since, now, numbers
            )
            for position in positions
        ]
    return QueueAnswer(
        id=config.id,
        name=config.name,
        open=routing.is_open(config, now),
        waiting=len(positions),
        longest_wait_s=round(max(waited, default=0.0), 1),
        agents_available=staffing.free,
        agents_online=online,
        config=queue_config_answer(config),
        calls=calls,
    )


def _waiting(
    call: Call, position: int, since: datetime, now: datetime, numbers: dict[str, str]
) -> WaitingAnswer:
    return WaitingAnswer(
        call=call.id,
        ticket=numbers.get(call.ticket, ""),
        student=call.student.id,
        name=call.student.name,
        level=call.student.level,
        topic=call.topic,
        severity=call.severity,
        kind=call.kind,
        state=call.state,
        position=position,
        waited_s=round(max(0.0, (now - since).total_seconds()), 1),
        since=since,
        affected_count=call.subject.affected_count,
        lesson_ends_at=call.context.lesson_ends_at,
    )
