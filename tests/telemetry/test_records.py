"""The record: lines of events, gzip'd when that pays, opened within bounds."""

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.errors import ReasonCode
from telemetry.events import decode_event, encode_event
from telemetry.limits import RECORD_INFLATED_BYTES_MAX
from telemetry.reading import Reading
from telemetry.records import Broken, Line, encode_record, split_record
from tests.support.aggregates import aggregate
from tests.telemetry.strategies import READINGS

KPL_MAGIC = b"\xf3\x89\x9a\xc2"
LINES = st.binary(min_size=1, max_size=200).filter(lambda line: line.strip() != b"" and b"\n" not in line)
NOISE = random.Random(1).randbytes(4000).replace(b"\n", b"")  # noqa: S311  repeatable on purpose


def events(count: int) -> list[bytes]:
    """So many events, as the API writes them."""
    return [encode_event(Reading(number, f"sensor-{number % 7}", number), number) for number in range(count)]


def texts(lines: Iterable[Line | Broken]) -> list[bytes]:
    return [line.data for line in lines]


@given(st.lists(READINGS, min_size=1, max_size=60))
def test_every_event_comes_out_of_the_record_it_went_into(readings: list[Reading]) -> None:
    """In order, numbered from 0, whether packed or plain."""
    lines = list(split_record(encode_record([encode_event(reading, 0) for reading in readings])))
    assert [line.number for line in lines] == list(range(len(readings)))
    assert [decode_event(line.data) for line in lines] == readings


@given(st.lists(LINES, min_size=1, max_size=30))
def test_a_record_is_never_larger_than_its_lines(lines: list[bytes]) -> None:
    """Gzip is used only where it helps."""
    assert len(encode_record(lines)) <= sum(len(line) + 1 for line in lines)


def test_one_event_stays_as_it_is() -> None:
    """A person reads it in the console; gzip would make it larger."""
    (event,) = events(1)
    assert encode_record([event]) == event + b"\n"


def test_many_events_become_a_gzip_file_that_everybody_can_open() -> None:
    """zcat gives one event a line; the same events give the same bytes."""
    record = encode_record(events(100))
    assert gzip.decompress(record) == b"\n".join(events(100)) + b"\n"
    assert len(record) < len(gzip.decompress(record)) / 5
    assert record == encode_record(events(100))


def test_what_gzip_makes_larger_stays_plain() -> None:
    """Noise cannot be packed."""
    assert encode_record([NOISE]) == NOISE + b"\n"


@given(st.lists(READINGS, min_size=1, max_size=60))
def test_h21_no_record_begins_with_the_magic_bytes_of_the_kpl(readings: list[Reading]) -> None:
    """KCL would take it for an aggregate, and drop all of it if one key hashed elsewhere."""
    record = encode_record([encode_event(reading, 0) for reading in readings])
    assert not record.startswith(KPL_MAGIC)
    assert record.startswith((b"{", b"\x1f\x8b"))


def test_blank_lines_hold_nothing_but_are_counted() -> None:
    """A line's number is its place in the record, for the dead letter that names it; the last needs no newline."""
    assert list(split_record(b"\n{1}\n \t\r\n\n{2}")) == [Line(1, b"{1}"), Line(4, b"{2}")]
    assert list(split_record(b"")) == []


def test_concatenated_gzip_members_are_one_record() -> None:
    """As RFC 1952 has it; a line may go on in the next member."""
    assert texts(split_record(gzip.compress(b"one\ntw") + gzip.compress(b"o\nthree\n"))) == [b"one", b"two", b"three"]


@pytest.mark.parametrize("kept", [3, 10, 200, -8, -1])
def test_h27_a_truncated_gzip_yields_what_it_holds_and_then_its_reason(kept: int) -> None:
    """What was whole is counted; what was lost is said, never passed over."""
    whole = [b"%d %s" % (number, NOISE[number * 10 : number * 10 + 10].hex().encode()) for number in range(300)]
    record = gzip.compress(b"\n".join(whole) + b"\n", mtime=0)[:kept]
    *found, end = split_record(record)
    assert texts(found) == whole[: len(found)]
    assert end == Broken(len(found), record, ReasonCode.BAD_GZIP, "broken gzip: it ends too early")


def test_h27_garbage_after_gzip_is_refused_after_the_lines_before_it() -> None:
    """The lines in front of it are good."""
    one, two, end = split_record(gzip.compress(b"one\ntwo\n") + b"garbage")
    assert texts([one, two]) == [b"one", b"two"]
    assert isinstance(end, Broken)
    assert end.reason.startswith("broken gzip: ")


@pytest.mark.parametrize("data", [b"\x1f\x8bgarbage", b"\x1f\x8b\x08" + b"\xff" * 50])
def test_h27_garbage_that_looks_like_gzip_is_refused(data: bytes) -> None:
    """With zlib's reason."""
    (end,) = split_record(data)
    assert isinstance(end, Broken)
    assert end.reason.startswith("broken gzip: ")


