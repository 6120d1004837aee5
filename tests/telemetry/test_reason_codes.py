"""Why bytes are no event, as a code: a part of the log's format, since letters are counted by it."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.errors import ReasonCode, UndecodableEvent
from telemetry.events import decode_event
from telemetry.limits import EVENT_BYTES_MAX, TEMPERATURE_MICRO_MAX, TEMPERATURE_MICRO_MIN
from telemetry.records import Broken, split_record
from tests.telemetry.strategies import SENSOR_IDS
from tests.telemetry.unreadable import GOOD, LINES, RECORDS, event, temperature

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ATTRIBUTES = st.sampled_from(["specversion", "type", "time", "subject", "data"])


def code_of(line: bytes) -> ReasonCode | None:
    """Why a line is no event; None when it is one."""
    try:
        decode_event(line)
    except UndecodableEvent as error:
        return error.code
    return None


def codes_of(*parts: bytes) -> Iterator[ReasonCode | None]:
    """For each line of a record."""
    return (line.code if isinstance(line, Broken) else code_of(line.data) for line in split_record(*parts))


def test_the_codes_and_their_order_stay() -> None:
    """Letters written long ago are counted beside today's."""
    assert [str(code) for code in ReasonCode] == [
        *("not-json", "not-an-event", "unknown-type", "out-of-range", "too-long", "bad-gzip", "many-lines")
    ]


def test_every_code_but_the_whole_records_has_its_inputs() -> None:
    """The tables are complete; many-lines belongs to letters (tests/projections/test_reason_codes.py)."""
    assert {*LINES, *RECORDS} == {*ReasonCode} - {ReasonCode.MANY_LINES}


@pytest.mark.parametrize(("code", "line"), [(code, line) for code, lines in LINES.items() for line in lines])
def test_a_line_that_is_no_event_has_its_code(code: ReasonCode, line: bytes) -> None:
    """Whoever calls, and in whatever record it stands."""
    assert code_of(line) == next(map(code_of, [line])) == code
    assert list(codes_of(GOOD + b"\n" + line)) == [None, code]
    assert list(codes_of(GOOD, line, GOOD)) == [None, code, None]


@pytest.mark.parametrize(("code", "record"), [(code, record) for code, records in RECORDS.items() for record in records])
def test_a_record_that_is_broken_has_its_code(code: ReasonCode, record: bytes) -> None:
    """Alone, and as a user record among others."""
    assert list(codes_of(record)) == [code]
    assert list(codes_of(GOOD, record)) == [None, code]


def test_good_events_at_the_limits_have_none() -> None:
    """The codes begin right behind them."""
    assert code_of(GOOD) is None
    assert code_of(GOOD + b" " * (EVENT_BYTES_MAX - len(GOOD))) is None
    assert {code_of(event(time=text)) for text in ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z")} == {None}
    assert {code_of(event(subject=text)) for text in ("a" * 256, "\U0001f321" * 128, "e\u0301" * 256)} == {None}
    assert {code_of(temperature(text)) for text in ("-273.15", "10000", '"+1e4"', "1e-999999")} == {None}


@given(st.integers() | st.decimals(allow_nan=False, allow_infinity=False), st.booleans())
def test_a_number_is_out_of_range_or_a_temperature(number: int | Decimal, quoted: bool) -> None:
    """By what fractions say of it."""
    within = TEMPERATURE_MICRO_MIN <= Fraction(number) * 10**6 <= TEMPERATURE_MICRO_MAX
    assert code_of(temperature(f'"{number}"' if quoted else str(number))) == (None if within else ReasonCode.OUT_OF_RANGE)


@given(st.datetimes(), st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))))
def test_a_moment_is_out_of_range_or_a_time(local: datetime, offset: timezone) -> None:
    """By what datetime says of it: the years 1970 to 9999 in UTC."""
    moment = local.replace(tzinfo=offset)
    within = datetime.fromisoformat("1970-01-01T00Z") <= moment <= datetime.fromisoformat("9999-12-31T23:59:59.999999Z")
    assert code_of(event(time=moment.isoformat())) == (None if within else ReasonCode.OUT_OF_RANGE)


@given(SENSOR_IDS, st.integers(1, 30))
def test_an_id_is_out_of_range_or_a_sensors(sensor_id: str, times: int) -> None:
    """By its length in UTF-16, as a good id repeated is as good but for its length."""
    text = "-".join([sensor_id] * times)
    within = len(text.encode("utf-16-le")) <= 2 * 256
    assert code_of(event(subject=text)) == (None if within else ReasonCode.OUT_OF_RANGE)


@given(ATTRIBUTES, JSON)
def test_an_attribute_that_is_anything_gives_a_reading_or_one_code(name: str, value: Any) -> None:
    """And never one that is not about lines; what is no text is never unknown, nor out of range."""
    code = code_of(event(**{name: value}))
    assert code in (None, *LINES)
    if name != "data" and not isinstance(value, str):
        assert code in (ReasonCode.NOT_AN_EVENT, ReasonCode.NOT_JSON)


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"\xf3\x89\x9a\xc2", GOOD, GOOD[:-1]]))
def test_any_bytes_give_readings_or_one_code_each(data: bytes, start: bytes) -> None:
    """The same ones whenever the record is read."""
    codes = list(codes_of(start + data))
    assert {*codes} <= {None, *ReasonCode} - {ReasonCode.MANY_LINES}
    assert list(codes_of(start + data)) == codes
