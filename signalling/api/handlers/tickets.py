"""The cases behind the calls, a student's history, and what class clients measure."""

from __future__ import annotations

import datetime
from dataclasses import replace

from signalling.api import requests as r
from signalling.api.answers.messages import MessageAnswer, file_answer, visible_messages
from signalling.api.answers.people import student_answer
from signalling.api.answers.tickets import (
    ClassStatsAnswer,
    HistoryAnswer,
    TicketAnswer,
    Tickets,
    ticket_answer,
)
from signalling.api.context import Api
from signalling.api.handlers import common
from signalling.api.handlers.messages import files_of
from signalling.api.problems import FieldError, Problem
from signalling.api.roles import Role
from signalling.api.route import Asked, NoQuery, Nothing, Reply
from signalling.desk import commands as c
from signalling.desk.events import TicketMessage
from signalling.desk.model import AgentId, Link, StudentId
from signalling.store.attachments import ClassStats
from signalling.store.ids import new_id
from signalling.store.queries import TicketFilter

TICKETS = "tickets"
SHOWN_MESSAGES = 200
"""Newest-first limit of messages in one ticket answer; the rest by `GET /calls/{id}/messages`."""
STATS_KEPT = datetime.timedelta(days=7)
"""How far back class statistics are shown."""
CLOCK_SKEW = datetime.timedelta(minutes=5)
"""How far ahead of ours another system's clock may be."""


async def find(api: Api, asked: Asked[Nothing, r.TicketsQuery]) -> Tickets:
    """Tickets, newest first; a student sees the own ones."""
    query = asked.query
    student = query.student
    if asked.actor.role is Role.STUDENT:
        if student not in (None, asked.actor.id):
            raise Problem("not_found", "no such student")
        student = asked.actor.id
    page = await api.queries.tickets(
        TicketFilter(
            states=frozenset({query.state}) if query.state is not None else None,
            student=StudentId(student) if student is not None else None,
            owner=AgentId(query.owner) if query.owner is not None else None,
        ),
        after=common.read_cursor(TICKETS, query.cursor),
        limit=query.limit,
    )
    items = [ticket_answer(ticket, asked.actor) for ticket in page.items]
    return Tickets(items=items, next=common.write_cursor(TICKETS, page.next))


async def get(api: Api, asked: Asked[Nothing, NoQuery]) -> TicketAnswer:
    """A ticket with what was written, by id or number."""
    ticket = await common.find_ticket(api, asked.actor, asked.path["ticket"])
    page = await api.queries.messages(ticket=ticket.id, limit=SHOWN_MESSAGES)
    return ticket_answer(ticket, asked.actor, page.items)


async def patch(api: Api, asked: Asked[r.TicketPatch, NoQuery]) -> TicketAnswer:
    """Staff set state, owner and links; the user says whether it is solved."""
    actor, body = asked.actor, asked.body
    ticket = await common.find_ticket(api, actor, asked.path["ticket"])
    by = common.desk_actor(actor)
    command: c.TicketCommand
    if body.resolved is not None:
        command = c.ConfirmTicket(by=by, ticket=ticket.id, resolved=body.resolved, comment=body.comment)
    elif actor.role is Role.STUDENT:
        raise Problem("forbidden", "a student says only whether it is solved")
    else:
        command = c.UpdateTicket(
            by=by,
            ticket=ticket.id,
            state=body.state,
            owner=AgentId(body.owner) if body.owner is not None else None,
            link=Link(body.link.kind, body.link.target) if body.link is not None else None,
        )
    outcome = await common.run(api, command)
    return ticket_answer(outcome.desk.tickets[ticket.id], actor)


async def append(api: Api, asked: Asked[r.TicketMessageBody, NoQuery]) -> Reply:
    """What was said elsewhere: by WeChat, phone, mail, a bot."""
    actor, body = asked.actor, asked.body
    ticket = await common.find_ticket(api, actor, asked.path["ticket"])
    now = api.clock.utc_now()
    if body.time is not None and body.time > now + CLOCK_SKEW:
        error = FieldError(field="body.time", message="lies in the future", kind="future")
        raise Problem("invalid", "the time cannot be used", [error])
    own = actor.role is not Role.SERVICE
    command = c.AppendMessage(
        by=common.desk_actor(actor),
        ticket=ticket.id,
        author=actor.id if own else body.author,
        author_role=actor.role.value if own else body.role,
        channel=body.channel,
        said_at=body.time or now,
        text=body.text,
        files=await files_of(api, None, ticket.student.id, body.files),
        staff_only=body.staff_only,
    )
    outcome = await common.run(api, command)
    event = next(each for each in outcome.events if isinstance(each, TicketMessage))
    answer = MessageAnswer(
        id=event.message,
        author=event.author,
        role=event.author_role.value,
        channel=event.channel,
        at=event.said_at,
        text=event.text,
        files=[file_answer(file) for file in event.files],
        staff_only=event.staff_only,
        call=None,
    )
    return Reply(answer, status=201)


async def history(api: Api, asked: Asked[Nothing, r.HistoryQuery]) -> HistoryAnswer:
    """All contacts of a student, newest first, page by page."""
    actor, student, query = asked.actor, asked.path["student"], asked.query
    found = await api.queries.history(StudentId(student), query.limit, until=query.until)
    # A sort that fills its share may go on further back: what others hold beyond belongs to the next page.
    sorts = (
        [ticket.opened_at for ticket in found.tickets],
        [call.created_at for call in found.calls],
        [message.at for message in found.messages],
    )
    cut = max((times[-1] for times in sorts if len(times) == query.limit), default=None)
    if cut is not None:
        found = replace(
            found,
            tickets=[ticket for ticket in found.tickets if ticket.opened_at >= cut],
            calls=[call for call in found.calls if call.created_at >= cut],
            messages=[message for message in found.messages if message.at >= cut],
        )
    since = api.clock.utc_now() - STATS_KEPT
    stats = await api.class_stats.newest(student=student, since=since)
    if found.student is None and not found.calls and not found.messages and not stats:
        raise Problem("not_found", "no such student")
    minor_age = api.board.policy.minor_age
    return HistoryAnswer(
        student=student_answer(found.student, minor_age) if found.student is not None else None,
        tickets=[ticket_answer(ticket, actor) for ticket in found.tickets],
        calls=await common.show_calls(api, actor, found.calls),
        messages=visible_messages(found.messages, actor),
        class_stats=[stats_answer(each) for each in stats] if query.until is None else [],
        next=cut if cut != query.until else None,
    )


def stats_answer(stats: ClassStats) -> ClassStatsAnswer:
    """What a class client measured."""
    return ClassStatsAnswer(
        id=stats.id, student=stats.student_id, class_id=stats.class_id, at=stats.at, stats=stats.data
    )


async def add_class_stats(api: Api, asked: Asked[r.ClassStatsBody, NoQuery]) -> Reply:
    """What the student's class client measures: the trouble is usually in the class."""
    actor, body = asked.actor, asked.body
    student = body.student
    if actor.role is Role.STUDENT:
        if student not in (None, actor.id):
            raise Problem("forbidden", "a student reports for itself")
        student = actor.id
    if student is None:
        error = FieldError(field="body.student", message="a service says of whom", kind="missing")
        raise Problem("invalid", "student is missing", [error])
    now = api.clock.utc_now()
    at = min(body.at or now, now)
    class_id = body.class_id or actor.profile.get("class_id")
    stats = ClassStats(new_id(), student, class_id, at, body.stats)
    await api.class_stats.add(stats)
    return Reply(stats_answer(stats), status=201)
