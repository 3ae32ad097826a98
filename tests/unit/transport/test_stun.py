import os
import struct

import pytest
from aioice import stun as reference
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.transport import stun

PASSWORD = b"a-password-of-ours-in-full"


def request(**attributes: object) -> bytes:
    """A check as aioice writes it."""
    message = reference.Message(reference.Method.BINDING, reference.Class.REQUEST)
    message.attributes["USERNAME"] = "local:remote"
    message.attributes["PRIORITY"] = 1
    message.attributes["ICE-CONTROLLING"] = 7
    message.attributes.update(attributes)
    message.add_message_integrity(PASSWORD)
    return bytes(message)


def test_reads_a_check() -> None:
    message = stun.parse_stun(request(**{"USE-CANDIDATE": None}))
    assert message.message_type == stun.BINDING_REQUEST
    assert message.username == b"local:remote"
    assert message.use_candidate
    assert message.check_integrity(PASSWORD)
    assert not message.check_integrity(b"another")
    assert not message.unknown_required()


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7"])
def test_answer_is_understood_and_not_larger_than_the_request(host: str) -> None:
    data = request()
    answer = stun.success_response(stun.parse_stun(data), host, 4711, PASSWORD)
    message = reference.parse_message(answer)
    assert message.check_message_integrity(PASSWORD)
    assert message.message_class == reference.Class.RESPONSE
    assert message.attributes["XOR-MAPPED-ADDRESS"] == (host, 4711)
    assert len(answer) <= len(data)


def test_error_answer_names_code_and_unknown_attributes() -> None:
    parsed = stun.parse_stun(request())
    message = reference.parse_message(stun.error_response(parsed, 487, PASSWORD))
    assert message.error_code == 487
    answer = stun.error_response(parsed, 420, PASSWORD, [0x7001, 0x7002])
    assert struct.pack("!HHHH", stun.UNKNOWN_ATTRIBUTES, 4, 0x7001, 0x7002) in answer


def test_attribute_after_integrity_is_ignored() -> None:
    data = request()
    head = data[:-8]  # without fingerprint
    head += struct.pack("!HH", stun.USE_CANDIDATE, 0)
    head = stun._with_length(head, 0)
    data = head + struct.pack("!HHI", stun.FINGERPRINT, 4, stun._fingerprint(head))
    data = stun._with_length(data, 0)
    message = stun.parse_stun(data)
    assert not message.use_candidate
    assert message.check_integrity(PASSWORD)


def test_damage_anywhere_is_refused() -> None:
    data = request()
    for index in range(len(data)):
        damaged = bytearray(data)
        damaged[index] ^= 0x40
        with pytest.raises(ValueError, match="stun: "):
            stun.parse_stun(bytes(damaged))


def test_odd_lengths_are_refused() -> None:
    data = request()
    for size in range(len(data)):
        with pytest.raises(ValueError, match="stun: "):
            stun.parse_stun(data[:size])
    with pytest.raises(ValueError, match="stun: "):
        stun.parse_stun(data + b"\0\0\0\0")


def _signed(body: bytes) -> bytes:
    """A message around raw attributes with a correct fingerprint."""
    head = struct.pack("!HHI12s", 1, len(body) + 8, stun.MAGIC_COOKIE, os.urandom(12)) + body
    return head + struct.pack("!HHI", stun.FINGERPRINT, 4, stun._fingerprint(head))


def test_attribute_longer_than_the_message_is_refused() -> None:
    with pytest.raises(ValueError, match="attribute length"):
        stun.parse_stun(_signed(struct.pack("!HH", stun.USERNAME, 4000)))


def test_too_many_attributes_are_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        stun.parse_stun(_signed(struct.pack("!HH", 0x8001, 0) * 100))


def test_fingerprint_must_be_there() -> None:
    message = reference.Message(reference.Method.BINDING, reference.Class.REQUEST)
    with pytest.raises(ValueError, match="no fingerprint"):
        stun.parse_stun(bytes(message))


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=12))
def test_any_attributes_parse_or_raise_value_error(attributes: list[tuple[int, bytes]]) -> None:
    body = b"".join(struct.pack("!HH", k, len(v)) + v + bytes(-len(v) & 3) for k, v in attributes)
    try:
        message = stun.parse_stun(_signed(body))
    except ValueError:
        return
    assert len(message.attributes) <= len(attributes)


@given(st.binary(max_size=200))
def test_any_bytes_raise_only_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="stun: "):
        stun.parse_stun(data)
