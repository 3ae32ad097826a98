"""What is measured in a call: the support line's own figures, and beside them the class's."""

from __future__ import annotations

import datetime

from pydantic import AwareDatetime, BaseModel

from mediaserver.errors import RoomError
from mediaserver.flow.stats import InboundStats, OutboundStats
from mediaserver.stats import ParticipantStatistics
from signalling.api.answers.tickets import ClassStatsAnswer
from signalling.api.answers.visibility import is_inside, may_know
from signalling.api.context import Api
from signalling.api.handlers import common
from signalling.api.handlers.tickets import stats_answer
from signalling.api.roles import Actor
from signalling.api.route import Asked, NoQuery, Nothing
from signalling.desk.model import Call

STATS_SHOWN = datetime.timedelta(hours=2)
"""How far back class statistics are shown beside a call: the lesson."""


class StreamAnswer(BaseModel):
    """One stream of sound or picture."""

    track: str
    kind: str
    codec: str
    publisher: str | None = None
    """Of a downlink: whose track it is."""
    active: bool = True
    packets: int
    packets_lost: int
    loss: float
    jitter_ms: float
    bitrate_bps: int
    frames_per_second: float
    width: int | None = None
    height: int | None = None
    nack_count: int
    pli_count: int


class DirectionAnswer(BaseModel):
    """One direction, all streams together; null: nothing is sent that way."""

    jitter_ms: float | None
    loss: float | None
    bitrate_bps: int
    round_trip_time_ms: float | None
    streams: list[StreamAnswer]


class DeviceAnswer(BaseModel):
    """What the client says of itself."""

    sdk: str
    version: str
    os: str
    os_version: str
    browser: str
    browser_version: str
    device_model: str
    network: str


class ParticipantDiagnostics(BaseModel):
    """What is measured about one participant."""

    identity: str
    quality: str
    score: float
    protocol: str
    round_trip_time_ms: float | None
    uplink: DirectionAnswer
    downlink: DirectionAnswer
    device: DeviceAnswer


class DiagnosticsAnswer(BaseModel):
    """A call's line now, and what the student's class client measured."""

    at: AwareDatetime
    call: str
    participants: list[ParticipantDiagnostics]
    class_stats: list[ClassStatsAnswer]


def _inbound(track: str, stream: InboundStats) -> StreamAnswer:
    return StreamAnswer(
        track=track,
        kind=stream.kind,
        codec=stream.codec,
        packets=stream.packets_received,
        packets_lost=stream.packets_lost,
        loss=round(stream.fraction_lost, 4),
        jitter_ms=round(stream.jitter * 1000, 2),
        bitrate_bps=round(stream.bitrate),
        frames_per_second=round(stream.frames_per_second, 1),
        width=stream.frame_width,
        height=stream.frame_height,
        nack_count=stream.nack_count,
        pli_count=stream.pli_count,
    )


def _outbound(track: str, publisher: str, stream: OutboundStats) -> StreamAnswer:
    return StreamAnswer(
        track=track,
        kind=stream.kind,
        codec=stream.codec,
        publisher=publisher,
        active=stream.active,
        packets=stream.packets_sent,
        packets_lost=stream.packets_lost,
        loss=round(stream.fraction_lost, 4),
        jitter_ms=round(stream.jitter * 1000, 2),
        bitrate_bps=round(stream.bitrate),
        frames_per_second=round(stream.frames_per_second, 1),
        nack_count=stream.nack_count,
        pli_count=stream.pli_count,
    )


def _direction(streams: list[StreamAnswer], round_trip_times: list[float | None]) -> DirectionAnswer:
    """The whole direction: loss weighted by packets, the worst jitter, the sum of bitrates."""
    active = [stream for stream in streams if stream.active and stream.packets]
    packets = sum(stream.packets for stream in active)
    known = [time for time in round_trip_times if time is not None]
    return DirectionAnswer(
        jitter_ms=max((stream.jitter_ms for stream in active), default=None),
        loss=round(sum(stream.loss * stream.packets for stream in active) / packets, 4) if packets else None,
        bitrate_bps=sum(stream.bitrate_bps for stream in active),
        round_trip_time_ms=round(min(known) * 1000, 2) if known else None,
        streams=streams,
    )


def participant_diagnostics(statistics: ParticipantStatistics, visible: set[str]) -> ParticipantDiagnostics:
    """One participant; streams of publishers outside `visible` are left out."""
    connection_times = [connection.round_trip_time for connection in statistics.connections]
    known = [time for time in connection_times if time is not None]
    shown = [each for each in statistics.outbound if each.publisher in visible]
    client = statistics.client
    return ParticipantDiagnostics(
        identity=statistics.identity,
        quality=statistics.quality.name.lower(),
        score=round(statistics.score, 2),
        protocol=next((each.protocol for each in statistics.connections if each.protocol), ""),
        round_trip_time_ms=round(min(known) * 1000, 2) if known else None,
        uplink=_direction(
            [_inbound(each.track_sid, each.stream) for each in statistics.inbound],
            [each.stream.round_trip_time for each in statistics.inbound] + connection_times,
        ),
        downlink=_direction(
            [_outbound(each.track_sid, each.publisher, each.stream) for each in shown],
            [each.stream.round_trip_time for each in shown] + connection_times,
        ),
        device=DeviceAnswer(
            sdk=client.sdk,
            version=client.version,
            os=client.os,
            os_version=client.os_version,
            browser=client.browser,
            browser_version=client.browser_version,
            device_model=client.device_model,
            network=client.network,
        ),
    )


def _hidden(call: Call, actor: Actor, told: bool) -> set[str]:
    """Supervisors that the actor may not know of."""
    return {each.agent for each in call.live_assignments if not may_know(actor, each, told)}


async def get(api: Api, asked: Asked[Nothing, NoQuery]) -> DiagnosticsAnswer:
    """What is measured now, per participant and direction."""
    actor = asked.actor
    assert is_inside(actor)
    call = await common.find_call(api, actor, asked.path["call"])
    hidden = _hidden(call, actor, api.board.policy.agents_told)
    try:
        measured = await api.control.statistics(call.room)
    except RoomError:  # nobody has joined yet, or the call is over
        measured = []
    visible = {str(each.identity) for each in measured} - hidden
    now = api.clock.utc_now()
    stats = await api.class_stats.newest(student=call.student.id, since=now - STATS_SHOWN)
    return DiagnosticsAnswer(
        at=now,
        call=call.id,
        participants=[
            participant_diagnostics(each, visible) for each in measured if str(each.identity) in visible
        ],
        class_stats=[stats_answer(each) for each in stats],
    )
