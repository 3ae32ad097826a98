"""What the help page has to know before it can speak."""

from __future__ import annotations

from pydantic import BaseModel, Field

from signalling.api.context import Api
from signalling.api.route import Asked, NoQuery, Nothing


class NoticeAnswer(BaseModel):
    """The notice about recording."""

    version: str = Field(description="Goes with each decision (`notice_version`).")
    days: int = Field(description="How long recordings are kept.")


class HelpAnswer(BaseModel):
    """What students and guardians are told."""

    brand: str
    notice: NoticeAnswer
    file_bytes: int = Field(description="The largest file that can be sent.")


async def get(api: Api, _asked: Asked[Nothing, NoQuery]) -> HelpAnswer:
    """Brand, notice, limits."""
    settings = api.settings
    return HelpAnswer(
        brand=settings.help.brand,
        notice=NoticeAnswer(version=settings.help.notice_version, days=settings.help.recording_days),
        file_bytes=settings.api.file_bytes,
    )
