"""A record as lines of an object, and back: whatever its bytes are, it is taken apart as before."""

import gzip
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.lines import DAYS_MAX, REFUSED_LINES_MAX, RecordWriter, is_fit, read_records
from archive.meta import UNDATED
from projections.decoding import LETTERS_MAX
from telemetry.aggregates import user_records
from telemetry.events import encode_event
from telemetry.limits import RECORD_INFLATED_BYTES_MAX
from telemetry.log import LogRecord
from telemetry.reading import Reading
from telemetry.records import Broken, Line, encode_record, split_record
from tests.archive.records import DATA, numbered, projected
from tests.telemetry.strategies import READINGS

DAY_US = 86_400_000_000
EVENT = encode_event(Reading(0, "202", 18_700_000), 0)


def back(records: list[LogRecord]) -> list[LogRecord]:
    """Records out of the lines they are written as."""
    writer = RecordWriter()
    text = b"".join(writer.write(record).text for record in records)
    return list(read_records(text.splitlines(keepends=True), ValueError))


def split(data: bytes) -> list[Line | Broken]:
    """The lines of a record, as replay takes it apart."""
    return list(split_record(*user_records(data).parts))


def written(data: bytes) -> list[dict[str, object]]:
    """A record's lines as any reader of JSON has them."""
    [record] = numbered([data])
    return [json.loads(line) for line in RecordWriter().write(record).text.splitlines()]


@given(st.lists(DATA, min_size=1, max_size=4))
def test_any_bytes_are_taken_apart_as_before(contents: list[bytes]) -> None:
    """By every reader: the same lines under the same numbers, the same readings, strays and dead letters; nothing left out."""
    records = numbered(contents)
    found = back(records)
    assert [record[:2] for record in found] == [record[:2] for record in records]
    assert [split(record.data) for record in found] == [split(record.data) for record in records]
    assert [projected(record) for record in found] == [projected(record) for record in records]


@given(st.lists(DATA, min_size=1, max_size=4))
def test_every_line_is_json_of_an_object_on_one_line_to_everybody(contents: list[bytes]) -> None:
    """Whatever takes a text for lines finds the same ones, and Unicode in them."""
    writer = RecordWriter()
    for record in numbered(contents):
        text, lines = writer.write(record)
        found = text.decode().splitlines()
        assert len(found) == lines == text.count(b"\n")
        for line in found:
            json.dumps(json.loads(line), ensure_ascii=False).encode()


@given(st.lists(READINGS, min_size=1, max_size=30))
def test_events_of_our_encoder_stand_verbatim(readings: list[Reading]) -> None:
    """With the record's number, the line's and the arrival; the fast way and the strict one write the same."""
    events = [encode_event(reading, 0) for reading in readings]
    data = encode_record(events)
    [record] = numbered([data])
    arrived = f'"arrived":"2025-11-26T09:00:00.{record.arrived_ms % 1000:03}Z"'
    expected = b"".join(
        f'{{"seq":"{record.sequence_number}","line":{number},{arrived},"event":'.encode() + event + b"}\n"
        for number, event in enumerate(events)
    )
    assert RecordWriter().write(record).text == expected
    assert RecordWriter()._write_any(record).text == expected


@pytest.mark.parametrize(
    "line",
    [b" {}", b"{} ", b"{}\r", b'{"a":\r1}', b"[]", b"{", b'{"a":1,"a":1}', b'{"a":"\xe2\x80\xa9"}', b'{"a":NaN}', b'"\\ud800"'],
)
def test_a_line_that_some_reader_takes_otherwise_is_kept_as_bytes(line: bytes) -> None:
    """Its record comes back byte for byte; its other lines stand behind it, for engines."""
    data = EVENT + b"\n" + line
    bytes_line, event_line = written(data)
    assert (bytes_line["line"], event_line["line"]) == (-1, 0)
    assert "event" not in bytes_line
    [record] = numbered([data])
    assert back([record]) == [record]


@pytest.mark.parametrize("data", [b"", b"\n", EVENT + b"\n\n" + EVENT, b"\x1f\x8b spoilt", b"\xf3\x89\x9a\xc2 no aggregate"])
def test_a_record_that_is_not_lines_of_objects_is_kept_as_bytes(data: bytes) -> None:
    """Blank ones, broken ones, aggregates."""
    assert written(data)[0]["line"] == -1
    [record] = numbered([data])
    assert back([record]) == [record]


def test_a_packed_record_of_many_refused_lines_keeps_its_bytes() -> None:
    """It is one dead letter, which holds the record as the stream had it; the bound is the projection's."""
    assert REFUSED_LINES_MAX == LETTERS_MAX
    for count in (REFUSED_LINES_MAX, REFUSED_LINES_MAX + 1):
        [record] = numbered([gzip.compress(b"{}\n" * count)])
        assert [letter for letter in projected(*back([record])) if letter] == [x for x in projected(record) if x]
    assert written(record.data)[0]["line"] == -1


def test_what_would_not_fit_with_a_last_newline_keeps_its_bytes() -> None:
    """Else the newline would carry it beyond what a record may inflate to."""
    data = b'{"a":"' + b"a" * (RECORD_INFLATED_BYTES_MAX - 8) + b'"}'
    assert len(data) == RECORD_INFLATED_BYTES_MAX
    [record] = numbered([data])
    assert back([record]) == [record]


def test_readings_are_counted_by_the_day_they_were_measured_on() -> None:
    """In UTC; every other line, and what an aggregate loses, is undated."""
    writer = RecordWriter()
    events = [encode_event(Reading(number * DAY_US // 2, "202", 0), 0) for number in range(5)]
    for record in numbered([encode_record(events), b"{}\n", b"\n", b"x\n" + events[4] + b"\n"]):
        writer.write(record)
    assert writer.measured == {"1970-01-01": 2, "1970-01-02": 2, "1970-01-03": 2, UNDATED: 2}


def test_of_too_many_days_the_rarest_are_undated() -> None:
    """So that the last line stays small, whatever a sensor's clock says."""
    writer = RecordWriter()
    days = [*range(DAYS_MAX + 5), *range(DAYS_MAX)]
    for record in numbered([encode_record([encode_event(Reading(number * DAY_US, "202", 0), 0)]) for number in days]):
        writer.write(record)
    measured = writer.measured
    assert Counter(measured.values()) == {2: DAYS_MAX, 5: 1}
    assert measured[UNDATED] == 5


def test_lines_that_no_archiver_writes_are_refused() -> None:
    """By what is wrong with them."""
    one, two = (RecordWriter().write(record).text for record in numbered([EVENT + b"\n" + EVENT, EVENT]))
    first, second = one.splitlines(keepends=True)
    for lines, reason in (
        ([b"{}\n"], "no archiver writes"),
        ([first[:-1]], "no archiver writes"),
        ([second], "lacks line 0"),
        ([first, first], "lacks line 1"),
        ([two, first, second], "follows"),
    ):
        with pytest.raises(ValueError, match=reason):
            list(read_records(lines, ValueError))


def test_a_line_is_judged_alone() -> None:
    """Strict JSON of an object; an event is no better for having been decoded before."""
    assert is_fit(EVENT)
    assert is_fit(b'{"a":"\\ud83d\\ude00\\u2028"}')
    assert not is_fit(b'{"a":"\\ud83d"}', known_event=True)
