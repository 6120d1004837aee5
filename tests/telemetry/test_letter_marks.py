"""Marks of dead letters as events: read back as they were written, and nothing else is one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.errors import ReasonCode, UndecodableEvent
from telemetry.events import decode_event, newest
from telemetry.letter_marks import LETTER_MARKED, LetterMark, LetterPlace, Outcome, decode_mark, encode_mark, parse_place
from telemetry.limits import TIME_US_MAX

PLACE = LetterPlace("2/shardId-000000000000", 10**55, 3)
MARK = LetterMark(PLACE, Outcome.RESOLVED, "ada", "", 1_700_000_000_250_000, ("2/shardId-000000000001:4711",))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(st.sampled_from(Outcome), texts, texts, st.integers(0, TIME_US_MAX), st.lists(texts, max_size=2).map(tuple))
def test_a_mark_is_read_back(outcome: Outcome, by: str, because: str, at_us: int, moved_to: tuple[str, ...]) -> None:
    """From one line, whatever its texts hold."""
    mark = LetterMark(PLACE, outcome, by, because, at_us, moved_to)
    assert b"\n" not in encode_mark(mark)
    assert decode_mark(encode_mark(mark)) == mark


def test_a_mark_is_no_reading() -> None:
    """Doors and whoever counts refuse its type."""
    for refuses in (lambda: decode_event(encode_mark(MARK)), lambda: newest(json.loads(encode_mark(MARK)))):
        with pytest.raises(UndecodableEvent) as error:
            refuses()
        assert error.value.code is ReasonCode.UNKNOWN_TYPE


@pytest.mark.parametrize("line", [b"", b"{", LETTER_MARKED.encode(), b'["%b"]' % LETTER_MARKED.encode()])
def test_what_is_no_mark_is_left_to_others(line: bytes) -> None:
    """Although it names the type."""
    assert decode_mark(line) is None


@pytest.mark.parametrize("version", ["0.3", None])
def test_an_object_that_is_no_event_is_left_to_others(version: str | None) -> None:
    """A CloudEvent says that it is one."""
    assert decode_mark(changed(specversion=version)) is None


def changed(**members: Any) -> bytes:
    return json.dumps({**json.loads(encode_mark(MARK)), **members}).encode()


@pytest.mark.parametrize(
    "members",
    [
        {"subject": "shardId-000000000000:1"},
        {"subject": None},
        {"time": "yesterday"},
        {"data": None},
        {"data": {"outcome": "lost", "by": "", "because": ""}},
        {"data": {"outcome": "discarded", "by": "me"}},
        {"data": {"outcome": "discarded", "by": "me", "because": "x" * 2_001}},
        {"data": {"outcome": "resolved", "by": "me", "because": "", "movedTo": [1]}},
    ],
)
def test_a_mark_of_another_form_is_undecodable(members: dict[str, Any]) -> None:
    """It becomes a dead letter itself."""
    with pytest.raises(UndecodableEvent, match="a mark of another form") as error:
        decode_mark(changed(**members))
    assert error.value.code is ReasonCode.NOT_AN_EVENT


def test_of_two_marks_the_later_has_the_larger_order() -> None:
    """And of one moment two that differ have two orders."""
    later = MARK._replace(marked_at_us=MARK.marked_at_us + 1)
    assert later.order > MARK.order != MARK._replace(because="else").order


@pytest.mark.parametrize("text", ["", "shardId-000000000000:1", "a:b:1", "a:1:-1", "1:2:3:4", "0/shardId-1:1:1"])
def test_a_place_is_typed_as_it_is_shown(text: str) -> None:
    """Anything else is refused with the form."""
    assert parse_place(PLACE.text) == PLACE
    with pytest.raises(ValueError, match="shard:sequence number:line"):
        parse_place(text)
