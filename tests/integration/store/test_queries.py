"""Lists, cursors, histories and deadlines."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from signalling.desk import events as e
from signalling.desk.model import (
    AgentId,
    CallId,
    CallState,
    Consent,
    ConsentBy,
    Decision,
    Due,
    DueId,
    DueKind,
    MessageId,
    Purpose,
    QueueId,
    StudentId,
    TicketId,
    TicketState,
)
from signalling.desk.state import Needs
from signalling.store.queries import CallFilter, Cursor, Queries, TicketFilter
from signalling.store.unit_of_work import DeskStore
from tests.integration.store import story

MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture
def queries(store: DeskStore) -> Queries:
    return Queries(store.database)


async def end(store: DeskStore, call: CallId, at: datetime.datetime) -> None:
    async with store.begin() as work:
        desk = await work.load(Needs(calls=frozenset({call})))
        await work.save(story.closed(desk.calls[call], at))


async def test_cursors_go_through_everything_once(store: DeskStore, queries: Queries) -> None:
    """Several calls of the same moment: the id decides, and none is skipped at a page's edge."""
    made = []
    for number in range(7):
        made.append(await story.make_call(store, f"student-{number}", at=story.NOW + (number // 3) * MINUTE))
    expected = [call for _, call in sorted(zip([0, 0, 0, 1, 1, 1, 2], made, strict=True), reverse=True)]
    for size in (1, 2, 3, 7, 50):
        seen: list[str] = []
        cursor: Cursor | None = None
        while True:
            page = await queries.calls(CallFilter(), after=cursor, limit=size)
            assert len(page.items) <= size
            seen += [call.id for call in page.items]
            cursor = page.next
            if cursor is None:
                break
        assert seen == expected, size


async def test_calls_by_everything_one_may_ask_for(store: DeskStore, queries: Queries) -> None:
    anna = await story.make_agent(store, "anna")
    talk = await story.make_call(store, "mei", class_id="301")
    await story.offer(store, talk, anna)
    await story.accept(store, talk, anna)
    waits = await story.make_call(store, "li", class_id="301", at=story.NOW + MINUTE)
    over = await story.make_call(store, "tom", at=story.NOW + 2 * MINUTE)
    await end(store, over, story.NOW + 3 * MINUTE)
    call = await queries.call(talk)
    assert call is not None
    for wanted, found in (
        (CallFilter(), [over, waits, talk]),
        (CallFilter(states=frozenset({CallState.QUEUED})), [waits]),
        (CallFilter(states=frozenset({CallState.CLOSED, CallState.CONNECTING})), [over, talk]),
        (CallFilter(states=frozenset()), []),
        (CallFilter(agent=anna), [talk]),
        (CallFilter(agent=AgentId("bo")), []),
        (CallFilter(student=StudentId("li")), [waits]),
        (CallFilter(class_id="301"), [waits, talk]),
        (CallFilter(queue=story.TECHNICAL), [over, waits, talk]),
        (CallFilter(queue=QueueId("sales")), []),
        (CallFilter(ticket=call.ticket), [talk]),
        (CallFilter(created_from=story.NOW + MINUTE), [over, waits]),
        (CallFilter(created_to=story.NOW + MINUTE), [talk]),
        (CallFilter(class_id="301", agent=anna, created_to=story.NOW + MINUTE), [talk]),
    ):
        page = await queries.calls(wanted)
        assert [one.id for one in page.items] == found, wanted
    assert [one.id for one in await queries.unfinished_calls()] == [talk, waits]
    assert [one.id for one in await queries.calls_in_room(waits)] == [waits]
    assert await queries.calls_in_room(over) == []
    opened = await queries.open_call_of(StudentId("mei"))
    assert opened == call
    assert await queries.open_call_of(StudentId("tom")) is None
    assert await queries.call_of_offer(call.offers[0].id) == talk
    assert await queries.call(CallId("nothing")) is None
    primary = call.primary
    assert primary is not None
    assert await queries.live_assignments() == [(talk, anna, primary.fence)]


async def test_tickets(store: DeskStore, queries: Queries) -> None:
    calls = [await story.make_call(store, "mei"), await story.make_call(store, "li", at=story.NOW + MINUTE)]
    first, second = [(await queries.call(call)) for call in calls]
    assert first is not None
    assert second is not None
    ticket = await queries.ticket(first.ticket)
    assert ticket is not None
    assert ticket.calls == (calls[0],)
    assert await queries.ticket(ticket.number) == ticket  # as it is read out on the phone
    assert await queries.ticket("261121-XXXX-XXXX") is None
    owner, due = AgentId("anna"), story.NOW + datetime.timedelta(hours=1)
    async with store.begin() as work:
        desk = await work.load(Needs(tickets=frozenset({first.ticket})))
        version = desk.tickets[first.ticket].version
        fields = {"stream_id": first.ticket, "at": story.NOW, "by": story.actor("anna")}
        promise = Due(DueId("due-1"), DueKind.CALLBACK, due)
        await work.save(
            [
                e.TicketChanged(
                    seq=version + 1,
                    before=TicketState.OPEN,
                    after=TicketState.WAITING_US,
                    owner=owner,
                    **fields,  # type: ignore[arg-type]
                ),
                e.TicketScheduled(seq=version + 2, due=promise, **fields),  # type: ignore[arg-type]
            ]
        )
    for wanted, found in (
        (TicketFilter(), [second.ticket, first.ticket]),
        (TicketFilter(states=frozenset({TicketState.WAITING_US})), [first.ticket]),
        (TicketFilter(student=StudentId("li")), [second.ticket]),
        (TicketFilter(owner=owner), [first.ticket]),
    ):
        page = await queries.tickets(wanted)
        assert [one.id for one in page.items] == found, wanted
    page = await queries.tickets(TicketFilter(), limit=1)
    assert page.next is not None
    assert [one.id for one in (await queries.tickets(TicketFilter(), after=page.next)).items] == [
        first.ticket
    ]
    assert await queries.next_due() == due
    assert await queries.due(due - MINUTE) == []
    assert [(one.stream, one.id, one.at) for one in await queries.due(due)] == [("ticket", first.ticket, due)]


async def test_deadlines_of_offers(store: DeskStore, queries: Queries) -> None:
    assert await queries.next_due() is None
    anna = await story.make_agent(store, "anna")
    call = await story.make_call(store, "mei")
    await story.offer(store, call, anna)
    deadline = story.NOW + datetime.timedelta(seconds=story.OFFER_S)
    assert await queries.next_due() == deadline
    assert [(one.stream, one.id) for one in await queries.due(deadline)] == [("call", call)]
    await story.accept(store, call, anna)
    assert await queries.due(deadline) == []


async def test_handle_times(store: DeskStore, queries: Queries) -> None:
    anna = await story.make_agent(store, "anna")
    call = await story.make_call(store, "mei")
    never = await story.make_call(store, "li")
    await story.offer(store, call, anna)
    async with store.begin() as work:
        desk = await work.load(Needs(calls=frozenset({call})))
        await work.save(story.accepted(desk, call, anna, story.NOW + MINUTE))
    await end(store, call, story.NOW + 6 * MINUTE)
    await end(store, never, story.NOW + MINUTE)
    (one,) = await queries.handle_times(story.NOW - MINUTE)
    assert (one.queue, one.kind, one.waited_s, one.handled_s) == ("technical", "video", 60.0, 300.0)
    assert await queries.handle_times(story.NOW + MINUTE) == []


async def test_every_consent_is_kept(store: DeskStore, queries: Queries) -> None:
    call_id = await story.make_call(store, "mei")
    for number, decision in enumerate((Decision.REFUSED, Decision.GRANTED, Decision.WITHDRAWN)):
        async with store.begin() as work:
            desk = await work.load(Needs(calls=frozenset({call_id})))
            call, at = desk.calls[call_id], story.NOW + number * MINUTE
            guardian = story.actor("mother")
            consent = Consent("mei", Purpose.RECORDING, decision, ConsentBy.GUARDIAN, "v3", at, guardian)
            event = e.ConsentChanged(
                stream_id=call_id, seq=call.version + 1, at=at, by=guardian, consent=consent
            )
            after = await work.save([event])
    assert not after.calls[call_id].may_record("mei")
    kept = await queries.consents(call_id)
    assert [one.decision for one in kept] == ["refused", "granted", "withdrawn"]
    assert {(one.participant, one.by, one.notice_version, one.actor_id) for one in kept} == {
        ("mei", "guardian", "v3", "mother")
    }


async def test_one_history_across_channels(store: DeskStore, queries: Queries) -> None:
    """Morning in the app, afternoon by WeChat: one list by the time it was said, newest first."""
    first = await story.make_call(store, "mei")
    async with store.begin() as work:
        desk = await work.load(Needs(calls=frozenset({first})))
        await work.save([story.wrote(desk.calls[first], "in the call", story.NOW + MINUTE)])
    await end(store, first, story.NOW + 2 * MINUTE)
    ticket_id = TicketId(desk.calls[first].ticket)
    async with store.begin() as work:
        desk = await work.load(Needs(tickets=frozenset({ticket_id})))
        said = e.TicketMessage(
            stream_id=ticket_id,
            seq=desk.tickets[ticket_id].version + 1,
            at=story.NOW + 30 * MINUTE,
            by=story.actor("wechat"),
            message=MessageId("message-1"),
            author="mei",
            author_role=story.actor("mei").role,
            channel="wechat",
            said_at=story.NOW + 20 * MINUTE,
            text="by WeChat",
        )
        await work.save(
            [said, replace(said, seq=said.seq + 1, message=MessageId("message-2"), staff_only=True)]
        )
    second = await story.make_call(store, "mei", at=story.NOW + 40 * MINUTE)
    await story.make_call(store, "li")
    history = await queries.history(StudentId("mei"))
    assert [call.id for call in history.calls] == [second, first]
    assert len(history.tickets) == 2
    assert [(one.channel, one.text, one.staff_only) for one in history.messages] == [
        ("wechat", "by WeChat", True),
        ("wechat", "by WeChat", False),
        ("web", "in the call", False),
    ]
    assert history.messages[0].at == story.NOW + 20 * MINUTE
    of_ticket = await queries.messages(ticket=ticket_id)
    assert [one.text for one in of_ticket.items] == ["in the call", "by WeChat", "by WeChat"]
    of_call = await queries.messages(call=first)
    assert [one.text for one in of_call.items] == ["in the call"]
    with pytest.raises(ValueError, match="a call or a ticket"):
        await queries.messages()
    empty = await queries.history(StudentId("nobody"))
    assert (empty.student, empty.calls, empty.tickets, empty.messages) == (None, [], [], [])
    limited = await queries.history(StudentId("mei"), limit=1)
    assert [call.id for call in limited.calls] == [second]
