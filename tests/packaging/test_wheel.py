"""The wheel holds all that a server needs: installed far from the repository, it serves the page."""

import asyncio
import os
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

ROOT = Path(__file__).parents[2]
# A wheel's build and its installation with all dependencies, from the index or its cache, in seconds.
BUILD_S = 300
# From the start of the process to its first answer, in seconds.
START_S = 30

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * BUILD_S)]


def run(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, timeout=BUILD_S, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert (ROOT / "web" / "dist" / "index.html").is_file(), "build the web pages first: make web"
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", out, ROOT, cwd=out)
    (built,) = out.glob("raisehand-*.whl")
    return built


@pytest.fixture(scope="module")
def empty_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but the wheel and what it depends on."""
    directory = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(directory, with_pip=True)
    run(directory / "bin" / "python", "-m", "pip", "install", "--prefer-binary", wheel, cwd=directory)
    return directory


def clean_environment() -> dict[str, str]:
    """This environment without what leads back to the repository."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RAISEHAND_", "PYTHON", "VIRTUAL_ENV"))
    }


@asynccontextmanager
async def serving(environment: Path, directory: Path) -> AsyncIterator[str]:
    """A server on free ports; gives its URL, as it prints it."""
    process = await asyncio.create_subprocess_exec(
        *(str(environment / "bin" / "raisehand"), "serve", "--dev"),
        *("--port", "0", "--tcp-port", "0", "--udp-port", "0", "--data-dir", str(directory / "data")),
        cwd=directory,
        env=clean_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield await asyncio.wait_for(printed_url(process), START_S)
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), START_S)


async def printed_url(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    lines = []
    async for raw in process.stdout:
        lines.append(raw.decode())
        if found := re.search(r"http://(?:127\.0\.0\.1|localhost):\d+", lines[-1]):
            return found.group()
    raise AssertionError("the server ended without printing its address:\n" + "".join(lines))


def test_the_wheel_has_pages_and_configuration(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "signalling/static/index.html" in names
    assert any(re.fullmatch(r"signalling/static/assets/.+\.js", name) for name in names)
    for path in (ROOT / "configs").glob("*.yaml"):
        assert f"signalling/configs/{path.name}" in names
    strays = [name for name in names if name.startswith(("tests/", "web/", "scripts/", "docs/"))]
    assert not strays


async def test_an_empty_environment_serves_the_page(empty_environment: Path, tmp_path: Path) -> None:
    async with serving(empty_environment, tmp_path) as url, aiohttp.ClientSession() as http:
        async with http.get(f"{url}/healthz") as answer:
            assert answer.status == 200
        async with http.get(f"{url}/") as answer:
            assert answer.status == 200
            assert answer.content_type == "text/html"
            page = await answer.text()
        scripts = re.findall(r'<script[^>]+src="([^"]+)"', page)
        assert scripts
        for script in scripts:
            async with http.get(f"{url}/{script.lstrip('./')}") as answer:
                assert answer.status == 200
                assert "javascript" in answer.content_type


def test_nothing_comes_from_the_repository(empty_environment: Path, tmp_path: Path) -> None:
    code = "import mediaserver, signalling; print(mediaserver.__file__, signalling.__file__)"
    done = subprocess.run(
        [str(empty_environment / "bin" / "python"), "-c", code],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(ROOT) not in done.stdout
