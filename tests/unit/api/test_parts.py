"""Cursors, problems, files and passwords."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.api.files import MEDIA_TYPES, media_type_of, safe_name
from signalling.api.pagination import decode_cursor, encode_cursor, page
from signalling.api.passwords import MAXIMUM_CHARACTERS, Passwords
from signalling.api.problems import PROBLEMS, FieldError, Problem


@given(st.text(max_size=40), st.integers(-(2**53), 2**53))
def test_a_cursor_comes_back_as_it_was(text: str, number: int) -> None:
    try:
        cursor = encode_cursor("calls", text, number)
    except UnicodeEncodeError:
        return  # lone surrogates are never in a sort key
    assert decode_cursor("calls", cursor, 2) == (text, number)


@given(st.text(max_size=600))
def test_any_other_text_is_refused_as_a_cursor(text: str) -> None:
    with pytest.raises(Problem) as caught:
        decode_cursor("calls", text, 2)
    assert caught.value.code == "invalid"


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(Problem):
        decode_cursor("calls", encode_cursor("tickets", "a", 1), 2)


def test_a_page_knows_whether_more_follows() -> None:
    assert page([1, 2, 3], 2) == ([1, 2], True)
    assert page([1, 2], 2) == ([1, 2], False)


def test_a_problem_is_rfc_9457() -> None:
    problem = Problem(
        "invalid", "look", [FieldError(field="body.kind", message="no", kind="enum")], retry_after_s=1.2
    )
    body = problem.to_json()
    assert body == {
        "type": "urn:raisehand:problem:invalid",
        "title": PROBLEMS["invalid"].title,
        "status": 422,
        "code": "invalid",
        "detail": "look",
        "errors": [{"field": "body.kind", "message": "no", "kind": "enum"}],
    }
    response = problem.response()
    assert response.content_type == "application/problem+json"
    assert response.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", None),
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"\x00\x00\x00\x18ftypheic", "image/heic"),
        (b"%PDF-1.7", "application/pdf"),
        ("2026-11-21 没有声音\n".encode(), "text/plain"),
        (("声" * 3000).encode(), "text/plain"),
        (b"  <html><script>", None),
        (b"<?xml version='1.0'?><svg/>", None),
        (b"MZ\x90\x00", None),
        (b"PK\x03\x04", None),
        (b"\xff\xfe\x00", None),
        (b"", None),
    ],
)
def test_what_a_file_is_is_seen_in_its_content(content: bytes, expected: str | None) -> None:
    assert media_type_of(content) == expected
    assert expected is None or expected in MEDIA_TYPES


@pytest.mark.parametrize(
    ("name", "media_type", "expected"),
    [
        ("截图.png", "image/png", "截图.png"),
        ("../../etc/passwd", "image/png", "passwd.png"),
        ("C:\\temp\\a.PNG", "image/png", "a.png"),
        ("evil.html", "image/png", "evil.html.png"),
        ("a\r\nb\x00", "text/plain", "ab.txt"),
        ("", "image/jpeg", "file.jpg"),
        ("...", "image/jpeg", "file.jpg"),
        ("\u202egnp.exe", "image/png", "gnp.exe.png"),
    ],
)
def test_file_names_are_harmless(name: str, media_type: str, expected: str) -> None:
    assert safe_name(name, media_type) == expected


async def test_passwords_are_hashed_and_verified() -> None:
    passwords = Passwords(time_cost=1, memory_kib=64)
    try:
        hashed = await passwords.hash("correct horse")
        assert hashed.startswith("$argon2id$")
        assert "correct" not in hashed
        assert await passwords.verify(hashed, "correct horse")
        assert not await passwords.verify(hashed, "wrong")
        assert not await passwords.verify(None, "correct horse")
        assert not await passwords.verify("not a hash", "correct horse")
        assert not await passwords.verify(hashed, "x" * (MAXIMUM_CHARACTERS + 1))
        with pytest.raises(ValueError):
            await passwords.hash("x" * (MAXIMUM_CHARACTERS + 1))
    finally:
        passwords.close()
