"""Chat and files, consent, wrap-up, rating, follow-up."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
from pathlib import Path
from urllib.parse import quote

from aiohttp import hdrs, web

from signalling.api import requests as r
from signalling.api.answers.calls import CallAnswer, GuardianLink
from signalling.api.answers.messages import FileAnswer, MessageAnswer, Messages, visible_messages
from signalling.api.answers.visibility import is_inside
from signalling.api.context import Api
from signalling.api.files import media_type_of, safe_name
from signalling.api.handlers import common
from signalling.api.identity import mint_platform_token
from signalling.api.problems import FieldError, Problem
from signalling.api.roles import Role
from signalling.api.route import Asked, NoQuery, Nothing, Reply
from signalling.desk import commands as c
from signalling.desk.events import MessageCreated
from signalling.desk.model import Call, FileRef
from signalling.store.attachments import StoredFile
from signalling.store.ids import new_id

MESSAGES = "messages"
GUARDIAN_TTL_S = 24 * 3600.0
"""Life of a guardian's link."""


async def files_of(api: Api, call: Call | None, student: str, ids: list[str]) -> tuple[FileRef, ...]:
    """Uploaded files that a message names; raises `Problem` ``invalid`` for others' files."""
    found = []
    for identifier in ids:
        file = await api.files.get(identifier)
        if file is None or file.student_id != student or (call is not None and file.call_id != call.id):
            error = FieldError(field="body.files", message=f"no file {identifier} here", kind="unknown")
            raise Problem("invalid", "a file is unknown", [error])
        found.append(FileRef(file.id, file.name, file.media_type, file.size_bytes))
    return tuple(found)


async def post(api: Api, asked: Asked[r.MessageBody, NoQuery]) -> MessageAnswer:
    """Write in the call's chat."""
    actor, body = asked.actor, asked.body
    call = await common.find_call(api, actor, asked.path["call"])
    if body.staff_only and not is_inside(actor):
        raise Problem("forbidden", "notes are for staff")
    command = c.PostMessage(
        by=common.desk_actor(actor),
        call=call.id,
        text=body.text,
        files=await files_of(api, call, call.student.id, body.files),
        staff_only=body.staff_only,
    )
    outcome = await common.run(api, command)
    event = next(each for each in outcome.events if isinstance(each, MessageCreated))
    return MessageAnswer(
        id=event.message,
        author=event.author,
        role=event.author_role.value,
        channel=call.channel,
        at=event.at,
        text=event.text,
        files=[
            FileAnswer(id=file.id, name=file.name, media_type=file.media_type, size_bytes=file.size_bytes)
            for file in event.files
        ],
        staff_only=event.staff_only,
        call=call.id,
    )


async def find(api: Api, asked: Asked[Nothing, r.PageQuery]) -> Messages:
    """The call's chat, oldest first."""
    call = await common.find_call(api, asked.actor, asked.path["call"])
    page = await api.queries.messages(
        call=call.id,
        after=common.read_cursor(MESSAGES, asked.query.cursor),
        limit=asked.query.limit,
    )
    return Messages(
        items=visible_messages(page.items, asked.actor), next=common.write_cursor(MESSAGES, page.next)
    )


async def upload(api: Api, asked: Asked[Nothing, r.FileQuery]) -> Reply:
    """Keep a file; a message then names it. What it is, its content says."""
    actor = asked.actor
    call = await common.find_call(api, actor, asked.path["call"])
    if not asked.raw:
        raise Problem("invalid", "the file is empty")
    kind = media_type_of(asked.raw)
    if kind is None:
        raise Problem("unsupported_media_type", "only pictures, PDF, sound, video and plain text")
    if len(await api.files.of_call(call.id)) >= api.settings.api.files_per_call:
        raise Problem("conflict", f"a call holds at most {api.settings.api.files_per_call} files")
    identifier = new_id()
    relative = Path("files") / call.id / identifier
    await asyncio.to_thread(_write, api.settings.data_dir / relative, asked.raw)
    file = StoredFile(
        id=identifier,
        student_id=call.student.id,
        ticket_id=call.ticket,
        call_id=call.id,
        uploaded_by=actor.id,
        uploaded_role=actor.role.value,
        name=safe_name(asked.query.name, kind),
        media_type=kind,
        size_bytes=len(asked.raw),
        sha256=hashlib.sha256(asked.raw).hexdigest(),
        path=str(relative),
        created_at=api.clock.utc_now(),
    )
    await api.files.add(file)
    answer = FileAnswer(id=file.id, name=file.name, media_type=kind, size_bytes=file.size_bytes)
    return Reply(answer, status=201)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


