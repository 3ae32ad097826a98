"""The route table. Routing, validation, authorisation, OpenAPI and docs/permissions.md all come from it."""

from __future__ import annotations

from signalling.api import requests as r
from signalling.api.answers.agents import AgentAnswer, Agents
from signalling.api.answers.calls import (
    Accepted,
    CallAnswer,
    CallOpened,
    Calls,
    CallWithMedia,
    DroppedIn,
    GuardianLink,
    Muted,
    OfferAnswer,
    Offers,
    QueuePlace,
)
from signalling.api.answers.messages import FileAnswer, MessageAnswer, Messages
from signalling.api.answers.queues import QueueAnswer, Queues
from signalling.api.answers.tickets import ClassStatsAnswer, HistoryAnswer, TicketAnswer, Tickets
from signalling.api.files import MEDIA_TYPES
from signalling.api.handlers import (
    administration,
    agents,
    calls,
    diagnostics,
    events,
    help_page,
    identity,
    messages,
    openapi,
    participants,
    tickets,
)
from signalling.api.refusals import CALL_CODES
from signalling.api.roles import EVERYONE, LEADERS, STAFF, Role
from signalling.api.route import Route, Upload

PUBLIC: frozenset[Role] = frozenset()
STUDENT, GUEST, AGENT, SERVICE = Role.STUDENT, Role.GUEST, Role.AGENT, Role.SERVICE
SUPERVISOR, REVIEWER, ADMIN = Role.SUPERVISOR, Role.REVIEWER, Role.ADMIN
HELPERS = frozenset({AGENT, SUPERVISOR})
"""Those who can be in a call."""
CONDUCTORS = HELPERS | {SERVICE, ADMIN}
INSIDE = STAFF | {SERVICE}
ADMINS = frozenset({ADMIN})
PARTICIPANTS = HELPERS | {STUDENT, GUEST, SERVICE, ADMIN}

OWN = "Students: their own call."
OWN_CALL = f"{OWN} Guests: the call they were invited to."
OWN_OR_INSIDE = "Students: their own. Staff and services: all."
ITS_AGENT = "Agents: those of the call."

_CAPACITY = ("agent_busy", "agent_unavailable", "already_in_call", "already_seeking", "call_full")

