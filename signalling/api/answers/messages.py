"""What is written and sent in a call or beside it, as the routes answer with it."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import AwareDatetime, BaseModel

from signalling.api.answers.visibility import is_inside
from signalling.api.roles import Actor
from signalling.desk.model import FileRef
from signalling.store.queries import StoredMessage


class FileAnswer(BaseModel):
    """A file."""

    id: str
    name: str
    media_type: str
    size_bytes: int


class MessageAnswer(BaseModel):
    """Something written."""

    id: str
    author: str
    role: str
    channel: str
    at: AwareDatetime
    text: str
    files: list[FileAnswer]
    staff_only: bool
    call: str | None


class Messages(BaseModel):
    """A page of messages, oldest first."""

    items: list[MessageAnswer]
    next: str | None


def file_answer(file: FileRef) -> FileAnswer:
    """A file."""
    return FileAnswer(id=file.id, name=file.name, media_type=file.media_type, size_bytes=file.size_bytes)


def message_answer(message: StoredMessage) -> MessageAnswer:
    """Something written."""
    return MessageAnswer(
        id=message.id,
        author=message.author_id,
        role=message.author_role,
        channel=message.channel,
        at=message.at,
        text=message.text,
        files=[file_answer(file) for file in message.files],
        staff_only=message.staff_only,
        call=message.call_id,
    )


def visible_messages(messages: Iterable[StoredMessage], actor: Actor) -> list[MessageAnswer]:
    """Without notes among staff for those who are not."""
    inside = is_inside(actor)
    return [message_answer(each) for each in messages if inside or not each.staff_only]