async def download(api: Api, asked: Asked[Nothing, NoQuery]) -> web.StreamResponse:
    """A file of a call, for whoever may see the call; never shown as a page."""
    file = await api.files.get(asked.path["file"])
    if file is None or file.call_id != asked.path["call"]:
        raise Problem("not_found", "no such file")
    await common.find_call(api, asked.actor, asked.path["call"])
    path = api.settings.data_dir / file.path
    if not await asyncio.to_thread(path.is_file):
        raise Problem("not_found", "the file is gone")
    name = file.name.replace('"', "")
    quoted = "".join(each if each.isascii() and each.isprintable() else "_" for each in name)
    disposition = f"attachment; filename=\"{quoted}\"; filename*=UTF-8''{quote(name)}"
    headers = {
        hdrs.CONTENT_TYPE: file.media_type,
        hdrs.CONTENT_DISPOSITION: disposition,
        "Content-Security-Policy": "sandbox; default-src 'none'",
        hdrs.CACHE_CONTROL: "private, no-store",
    }
    return web.FileResponse(path, headers=headers)


async def consent(api: Api, asked: Asked[r.ConsentBody, NoQuery]) -> CallAnswer:
    """What somebody decided about recording."""
    actor, body = asked.actor, asked.body
    call = await common.find_call(api, actor, asked.path["call"])
    command = c.GiveConsent(
        by=common.desk_actor(actor),
        call=call.id,
        participant=body.participant,
        decision=body.decision,
        consent_by=body.by,
        notice_version=body.notice_version,
    )
    outcome = await common.run(api, command)
    return await common.show_outcome(api, actor, outcome, call.id)


async def guardian_link(api: Api, asked: Asked[r.GuardianLinkBody, NoQuery]) -> GuardianLink:
    """A link by which the student's guardian decides about recording."""
    actor = asked.actor
    call = await common.find_call(api, actor, asked.path["call"])
    if asked.body.participant != call.student.id:
        error = FieldError(field="body.participant", message="is not the student", kind="unknown")
        raise Problem("invalid", "a guardian decides for the student only", [error])
    key, secret = api.signing_key
    now = api.clock.utc_now()
    token = mint_platform_token(
        key,
        secret,
        subject=f"guardian:{call.student.id}"[:128],
        role=Role.GUEST,
        now=now,
        ttl_s=GUARDIAN_TTL_S,
        name=asked.body.guardian,
        call=call.id,
        guardian_of=call.student.id,
        profile={"child": call.student.name},
    )
    return GuardianLink(
        link=f"{common.public_url(api, asked.http)}/help/#consent={token}",
        token=token,
        expires_at=now + datetime.timedelta(seconds=GUARDIAN_TTL_S),
    )


async def wrap_up(api: Api, asked: Asked[r.WrapupBody, NoQuery]) -> CallAnswer:
    """What it was; the agent is free again."""
    actor, body = asked.actor, asked.body
    call = await common.find_call(api, actor, asked.path["call"])
    command = c.WrapUp(
        by=common.desk_actor(actor),
        call=call.id,
        codes=tuple(body.codes),
        notes=body.notes,
        resolved=body.resolved,
        first_diagnosis=body.first_diagnosis,
    )
    outcome = await common.run(api, command)
    return await common.show_outcome(api, actor, outcome, call.id)


async def rate(api: Api, asked: Asked[r.RatingBody, NoQuery]) -> CallAnswer:
    """What the student thought of it."""
    actor, body = asked.actor, asked.body
    call = await common.find_call(api, actor, asked.path["call"])
    command = c.RateCall(
        by=common.desk_actor(actor),
        call=call.id,
        stars=body.stars,
        resolved=body.resolved,
        comment=body.comment,
    )
    outcome = await common.run(api, command)
    return await common.show_outcome(api, actor, outcome, call.id)


async def follow_up(api: Api, asked: Asked[r.FollowupBody, NoQuery]) -> CallAnswer:
    """Promise to come back."""
    actor, body = asked.actor, asked.body
    call = await common.find_call(api, actor, asked.path["call"])
    command = c.ScheduleFollowUp(by=common.desk_actor(actor), call=call.id, when=body.when, note=body.note)
    outcome = await common.run(api, command)
    return await common.show_outcome(api, actor, outcome, call.id)