ROUTES: tuple[Route, ...] = (
    # Identity
    Route("GET", "/openapi.json", PUBLIC, openapi.openapi, "This document", "meta", answer=openapi.Document),
    Route(
        "POST", "/login", PUBLIC, identity.log_in, "Log in with an account of this server", "identity",
        body=identity.Login, answer=identity.LoggedIn, problems=("bad_credentials", "locked_out"),
        rule="People who work here. Browsers get a cookie.",
    ),
    Route("POST", "/logout", STAFF, identity.log_out, "End this session", "identity"),
    Route("GET", "/me", EVERYONE, identity.me, "Whose credential this is", "identity", answer=identity.Me),
    Route(
        "GET", "/help", EVERYONE, help_page.get, "What the help page has to know", "identity",
        answer=help_page.HelpAnswer,
    ),
    # Calls
    Route(
        "POST", "/calls", frozenset({STUDENT, SERVICE}), calls.ask, "Ask for help", "calls",
        body=r.AskForHelp, answer=CallOpened, status=201, idempotent=True,
        problems=("draining", "unknown_queue", "conflict"),
        rule="Students for themselves, services for anybody. One open call per student.",
    ),
    Route(
        "GET", "/calls", INSIDE | {STUDENT}, calls.find, "Find calls", "calls",
        query=r.CallsQuery, answer=Calls, rule=OWN_OR_INSIDE, problems=("not_found",),
    ),
    Route(
        "GET", "/calls/{call}", EVERYONE, calls.get, "One call", "calls",
        answer=CallAnswer, rule=OWN_CALL,
    ),
    Route(
        "GET", "/calls/{call}/queue", EVERYONE, calls.place, "Where a call stands in its queue", "calls",
        answer=QueuePlace, rule=OWN_CALL,
    ),
    Route(
        "PATCH", "/calls/{call}", frozenset({STUDENT, SERVICE}), calls.describe, "Say more about the trouble",
        "calls", body=r.DescribeBody, answer=CallAnswer, problems=CALL_CODES, rule=OWN,
    ),
    Route(
        "POST", "/calls/{call}/media", PARTICIPANTS, calls.media, "A fresh token to join the room", "calls",
        answer=CallWithMedia, problems=("call_closed",), rule=f"{OWN_CALL} {ITS_AGENT}",
    ),
    Route(
        "POST", "/calls/{call}/cancel", frozenset({STUDENT, SERVICE}) | LEADERS, calls.cancel,
        "No help needed any more", "calls", answer=CallAnswer, problems=CALL_CODES, rule=OWN,
    ),
    Route(
        "POST", "/calls/{call}/end", CONDUCTORS | {STUDENT}, calls.end, "Hang up for everybody", "calls",
        answer=CallAnswer, problems=CALL_CODES, rule=f"{OWN} {ITS_AGENT}",
    ),
    Route(
        "POST", "/calls/{call}/hold", CONDUCTORS, calls.hold, "The student hears music", "calls",
        answer=CallAnswer, problems=CALL_CODES, rule=ITS_AGENT,
    ),
    Route(
        "POST", "/calls/{call}/resume", CONDUCTORS, calls.resume, "The student is back in the talk", "calls",
        answer=CallAnswer, problems=CALL_CODES, rule=ITS_AGENT,
    ),
    Route(
        "POST", "/calls/{call}/callback", CONDUCTORS | {STUDENT}, calls.callback,
        "Call back instead of waiting", "calls",
        body=r.CallbackBody, answer=CallAnswer, problems=CALL_CODES, rule=f"{OWN} {ITS_AGENT}",
    ),
    Route(
        "POST", "/calls/{call}/human", frozenset({STUDENT, SERVICE}) | LEADERS, calls.human,
        "Away from the bot, into the queue", "calls",
        answer=CallAnswer, problems=CALL_CODES, rule=OWN,
    ),
    Route(
        "POST", "/calls/{call}/upgrade", CONDUCTORS | {STUDENT}, calls.upgrade,
        "Make a chat a voice or video call", "calls", body=r.UpgradeBody, answer=CallWithMedia,
        problems=(*CALL_CODES, "agent_busy"), rule=f"{OWN} {ITS_AGENT}",
    ),
    # Participants
    Route(
        "POST", "/calls/{call}/participants", CONDUCTORS, participants.drop_in,
        "Drop an agent, a skill or a guest into a call", "participants", body=r.DropInBody,
        answer=DroppedIn, problems=(*CALL_CODES, *_CAPACITY, "unknown_queue"),
        rule=f"{ITS_AGENT} Monitoring, whispering, barging and force: supervisors and services.",
    ),
    Route(
        "PATCH", "/calls/{call}/participants/{identity}", LEADERS | {SERVICE, AGENT},
        participants.change_mode, "Switch monitor, whisper, barge, talk", "participants",
        body=r.ModeBody, answer=CallAnswer, problems=CALL_CODES, rule="Supervisors and services.",
    ),
    Route(
        "POST", "/calls/{call}/participants/{identity}/mute", HELPERS | {SERVICE}, participants.mute,
        "Mute a microphone, a camera or a screen", "participants", body=r.MuteBody, answer=Muted,
        problems=("call_closed",),
        rule="The agent responsible for the call: everybody but supervisors. Supervisors and services: all.",
    ),
    Route(
        "DELETE", "/calls/{call}/participants/{identity}", CONDUCTORS | {GUEST}, participants.remove,
        "Take somebody out, or withdraw the offer", "participants", answer=CallAnswer,
        problems=CALL_CODES, rule="Agents: whom they added. Guests: themselves.",
    ),
    Route(
        "POST", "/calls/{call}/transfer", CONDUCTORS, participants.transfer, "Hand the call on",
        "participants", body=r.TransferBody, answer=CallAnswer, rule=ITS_AGENT,
        problems=(*CALL_CODES, *_CAPACITY, "unknown_queue", "already_transferring"),
    ),
    Route(
        "POST", "/calls/{call}/transfer/complete", CONDUCTORS, participants.complete_transfer,
        "Warm: the consulted agent gets the student", "participants", answer=CallAnswer,
        problems=(*CALL_CODES, "no_transfer", "agent_busy"), rule=ITS_AGENT,
    ),
    Route(
        "POST", "/calls/{call}/transfer/cancel", CONDUCTORS, participants.cancel_transfer,
        "Warm: the student comes back to the first agent", "participants", answer=CallAnswer,
        problems=(*CALL_CODES, "no_transfer"), rule=ITS_AGENT,
    ),
    Route(
        "POST", "/calls/{call}/takeover", frozenset({SUPERVISOR}), participants.take_over,
        "Become responsible for a call", "participants", answer=CallWithMedia,
        problems=(*CALL_CODES, "agent_busy", "stale_token"),
    ),
    Route(
        "POST", "/calls/{call}/raise-hand", HELPERS, participants.raise_hand, "Ask for a supervisor",
        "participants", body=r.NoteBody, answer=CallAnswer, problems=CALL_CODES, rule=ITS_AGENT,
    ),
    Route(
        "POST", "/calls/{call}/lower-hand", HELPERS, participants.lower_hand, "No supervisor needed",
        "participants", answer=CallAnswer, problems=CALL_CODES, rule=ITS_AGENT,
    ),
    # Chat, consent, afterwards
    Route(
        "POST", "/calls/{call}/messages", PARTICIPANTS, messages.post, "Write in the chat", "chat",
        body=r.MessageBody, answer=MessageAnswer, status=200, problems=CALL_CODES,
        rule=f"{OWN_CALL} {ITS_AGENT}",
    ),
    Route(
        "GET", "/calls/{call}/messages", EVERYONE, messages.find, "The chat, oldest first", "chat",
        query=r.PageQuery, answer=Messages, rule=f"{OWN_CALL} Notes among staff: staff and services.",
    ),
    Route(
        "POST", "/calls/{call}/files", PARTICIPANTS, messages.upload, "Upload a file for the chat", "chat",
        query=r.FileQuery, answer=FileAnswer, status=201, upload=Upload(MEDIA_TYPES),
        problems=("conflict",), rule=OWN_CALL,
    ),
    Route(
        "GET", "/calls/{call}/files/{file}", EVERYONE, messages.download, "Download a file", "chat",
        produces="application/octet-stream", rule=OWN_CALL,
    ),
    Route(
        "POST", "/calls/{call}/consent", PARTICIPANTS, messages.consent, "Decide about recording",
        "consent", body=r.ConsentBody, answer=CallAnswer,
        problems=(*CALL_CODES, "guardian_required", "not_a_minor"),
        rule="Everybody for themselves, guardians (by link) for their child, services for both.",
    ),
    Route(
        "POST", "/calls/{call}/consent/link", frozenset({STUDENT, SERVICE}) | HELPERS,
        messages.guardian_link, "A link by which a guardian decides", "consent",
        body=r.GuardianLinkBody, answer=GuardianLink, rule=OWN,
    ),
    Route(
        "POST", "/calls/{call}/wrapup", HELPERS, messages.wrap_up, "What it was", "afterwards",
        body=r.WrapupBody, answer=CallAnswer, problems=CALL_CODES, rule="Who was responsible.",
    ),
    Route(
        "POST", "/calls/{call}/rating", frozenset({STUDENT, SERVICE}), messages.rate, "Rate the help",
        "afterwards", body=r.RatingBody, answer=CallAnswer, problems=(*CALL_CODES, "already_rated"),
        rule=OWN,
    ),
    Route(
        "POST", "/calls/{call}/followup", CONDUCTORS, messages.follow_up, "Promise to come back",
        "afterwards", body=r.FollowupBody, answer=CallAnswer, problems=CALL_CODES, rule=ITS_AGENT,
    ),
    Route(
        "GET", "/calls/{call}/diagnostics", INSIDE, diagnostics.get,
        "What is measured now, and what the class client measured", "diagnostics",
        answer=diagnostics.DiagnosticsAnswer,
    ),
    # Students and tickets
    Route(
        "GET", "/students/{student}/history", INSIDE, tickets.history,
        "All contacts of a student, newest first", "tickets", query=r.HistoryQuery, answer=HistoryAnswer,
    ),
    Route(
        "GET", "/tickets", INSIDE | {STUDENT}, tickets.find, "Find tickets", "tickets",
        query=r.TicketsQuery, answer=Tickets, rule=OWN_OR_INSIDE, problems=("not_found",),
    ),
    Route(
        "GET", "/tickets/{ticket}", INSIDE | {STUDENT}, tickets.get, "A ticket, by id or number", "tickets",
        answer=TicketAnswer, rule=OWN_OR_INSIDE,
    ),
    Route(
        "PATCH", "/tickets/{ticket}", CONDUCTORS | {STUDENT}, tickets.patch, "Change a ticket", "tickets",
        body=r.TicketPatch, answer=TicketAnswer, problems=("illegal_state", "conflict"),
        rule="Students say of their own whether it is solved.",
    ),
    Route(
        "POST", "/tickets/{ticket}/messages", CONDUCTORS | {STUDENT}, tickets.append,
        "Append what was said elsewhere", "tickets", body=r.TicketMessageBody, answer=MessageAnswer,
        status=201, idempotent=True, problems=("conflict",),
        rule="Services for anybody, others for themselves.",
    ),
    Route(
        "POST", "/class-stats", frozenset({STUDENT, SERVICE}), tickets.add_class_stats,
        "What the class client measures", "diagnostics", body=r.ClassStatsBody, answer=ClassStatsAnswer,
        status=201, rule="Students for themselves.",
    ),
    # Agents, offers, queues
    Route("GET", "/agents", INSIDE, agents.find, "All agents", "agents", answer=Agents),
    Route("GET", "/agents/{agent}", INSIDE, agents.get, "One agent", "agents", answer=AgentAnswer),
    Route(
        "PUT", "/agents/{agent}", frozenset({ADMIN, SERVICE}), agents.put, "Set an agent's profile",
        "agents", body=r.AgentBody, answer=AgentAnswer, problems=("conflict",),
    ),
    Route(
        "PUT", "/agents/{agent}/state", CONDUCTORS, agents.set_state, "Available, away, busy, offline",
        "agents", body=r.AgentStateBody, answer=AgentAnswer, problems=("illegal_state", "conflict"),
        rule="Agents: their own.",
    ),
    Route(
        "GET", "/offers", HELPERS, agents.my_offers, "Offers that ring at my console", "agents",
        answer=Offers,
    ),
    Route(
        "POST", "/offers/{offer}/accept", HELPERS, agents.accept, "Take the call", "agents",
        answer=Accepted, problems=("offer_expired", "offer_withdrawn", "agent_busy", "conflict"),
        rule="Whom it was made to.",
    ),
    Route(
        "POST", "/offers/{offer}/decline", HELPERS, agents.decline, "Not now", "agents",
        body=r.DeclineBody, answer=OfferAnswer, problems=("conflict",), rule="Whom it was made to.",
    ),
    Route("GET", "/queues", INSIDE, agents.find_queues, "All queues", "queues", answer=Queues),
    Route(
        "GET", "/queues/{queue}", INSIDE, agents.get_queue, "A queue and who waits in it", "queues",
        answer=QueueAnswer,
    ),
    Route(
        "PUT", "/queues/{queue}", frozenset({ADMIN, SERVICE}), agents.put_queue, "Set a queue", "queues",
        body=r.QueueBody, answer=QueueAnswer, problems=("conflict",),
    ),
    # Administration
    Route(
        "GET", "/topics", EVERYONE, administration.find_topics, "What there is to ask about",
        "administration", answer=administration.TopicsAnswer,
        rule="Which queue takes a topic: staff and services.",
    ),
    Route(
        "PUT", "/topics", frozenset({ADMIN, SERVICE}), administration.put_topics, "Replace the topics",
        "administration", body=administration.TopicsBody, answer=administration.TopicsAnswer,
        problems=("conflict",),
    ),
    Route(
        "GET", "/accounts", ADMINS, administration.find_accounts, "Everybody who may log in",
        "administration", answer=administration.AccountsAnswer,
    ),
    Route(
        "POST", "/accounts", ADMINS, administration.add_account, "Create an account", "administration",
        body=administration.AccountBody, answer=administration.AccountWithPassword, status=201,
        problems=("conflict",),
    ),
    Route(
        "PATCH", "/accounts/{account}", ADMINS, administration.change_account, "Change an account",
        "administration", body=administration.AccountPatch, answer=administration.AccountWithPassword,
        problems=("conflict",), rule="Nobody takes his own rights away.",
    ),
    Route(
        "GET", "/keys", ADMINS, administration.find_keys, "API keys, without their secrets",
        "administration", answer=administration.Keys,
    ),
    Route(
        "POST", "/keys", ADMINS, administration.make_key, "Make an API key; its secret is shown once",
        "administration", body=administration.KeyBody, answer=administration.KeyCreated, status=201,
    ),
    Route(
        "DELETE", "/keys/{key}", ADMINS, administration.revoke_key, "End an API key", "administration",
        problems=("conflict",), rule="Not those of the configuration.",
    ),
    Route(
        "GET", "/audit", ADMINS, administration.find_audit, "Who changed keys, accounts and topics",
        "administration", query=administration.AuditQuery, answer=administration.AuditEntries,
    ),
    # Events
    Route(
        "GET", "/events", EVERYONE, events.stream, "The stream of events (WebSocket)", "events",
        query=events.EventsQuery, websocket=True,
        rule="Each role sees only what it may. The credential may come as the first message.",
    ),
)  # fmt: skip
