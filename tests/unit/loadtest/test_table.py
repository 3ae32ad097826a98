"""Tables must line up in a terminal, in both languages, and every text must exist in both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loadtest import texts
from loadtest.table import display_width, table
from loadtest.texts import LANGUAGES, language_of, text


def test_chinese_takes_two_columns() -> None:
    assert display_width("学生") == 4
    assert display_width("abc") == 3
    assert display_width("e\u0301") == 1


def test_columns_line_up_with_mixed_scripts() -> None:
    lines = table([["媒体流", "fps"], ["学生 → 老师", "20.0"], ["student", "7"]], indent="").splitlines()
    assert len({display_width(line) for line in lines}) == 1
    assert lines[2].endswith(" 20.0")
    assert lines[3].endswith("    7")


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh-CN"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({}, "en"),
        ({"LC_ALL": "en_GB.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "", "LANG": "zh_CN.UTF-8"}, "zh-CN"),
    ],
)
def test_language_follows_the_locale(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language


def test_every_text_is_written_in_both_languages() -> None:
    for key, both in texts._TEXTS.items():
        assert len(both) == len(LANGUAGES), key
        assert all(both), key
        assert not re.search(r"[\u4e00-\u9fff]", text(key, "en")), key


def test_every_step_of_the_demo_has_a_text() -> None:
    source = (Path(__file__).parents[3] / "loadtest/story.py").read_text("utf-8")
    keys = re.findall(r'step\("(\w+)"\)', source) + re.findall(r'moment\("(\w+)"', source)
    assert len(keys) > 40
    for key in keys:
        assert text(key, "en")
