"""``python -m scripts.screenshots [--out DIR] [SCENE ...]``."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from scripts.screenshots import console, playground, student
from scripts.screenshots.studio import Studio, open_studio

IMAGES = Path(__file__).parents[2] / "docs" / "images"

SCENES: dict[str, Callable[[Studio], Awaitable[None]]] = {
    "playground": playground.take,
    "student": student.take,
    "console": console.take,
}
"""Each takes the pictures of one kind of user's pages."""


async def take_all(out: Path, scenes: list[str]) -> None:
    """The pictures of the named scenes, one scene after the other."""
    async with open_studio(out) as studio:
        for name in scenes:
            await SCENES[name](studio)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.screenshots", description=__doc__)
    parser.add_argument("--out", type=Path, default=IMAGES, help="directory for the pictures")
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=f"of {', '.join(SCENES)}; default: all")
    options = parser.parse_args()
    unknown = [name for name in options.scenes if name not in SCENES]
    if unknown:
        parser.error(f"no such scene: {', '.join(unknown)}")
    options.out.mkdir(parents=True, exist_ok=True)
    asyncio.run(take_all(options.out, options.scenes or list(SCENES)))


if __name__ == "__main__":
    main()
