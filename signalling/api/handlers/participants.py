"""Who takes part in a call: dropping in, modes, leaving, transfer, take-over, raised hands."""

from __future__ import annotations

from typing import Any

from mediaserver.errors import RoomError
from mediaserver.room.model import TrackSource
from signalling.api import requests as r
from signalling.api.answers.calls import CallAnswer, CallWithMedia, DroppedIn, Muted, offer_answer
from signalling.api.context import Api
from signalling.api.handlers import common
from signalling.api.identity import mint_platform_token
from signalling.api.problems import Problem
from signalling.api.roles import Actor, Role
from signalling.api.route import Asked, NoQuery, Nothing
from signalling.desk import commands as c
from signalling.desk.model import AgentId, AssignmentRole, Call, Kind, QueueId, Target

GUEST_TTL_S = 6 * 3600.0
"""Life of a guest's platform token."""


def target_of(body: r.TargetBody | r.DropInBody) -> Target:
    """Whom a body names."""
    return Target(
        agent=AgentId(body.agent) if body.agent is not None else None,
        skill=body.skill,
        queue=QueueId(body.queue) if body.queue is not None else None,
    )


async def drop_in(api: Api, asked: Asked[r.DropInBody, NoQuery]) -> DroppedIn:
    """Put an agent, a skill or a guest into a live call."""
    body = asked.body
    if body.guest is not None:
        return await _invite(api, asked, body.guest)
    actor = asked.actor
    call = await common.find_call(api, actor, asked.path["call"])
    command = c.DropIn(
        by=common.desk_actor(actor),
        call=call.id,
        target=target_of(body),
        mode=body.mode,
        force=body.force,
        note=body.note,
    )
    outcome = await common.run(api, command)
    after = outcome.desk.calls[call.id]
    offer = next((each for each in after.pending_offers if each.agent == body.agent), None)
    mine = after.assignment_of(actor.id) if body.agent == actor.id else None
    token = api.mint.agent(after, mine, actor.name) if mine and after.kind is not Kind.CHAT else None
    if actor.role is Role.SERVICE and body.force and body.agent is not None:
        forced = after.assignment_of(body.agent)
        if forced is not None and after.kind is not Kind.CHAT:
            token = api.mint.agent(after, forced, api.board.names.get(body.agent, ""))
    return DroppedIn(
        call=await common.show_outcome(api, actor, outcome, call.id),
        offer=offer_answer(after, offer) if offer is not None else None,
        media=common.media_answer(api, asked.http, token) if token is not None else None,
    )


async def _invite(api: Api, asked: Asked[r.DropInBody, NoQuery], guest: r.GuestBody) -> DroppedIn:
    actor = asked.actor
    call = await common.find_call(api, actor, asked.path["call"])
    command = c.InviteGuest(
        by=common.desk_actor(actor),
        call=call.id,
        identity=guest.identity,
        name=guest.name,
        mode=asked.body.mode,
        adult=guest.adult,
    )
    outcome = await common.run(api, command)
    after = outcome.desk.calls[call.id]
    invited = after.guest(guest.identity)
    assert invited is not None
    key, secret = api.signing_key
    token = mint_platform_token(
        key,
        secret,
        subject=invited.identity,
        role=Role.GUEST,
        now=outcome.now,
        ttl_s=GUEST_TTL_S,
        name=invited.name,
        call=call.id,
        profile={"adult": invited.adult},
    )
    media = None
    if after.kind is not Kind.CHAT:
        media = common.media_answer(api, asked.http, api.mint.guest(after, invited))
    return DroppedIn(
        call=await common.show_outcome(api, actor, outcome, call.id),
        media=media,
        link=f"{common.public_url(api, asked.http)}/help/#invite={token}",
        token=token,
    )


async def _do(api: Api, asked: Asked[Any, NoQuery], command: c.CallCommand) -> CallAnswer:
    outcome = await common.run(api, command)
    return await common.show_outcome(api, asked.actor, outcome, command.call)


