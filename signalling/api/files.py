"""Files in chats: what they are is decided by their first bytes, not by what the sender says."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MAXIMUM_NAME_CHARACTERS = 120
TEXT_LOOK_BYTES = 4096


@dataclass(frozen=True, slots=True)
class FileType:
    """An accepted type and how its files begin."""

    media_type: str
    suffix: str
    magic: bytes
    at: int = 0
    then: bytes = b""
    """Must stand at `then_at` as well."""
    then_at: int = 0


ACCEPTED = (
    FileType("image/png", ".png", b"\x89PNG\r\n\x1a\n"),
    FileType("image/jpeg", ".jpg", b"\xff\xd8\xff"),
    FileType("image/gif", ".gif", b"GIF8"),
    FileType("image/webp", ".webp", b"RIFF", then=b"WEBP", then_at=8),
    FileType("image/heic", ".heic", b"ftyphei", at=4),
    FileType("image/heic", ".heic", b"ftypmif1", at=4),
    FileType("application/pdf", ".pdf", b"%PDF-"),
    FileType("video/mp4", ".mp4", b"ftyp", at=4),
    FileType("video/webm", ".webm", b"\x1a\x45\xdf\xa3"),
    FileType("audio/ogg", ".ogg", b"OggS"),
    FileType("audio/mpeg", ".mp3", b"ID3"),
)
"""Nothing a browser would run: no HTML, no SVG, no archives. Order matters: HEIC before MP4."""

TEXT = "text/plain"
MEDIA_TYPES = tuple(dict.fromkeys([*(each.media_type for each in ACCEPTED), TEXT]))


def media_type_of(content: bytes) -> str | None:
    """The media type a file's content has; None when it is not accepted."""
    for kind in ACCEPTED:
        if content[kind.at : kind.at + len(kind.magic)] == kind.magic and (
            not kind.then or content[kind.then_at : kind.then_at + len(kind.then)] == kind.then
        ):
            return kind.media_type
    return TEXT if _is_text(content) else None


def _is_text(content: bytes) -> bool:
    """UTF-8 without control characters and not mark-up: a log file, say."""
    head = content[:TEXT_LOOK_BYTES]
    if not head or head.lstrip()[:1] == b"<":
        return False
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(content) <= TEXT_LOOK_BYTES or error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return not any(unicodedata.category(each) == "Cc" and each not in "\t\r\n\f" for each in text)


def safe_name(name: str, media_type: str) -> str:
    """A file name without paths and control characters, with the suffix its content deserves."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(each for each in last if unicodedata.category(each)[0] != "C").strip(" .")
    suffix = next((kind.suffix for kind in ACCEPTED if kind.media_type == media_type), ".txt")
    stem = (kept[: -len(suffix)] if kept.lower().endswith(suffix) else kept)[:MAXIMUM_NAME_CHARACTERS]
    return (stem or "file") + suffix
