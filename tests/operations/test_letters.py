"""Dead letters retried and marked, on a log in memory that is projected by the real projector."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from operations.letters import Retried, events_of, grouped, mark, retry
from projections.effects import DeadLetter, Origin
from projections.rows import PROGRESS
from telemetry.errors import ReasonCode, UndecodableEvent
from telemetry.events import TEMPERATURE_RECORDED, UPCASTERS, encode_event
from telemetry.letter_marks import LetterMark, LetterPlace, Outcome, encode_mark
from tests.projections.logs import SHARD, reading, record, stats_by_key
from tests.support.letters import MemoryLog

NEWER = b"telemetry.temperature.recorded.v2"
OLD = encode_event(reading("a", 1), 0)
LETTERS_MORE = 101


def newer(number: int) -> bytes:
    """An event of a type that nobody reads until `known`."""
    return encode_event(reading("a", number), 0).replace(TEMPERATURE_RECORDED.encode(), NEWER)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a decoder that knows the newer type, or does not any more."""

    def upcast(event: dict[str, Any]) -> dict[str, Any]:
        return {**event, "type": TEMPERATURE_RECORDED}

    def make(*, is_known: bool = True) -> None:
        if is_known:
            monkeypatch.setitem(UPCASTERS, NEWER.decode(), upcast)
        else:
            monkeypatch.delitem(UPCASTERS, NEWER.decode())

    return make


def resolved(place: LetterPlace, places: Sequence[str]) -> LetterMark:
    return LetterMark(place, Outcome.RESOLVED, "me", "", 1_000_000, tuple(places))


def counted(log: MemoryLog) -> tuple[int, int]:
    """Readings and repeats."""
    stats = stats_by_key(log.project())[PROGRESS]
    return stats.count, stats.duplicates


def test_a_letter_that_is_read_now_counts_once(known: Any) -> None:
    """Retried once the code knows its type, and tried twice; its mark says where it is now. A rebuild keeps that."""
    log = MemoryLog(record(1, newer(1), b"{broken"), record(2, OLD.replace(b"18.5", b"18.4")))
    assert counted(log) == (1, 0)
    assert retry(log, log, resolved) == Retried(unreadable=Counter({ReasonCode.NOT_JSON: 1, ReasonCode.UNKNOWN_TYPE: 1}))
    known()
    left = Counter({ReasonCode.NOT_JSON: 1})
    assert retry(log, None, resolved) == Retried(1, 1, unreadable=left)
    assert len(log.records) == 2
    assert retry(log, log, resolved) == Retried(1, 1, unreadable=left)
    assert counted(log) == (2, 0)
    assert log.stores.marks[Origin(SHARD.shard_id, 1, 0)].moved_to == (f"{SHARD.shard_id}:3",)
    assert retry(log, log, resolved) == Retried(unreadable=left)
    rebuilt = log.project(type(log.stores)())
    assert (rebuilt.marks, rebuilt.readings) == (log.stores.marks, log.stores.readings)
    assert rebuilt.dead_letters.keys() == {Origin(SHARD.shard_id, 1, 1)}


def test_who_dies_before_the_mark_appends_once_more(known: Any) -> None:
    """It counts once."""
    log = MemoryLog(record(1, newer(1)))
    log.project()
    known()
    log.breaks = True
    with pytest.raises(ConnectionError):
        retry(log, log, resolved)
    log.project()
    assert (retry(log, log, resolved).letters, counted(log)) == (1, (1, 1))


def test_a_letter_that_comes_back_is_left(known: Any) -> None:
    """While the consumers are older than whoever retries, a letter would be made of it for ever."""
    log = MemoryLog(record(1, newer(1)))
    log.project()
    known()
    assert retry(log, log, resolved).letters == 1
    known(is_known=False)
    log.project()
    assert len(log.stores.dead_letters) == 2
    known()
    assert retry(log, log, resolved) == Retried(came_back=1)
    assert retry(log, log, resolved, again=True) == Retried(1, 1)
    assert counted(log) == (1, 0)
    assert {mark.outcome for mark in log.stores.marks.values()} == {Outcome.RESOLVED}
    assert len(log.stores.marks) == 2


def test_only_what_was_asked_for_is_retried(known: Any) -> None:
    """Of a reason; at most so many; never what was decided about."""
    log = MemoryLog(record(1, newer(1), newer(2), newer(3), b"{broken"))
    log.project()
    known()
    assert retry(log, None, resolved, reason=ReasonCode.NOT_JSON).unreadable == {ReasonCode.NOT_JSON: 1}
    mark(log, LetterMark(LetterPlace(SHARD.shard_id, 1, 1), Outcome.DISCARDED, "me", "why", 0))
    log.project()
    unknown = ReasonCode.UNKNOWN_TYPE
    assert retry(log, None, resolved, reason=unknown) == Retried(2, 2)
    assert retry(log, log, resolved, most=1, reason=unknown) == Retried(1, 1, more=True)
    log.project()
    assert retry(log, log, resolved, most=1, reason=unknown) == Retried(1, 1)
    assert counted(log) == (2, 0)


def test_a_record_that_is_a_letter_as_a_whole_is_read_line_by_line(known: Any) -> None:
    """Once all of it can be read; what counted before is a repeat."""
    lines = [newer(number) for number in range(LETTERS_MORE)]
    log = MemoryLog(record(1, *lines, encode_event(reading("b"), 0)))
    assert counted(log) == (1, 0)
    (letter,) = log.stores.dead_letters.values()
    assert letter.code is ReasonCode.MANY_LINES
    with pytest.raises(UndecodableEvent):
        events_of(letter)
    known()
    assert retry(log, log, resolved) == Retried(1, LETTERS_MORE + 1)
    assert counted(log) == (LETTERS_MORE + 1, 1)


def test_a_mark_that_older_consumers_kept_as_a_letter_is_read() -> None:
    """It decides about its letter once it is on the log again."""
    line = encode_mark(LetterMark(LetterPlace("one", 1, 0), Outcome.DISCARDED, "me", "why", 0))
    letter = DeadLetter(Origin("one", 5, 0), line, ReasonCode.UNKNOWN_TYPE, "unknown", 0)
    assert events_of(letter) == [("one:1:0", line)]


def test_letters_are_grouped_by_reason(known: Any) -> None:
    """How many, how many undecided, from when to when, and one of them to look at: the last that is undecided."""
    log = MemoryLog(record(1, b"{a", newer(1)), record(2, b"{b", b"{c"))
    log.project()
    mark(log, LetterMark(LetterPlace(SHARD.shard_id, 2, 1), Outcome.DISCARDED, "me", "why", 0))
    log.project()
    found = grouped(log.heads())
    assert [(one.code, one.count, one.undecided, one.discarded) for one in found] == [
        (ReasonCode.NOT_JSON, 3, 2, 1),
        (ReasonCode.UNKNOWN_TYPE, 1, 1, 0),
    ]
    assert (found[0].last_ms - found[0].first_ms, found[0].sample.data) == (1_000, b"{b")
    assert grouped([]) == []
