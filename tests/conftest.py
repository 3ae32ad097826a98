"""What all tests share: hypothesis profiles, the fuzz budget and the browser."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.chromium import find_chromium

# Examples for each property: a moment at the desk, a reduced count in CI, the big count in `make test-long`.
_EXAMPLES = {"fast": 50, "ci": 100, "long": 5000}

for _name, _examples in _EXAMPLES.items():
    settings.register_profile(
        _name,
        max_examples=_examples,
        deadline=None,  # shared machines pause; a slow example is not a failure
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
PROFILE = os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "fast")
settings.load_profile(PROFILE)

# Seconds for each fuzz target; `make fuzz` sets a minute.
FUZZ_SECONDS = float(os.environ.get("FUZZ_SECONDS") or 0.2)


def pytest_report_header() -> str:
    """The counts of this run: they differ between `make test`, CI and `make test-long`."""
    examples = _EXAMPLES[PROFILE]
    return f"raisehand: hypothesis {PROFILE} ({examples} examples), fuzz {FUZZ_SECONDS:g} s per target"


# Folders whose tests start whole servers or clusters: left out of `make test-fast`, like everything slow.
SLOW_FOLDERS = ("integration/sdk/", "integration/cluster/", "integration/desk_story/", "integration/faults/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow by where it stands."""
    for item in items:
        if any(folder in item.path.as_posix() for folder in SLOW_FOLDERS):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def fuzz_seconds() -> float:
    """How long one fuzz target may run, in seconds (``FUZZ_SECONDS``)."""
    return FUZZ_SECONDS


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The Chromium to drive; `make test` has installed one or said how."""
    path = find_chromium()
    if path is None:
        pytest.fail("no Chromium found: run `make test`, which installs it or says how")
    return path
