"""What handlers have in common: finding things that are the actor's, running commands, mapping answers."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from aiohttp import web

from signalling.api.answers.calls import CallAnswer, Calls, MediaAnswer, call_answer
from signalling.api.answers.visibility import is_inside
from signalling.api.context import Api
from signalling.api.pagination import decode_cursor, encode_cursor
from signalling.api.problems import FieldError, Problem
from signalling.api.refusals import problem_of
from signalling.api.roles import Actor, Role
from signalling.desk.commands import Command
from signalling.desk.errors import Refusal
from signalling.desk.model import Actor as DeskActor
from signalling.desk.model import ActorRole, Call, CallId, StudentId, Ticket
from signalling.service.desk_service import Outcome
from signalling.store.queries import Cursor, Page


def desk_actor(actor: Actor) -> DeskActor:
    """An actor in the desk's words."""
    if actor.guardian_of:
        return DeskActor(actor.id, ActorRole.GUARDIAN)
    return DeskActor(actor.id, ActorRole(actor.role.value))


async def run(api: Api, command: Command) -> Outcome:
    """Execute a command; raises `Problem` for a refusal."""
    try:
        return await api.desk.execute(command)
    except Refusal as refusal:
        raise problem_of(refusal) from None


def owns(actor: Actor, call: Call) -> bool:
    """Whether a call is the actor's to see."""
    if actor.role is Role.STUDENT:
        return call.student.id == actor.id
    if actor.role is Role.GUEST:
        guardian = bool(actor.guardian_of) and actor.guardian_of == call.student.id
        return actor.call == call.id and (guardian or call.guest(actor.id) is not None or not call.open)
    return True


async def find_call(api: Api, actor: Actor, call_id: str) -> Call:
    """A call that the actor may see; raises `Problem` ``not_found`` for others' as for none."""
    call = await api.queries.call(CallId(call_id))
    if call is None or not owns(actor, call):
        raise Problem("not_found", "no such call")
    return call


async def find_ticket(api: Api, actor: Actor, ticket_id: str) -> Ticket:
    """A ticket, by id or number, that the actor may see; raises `Problem` ``not_found``."""
    ticket = await api.queries.ticket(ticket_id)
    if ticket is None or (not is_inside(actor) and ticket.student.id != actor.id):
        raise Problem("not_found", "no such ticket")
    return ticket


async def show_call(api: Api, actor: Actor, call: Call) -> CallAnswer:
    """A call as the actor may see it."""
    return (await show_calls(api, actor, [call]))[0]


async def show_calls(api: Api, actor: Actor, calls: Sequence[Call]) -> list[CallAnswer]:
    """Calls as the actor may see them."""
    numbers = await api.lookups.ticket_numbers({call.ticket for call in calls})
    policy = api.board.policy
    return [
        call_answer(
            call,
            actor,
            number=numbers.get(call.ticket, ""),
            names=api.board.names,
            told=policy.agents_told,
            minor_age=policy.minor_age,
        )
        for call in calls
    ]


async def show_outcome(api: Api, actor: Actor, outcome: Outcome, call_id: str) -> CallAnswer:
    """A call after a command."""
    call = outcome.desk.calls[CallId(call_id)]
    ticket = outcome.desk.tickets.get(call.ticket)
    if ticket is None:
        return await show_call(api, actor, call)
    policy = outcome.desk.policy
    return call_answer(
        call,
        actor,
        number=ticket.number,
        names=api.board.names,
        told=policy.agents_told,
        minor_age=policy.minor_age,
    )


def calls_page(kind: str, items: list[CallAnswer], found: Page[Call]) -> Calls:
    """A page of calls."""
    return Calls(items=items, next=write_cursor(kind, found.next))


def read_cursor(kind: str, text: str | None) -> Cursor | None:
    """A place in a list; raises `Problem` ``invalid``."""
    if text is None:
        return None
    micros, key = decode_cursor(kind, text, 2)
    try:
        at = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(microseconds=int(micros))
    except (OverflowError, ValueError):
        error = FieldError(field="query.cursor", message="is not a cursor of this list", kind="cursor")
        raise Problem("invalid", "the cursor cannot be used", [error]) from None
    return Cursor(at, str(key))


def write_cursor(kind: str, cursor: Cursor | None) -> str | None:
    """The text of a place in a list."""
    if cursor is None:
        return None
    since = cursor.at - datetime.datetime.fromtimestamp(0, datetime.UTC)
    return encode_cursor(kind, since // datetime.timedelta(microseconds=1), cursor.id)


def public_url(api: Api, request: web.Request) -> str:
    """How clients reach this server."""
    configured = api.settings.api.public_url.rstrip("/")
    return configured or f"{request.scheme}://{request.host}"


def media_answer(api: Api, request: web.Request, token: str) -> MediaAnswer:
    """Where and with what to join."""
    url = public_url(api, request)
    return MediaAnswer(url="ws" + url.removeprefix("http"), token=token)


async def student_open_call(api: Api, student: str) -> Call | None:
    """The call a student is in."""
    return await api.queries.open_call_of(StudentId(student))
