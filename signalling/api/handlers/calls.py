"""Asking for help, and what is done with a call."""

from __future__ import annotations

from typing import Any

from signalling.api import requests as r
from signalling.api.answers.calls import CallAnswer, CallOpened, Calls, CallWithMedia, QueuePlace
from signalling.api.board_views import place_of
from signalling.api.context import Api
from signalling.api.handlers import common
from signalling.api.identity import Profile
from signalling.api.problems import FieldError, Problem
from signalling.api.roles import Role
from signalling.api.route import Asked, NoQuery, Nothing, Reply
from signalling.desk import commands as c
from signalling.desk.model import (
    AgentId,
    Call,
    CallContext,
    CallId,
    Kind,
    QueueId,
    SkillNeed,
    StudentId,
    StudentProfile,
    Subject,
    TicketId,
    Tier,
)
from signalling.store.ids import new_id
from signalling.store.queries import CallFilter

CALLS = "calls"
"""Kind of the cursor."""

_PROFILE_FIELDS = frozenset(
    {"level", "tier", "age", "locale", "grade", "courses", "dedicated_agent", "guardian"}
)


def student_profile(identifier: str, name: str, profile: Profile) -> StudentProfile:
    """What the desk knows of a student; `level` may also name the tier."""
    given = profile.model_dump(exclude_defaults=True)
    tier = str(given.get("tier") or given.get("level") or "")
    return StudentProfile(
        id=StudentId(identifier),
        name=name,
        level=profile.level or "normal",
        tier=Tier(tier) if tier in set(Tier) else Tier.BASIC,
        age=profile.age,
        locale=profile.locale or None,
        grade=profile.grade,
        courses=tuple(profile.courses),
        dedicated_agent=AgentId(profile.dedicated_agent) if profile.dedicated_agent else None,
        guardian=profile.guardian or None,
        extra={key: value for key, value in given.items() if key not in _PROFILE_FIELDS},
    )


def _student(asked: Asked[r.AskForHelp, NoQuery]) -> StudentProfile:
    actor, body = asked.actor, asked.body
    if actor.role is Role.SERVICE:
        if body.student is None:
            error = FieldError(field="body.student", message="a service says for whom", kind="missing")
            raise Problem("invalid", "student is missing", [error])
        return student_profile(body.student.id, body.student.name, body.student.profile)
    if body.student is not None or body.room is not None:
        field = "student" if body.student is not None else "room"
        error = FieldError(field=f"body.{field}", message="is for services only", kind="forbidden")
        raise Problem("invalid", f"{field} is for services only", [error])
    return student_profile(actor.id, actor.name, Profile.model_validate(dict(actor.profile)))


async def ask(api: Api, asked: Asked[r.AskForHelp, NoQuery]) -> Reply:
    """The press on the button. The ticket is committed before this answers."""
    if api.draining():
        raise Problem("draining", retry_after_s=1)
    body, student = asked.body, _student(asked)
    if wait_s := await api.presses.wait_s(student.id, api.clock.monotonic()):
        raise Problem("rate_limited", "pressed too often", retry_after_s=wait_s)
    await api.topics.current()  # for the advice in the answer
    context = body.context
    command = c.OpenCall(
        by=common.desk_actor(asked.actor),
        call=CallId(new_id()),
        ticket=TicketId(new_id()),
        student=student,
        kind=body.kind,
        topic=body.topic,
        severity=body.severity,
        note=body.note,
        subject=Subject(body.subject.relation, body.subject.affected_count),
        context=CallContext(
            class_id=context.class_id or student.extra.get("class_id"),
            lesson_id=context.lesson_id,
            lesson_starts_at=context.lesson_starts_at,
            lesson_ends_at=context.lesson_ends_at,
            device=context.device,
            os=context.os,
            browser=context.browser,
            app_version=context.app_version,
            network=context.network,
            page_url=context.page_url,
            answers=context.answers,
            class_stats=context.class_stats,
            transcript=tuple(context.transcript),
        ),
        channel=body.channel,
        queue=QueueId(body.queue) if body.queue is not None else None,
        skills=tuple(SkillNeed(skill.skill, skill.level) for skill in body.skills),
        wanted_agent=AgentId(body.wanted_agent) if body.wanted_agent is not None else None,
        room=body.room,
        bot=body.bot,
    )
    outcome = await common.run(api, command)
    call = outcome.desk.call_of(student.id) or outcome.desk.answer_of(student.id)
    if call is None:
        raise Problem("conflict", "the call ended meanwhile; ask again")
    answer = CallOpened(
        call=await common.show_outcome(api, asked.actor, outcome, call.id),
        media=common.media_answer(api, asked.http, api.mint.student(call)) if _has_media(call) else None,
        queue=place_of(api.board, call, outcome.now),
        created=bool(outcome.events),
    )
    return Reply(answer, status=201)


def _has_media(call: Call) -> bool:
    return call.open and call.kind is not Kind.CHAT