def test_h27_a_wrong_checksum_is_refused() -> None:
    """A bit that flipped in the log is not counted as a temperature in silence."""
    packed = bytearray(gzip.compress(b"one\ntwo\n"))
    packed[-5] ^= 1
    *_, end = split_record(bytes(packed))
    assert isinstance(end, Broken)
    assert end.reason.startswith("broken gzip: ")


@pytest.mark.parametrize("byte", [b" ", b"x"])
def test_h27_a_gzip_bomb_is_stopped_at_the_bound(byte: bytes) -> None:
    """It costs a few times the bound in memory, not what it would inflate to."""
    bomb = gzip.compress(byte * 2**26)
    assert len(bomb) < 2**17
    tracemalloc.start()
    try:
        *_, end = split_record(bomb)
        assert end == Broken(0, bomb, ReasonCode.TOO_LONG, f"inflates beyond {RECORD_INFLATED_BYTES_MAX} bytes")
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4 * RECORD_INFLATED_BYTES_MAX


def test_h27_a_record_of_short_lines_is_read_in_small_steps() -> None:
    """Ten megabytes of lines pass through well under one."""
    line = b"x" * 99 + b"\n"
    record = gzip.compress(line * (RECORD_INFLATED_BYTES_MAX // len(line)))
    tracemalloc.start()
    try:
        count = sum(1 for _ in split_record(record))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == RECORD_INFLATED_BYTES_MAX // len(line)
    assert peak_bytes < 2**20


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b", b"\x1f\x8b\x08\x00", KPL_MAGIC]))
def test_no_record_is_worse_than_undecodable(data: bytes, start: bytes) -> None:
    """Whatever somebody put on the stream."""
    assert all(line.data.strip() for line in split_record(start + data))


# --- Aggregates and many members ---


@given(st.lists(st.binary(max_size=30).filter(lambda part: not part.startswith((b"\x1f\x8b", KPL_MAGIC))), max_size=6))
def test_s01_the_lines_of_an_aggregate_are_numbered_through(parts: list[bytes]) -> None:
    """As if its user records stood one after the other, each ending its last line."""
    whole = b"".join(part if part.endswith(b"\n") else part + b"\n" for part in parts if part)
    assert list(split_record(*parts)) == list(split_record(whole))


def test_s01_a_broken_user_record_takes_nothing_from_the_others() -> None:
    """Each may be gzip'd by itself; the one that is broken is kept with its own bytes and number."""
    broken = gzip.compress(b"four\nfive\n")[:-1]
    lines = list(split_record(b"one", gzip.compress(b"two\n\nthree"), broken, b"six\n"))
    assert [line.number for line in lines] == [0, 1, 3, 4, 5, 6, 7]
    assert texts(lines) == [b"one", b"two", b"three", b"four", b"five", broken, b"six"]
    assert isinstance(lines[5], Broken)


def test_s01_an_aggregate_of_bombs_is_bounded_as_a_whole() -> None:
    """Each user record stays within the bound, all of them together do not."""
    bomb = gzip.compress(b" " * (RECORD_INFLATED_BYTES_MAX // 2))
    ends = list(split_record(*[bomb] * 4))
    reason = f"inflates beyond {RECORD_INFLATED_BYTES_MAX} bytes"
    assert ends == [Broken(number, bomb, ReasonCode.TOO_LONG, reason) for number in (2, 3)]


def test_s01_a_spoilt_aggregate_is_broken_as_one() -> None:
    """Not cut at the newlines its fields begin with; the user records beside one, if any, are not concerned."""
    spoilt = aggregate([b"one\ntwo\n"] * 3)[:-1]
    assert spoilt.count(b"\n") > 6
    one, end, two = split_record(b"one", spoilt, b"two")
    assert (one, two) == (Line(0, b"one"), Line(2, b"two"))
    assert end == Broken(1, spoilt, ReasonCode.NOT_AN_EVENT, "begins as a KPL aggregate, and is none")


def test_s11_gzip_of_many_members_is_read_in_proportion_to_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zlib copies what a member leaves over: what is handed to it for twice the record is twice as much, not four times."""
    member = gzip.compress(b"", mtime=0)
    handed_bytes = [bytes_handed_to_zlib(member * count, monkeypatch) for count in (5_000, 10_000)]
    assert handed_bytes[1] < 2.1 * handed_bytes[0]
    assert texts(split_record(member * 500 + gzip.compress(b"one\n") + member * 500)) == [b"one"]


def bytes_handed_to_zlib(record: bytes, monkeypatch: pytest.MonkeyPatch) -> int:
    """While the record is split."""
    handed = 0

    class Counting:
        def __init__(self, wbits: int) -> None:
            self._member = zlib.decompressobj(wbits)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._member, name)

        def decompress(self, data: bytes, *limits: int) -> bytes:
            nonlocal handed
            handed += len(data)
            return self._member.decompress(data, *limits)

    with monkeypatch.context() as patched:
        patched.setattr("telemetry.records.zlib", SimpleNamespace(decompressobj=Counting, MAX_WBITS=15, error=zlib.error))
        assert list(split_record(record)) == []
    return handed
