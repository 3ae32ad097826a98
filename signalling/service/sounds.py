"""What is played to those who wait: music, and before it what is going on, in their language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from mediaserver.room.opus_file import read_opus_packets
from signalling.errors import ConfigurationError

OURS = Path(__file__).parent.parent / "sounds"
LANGUAGES = ("zh-CN", "en")
DEFAULT_LANGUAGE = "zh-CN"


class Occasion(StrEnum):
    """Why somebody waits."""

    WAITING = "waiting"
    HOLD = "hold"
    TRANSFER = "transfer"


@dataclass
class Sounds:
    """Opus packets by file name, read once and shared by all rooms."""

    directory: Path | None = None
    """Files here go over ours of the same name."""
    _cache: dict[str, tuple[bytes, ...]] = field(default_factory=dict)

    def load_all(self) -> None:
        """Read everything.

        Raises ConfigurationError naming the file that cannot be played.
        """
        self.music()
        for occasion in Occasion:
            for language in LANGUAGES:
                self._read(f"{occasion.value}.{language}.opus")

    def music(self) -> Sequence[bytes]:
        """Music that loops."""
        return self._read("music.opus")

    def announcement(self, occasion: Occasion, locale: str | None) -> Sequence[bytes]:
        """What is said first, in the language nearest to `locale`."""
        return self._read(f"{occasion.value}.{language_of(locale)}.opus")

    def _read(self, name: str) -> tuple[bytes, ...]:
        if name not in self._cache:
            own = self.directory / name if self.directory is not None else None
            path = own if own is not None and own.is_file() else OURS / name
            try:
                self._cache[name] = read_opus_packets(path)
            except (OSError, ValueError) as error:
                raise ConfigurationError(f"desk.sounds: {path}: {error}") from None
        return self._cache[name]


def language_of(locale: str | None) -> str:
    """One of our languages for a BCP 47 tag."""
    primary = (locale or DEFAULT_LANGUAGE).replace("_", "-").split("-")[0].lower()
    return "zh-CN" if primary == "zh" else "en"