async def get(api: Api, asked: Asked[Nothing, NoQuery]) -> CallAnswer:
    """One call."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    return await common.show_call(api, asked.actor, call)


async def find(api: Api, asked: Asked[Nothing, r.CallsQuery]) -> Calls:
    """Calls, newest first; a student sees the own ones."""
    query = asked.query
    student = query.student
    if asked.actor.role is Role.STUDENT:
        if student not in (None, asked.actor.id):
            raise Problem("not_found", "no such student")
        student = asked.actor.id
    ticket = None
    if query.ticket is not None:
        ticket = (await common.find_ticket(api, asked.actor, query.ticket)).id
    found = await api.queries.calls(
        CallFilter(
            states=frozenset({query.state}) if query.state is not None else None,
            agent=AgentId(query.agent) if query.agent is not None else None,
            student=StudentId(student) if student is not None else None,
            class_id=query.class_,
            queue=QueueId(query.queue) if query.queue is not None else None,
            ticket=ticket,
            created_from=query.from_,
            created_to=query.to,
        ),
        after=common.read_cursor(CALLS, query.cursor),
        limit=query.limit,
    )
    items = await common.show_calls(api, asked.actor, found.items)
    return common.calls_page(CALLS, items, found)


async def place(api: Api, asked: Asked[Nothing, NoQuery]) -> QueuePlace:
    """Where a call stands in its queue now."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    await api.topics.current()
    return place_of(api.board, call, api.clock.utc_now())


async def media(api: Api, asked: Asked[Nothing, NoQuery]) -> CallWithMedia:
    """A fresh join token for whoever belongs to the call: after a reload, on another device."""
    actor = asked.actor
    call = await common.find_call(api, actor, asked.path["call"])
    if not call.open:
        raise Problem("call_closed")
    token = None
    if call.kind is not Kind.CHAT:
        token = _token(api, call, asked)
    media_answer = common.media_answer(api, asked.http, token) if token is not None else None
    return CallWithMedia(call=await common.show_call(api, actor, call), media=media_answer)


def _token(api: Api, call: Call, asked: Asked[Nothing, NoQuery]) -> str:
    actor = asked.actor
    if actor.role is Role.STUDENT:
        return api.mint.student(call)
    guest = call.guest(actor.id)
    if actor.role is Role.GUEST and guest is not None:
        return api.mint.guest(call, guest)
    assignment = call.assignment_of(actor.id)
    if actor.is_staff and assignment is not None:
        return api.mint.agent(call, assignment, actor.name)
    raise Problem("forbidden", "you do not belong to this call")


async def _do(api: Api, asked: Asked[Any, NoQuery], command: c.CallCommand) -> CallAnswer:
    outcome = await common.run(api, command)
    return await common.show_outcome(api, asked.actor, outcome, command.call)


async def cancel(api: Api, asked: Asked[Nothing, NoQuery]) -> CallAnswer:
    """No help needed any more."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    return await _do(api, asked, c.CancelCall(by=common.desk_actor(asked.actor), call=call.id))


async def end(api: Api, asked: Asked[Nothing, NoQuery]) -> CallAnswer:
    """Hang up for everybody."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    return await _do(api, asked, c.EndCall(by=common.desk_actor(asked.actor), call=call.id))


async def hold(api: Api, asked: Asked[Nothing, NoQuery]) -> CallAnswer:
    """The student hears music."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    return await _do(api, asked, c.HoldCall(by=common.desk_actor(asked.actor), call=call.id))


async def resume(api: Api, asked: Asked[Nothing, NoQuery]) -> CallAnswer:
    """The student is back in the talk."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    return await _do(api, asked, c.ResumeCall(by=common.desk_actor(asked.actor), call=call.id))


async def describe(api: Api, asked: Asked[r.DescribeBody, NoQuery]) -> CallAnswer:
    """Say more about the trouble."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    command = c.DescribeCall(
        by=common.desk_actor(asked.actor), call=call.id, answers=asked.body.answers, note=asked.body.note
    )
    return await _do(api, asked, command)


async def callback(api: Api, asked: Asked[r.CallbackBody, NoQuery]) -> CallAnswer:
    """We call instead."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    command = c.RequestCallback(
        by=common.desk_actor(asked.actor), call=call.id, when=asked.body.when, note=asked.body.note
    )
    return await _do(api, asked, command)


async def human(api: Api, asked: Asked[Nothing, NoQuery]) -> CallAnswer:
    """Away from the bot, into the queue."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    return await _do(api, asked, c.RequestHuman(by=common.desk_actor(asked.actor), call=call.id))


async def upgrade(api: Api, asked: Asked[r.UpgradeBody, NoQuery]) -> CallWithMedia:
    """Chat to voice or video; the answer tells how to join."""
    actor = asked.actor
    found = await common.find_call(api, actor, asked.path["call"])
    command = c.UpgradeCall(by=common.desk_actor(actor), call=found.id, kind=asked.body.kind)
    outcome = await common.run(api, command)
    call = outcome.desk.calls[found.id]
    token = None
    assignment = call.assignment_of(actor.id)
    if actor.role is Role.STUDENT:
        token = api.mint.student(call)
    elif actor.is_staff and assignment is not None:
        token = api.mint.agent(call, assignment, actor.name)
    return CallWithMedia(
        call=await common.show_outcome(api, actor, outcome, call.id),
        media=common.media_answer(api, asked.http, token) if token is not None else None,
    )