async def change_mode(api: Api, asked: Asked[r.ModeBody, NoQuery]) -> CallAnswer:
    """Monitor, whisper, barge, talk."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    command = c.ChangeMode(
        by=common.desk_actor(asked.actor),
        call=call.id,
        identity=asked.path["identity"],
        mode=asked.body.mode,
    )
    return await _do(api, asked, command)


async def remove(api: Api, asked: Asked[Nothing, NoQuery]) -> CallAnswer:
    """Take somebody out, or withdraw the offer to him."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    command = c.RemoveParticipant(
        by=common.desk_actor(asked.actor), call=call.id, identity=asked.path["identity"]
    )
    return await _do(api, asked, command)


_SOURCES = {
    "microphone": frozenset({TrackSource.MICROPHONE}),
    "camera": frozenset({TrackSource.CAMERA}),
    "screen": frozenset({TrackSource.SCREEN_SHARE, TrackSource.SCREEN_SHARE_AUDIO}),
}


def _may_mute(actor: Actor, call: Call, identity: str) -> bool:
    """The agent responsible, all but supervisors; supervisors and services everybody."""
    if actor.role is not Role.AGENT:
        return True
    mine, other = call.assignment_of(actor.id), call.assignment_of(identity)
    responsible = mine is not None and mine.role is AssignmentRole.PRIMARY
    return responsible and (other is None or other.role is not AssignmentRole.SUPERVISOR)


async def mute(api: Api, asked: Asked[r.MuteBody, NoQuery]) -> Muted:
    """Silence a microphone, or darken a picture. Nobody can be made to talk: only its owner unmutes."""
    actor, identity = asked.actor, asked.path["identity"]
    call = await common.find_call(api, actor, asked.path["call"])
    if not call.open:
        raise Problem("call_closed", "the call has ended")
    if not _may_mute(actor, call, identity):
        raise Problem("forbidden", "this is for the agent responsible for the call")
    try:
        participant = await api.control.get_participant(call.room, identity)
        sids = [
            track.sid
            for track in participant.tracks
            if track.source in _SOURCES[asked.body.source] and not track.muted
        ]
        for sid in sids:
            await api.control.mute_published_track(call.room, identity, sid, muted=True)
    except RoomError:
        raise Problem("not_found", "nobody of that name is in the room") from None
    return Muted(tracks=[str(sid) for sid in sids])


async def transfer(api: Api, asked: Asked[r.TransferBody, NoQuery]) -> CallAnswer:
    """Hand the call on."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    command = c.StartTransfer(
        by=common.desk_actor(asked.actor),
        call=call.id,
        target=target_of(asked.body.to),
        kind=asked.body.kind,
        note=asked.body.note,
    )
    return await _do(api, asked, command)


async def complete_transfer(api: Api, asked: Asked[Nothing, NoQuery]) -> CallAnswer:
    """Warm: the consulted agent gets the student."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    return await _do(api, asked, c.CompleteTransfer(by=common.desk_actor(asked.actor), call=call.id))


async def cancel_transfer(api: Api, asked: Asked[Nothing, NoQuery]) -> CallAnswer:
    """Warm: the student comes back to the first agent."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    return await _do(api, asked, c.CancelTransfer(by=common.desk_actor(asked.actor), call=call.id))


async def take_over(api: Api, asked: Asked[Nothing, NoQuery]) -> CallWithMedia:
    """The supervisor becomes responsible; the answer tells how to join."""
    actor = asked.actor
    found = await common.find_call(api, actor, asked.path["call"])
    outcome = await common.run(api, c.TakeOver(by=common.desk_actor(actor), call=found.id))
    call = outcome.desk.calls[found.id]
    assignment = call.assignment_of(actor.id)
    token = None
    if assignment is not None and call.kind is not Kind.CHAT:
        token = api.mint.agent(call, assignment, actor.name)
    return CallWithMedia(
        call=await common.show_outcome(api, actor, outcome, call.id),
        media=common.media_answer(api, asked.http, token) if token is not None else None,
    )


async def raise_hand(api: Api, asked: Asked[r.NoteBody, NoQuery]) -> CallAnswer:
    """Ask for a supervisor."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    command = c.RaiseHand(by=common.desk_actor(asked.actor), call=call.id, note=asked.body.note)
    return await _do(api, asked, command)


async def lower_hand(api: Api, asked: Asked[Nothing, NoQuery]) -> CallAnswer:
    """No longer needed."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    return await _do(api, asked, c.LowerHand(by=common.desk_actor(asked.actor), call=call.id))
