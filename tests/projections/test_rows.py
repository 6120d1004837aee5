"""Rows and items: which windows a reading concerns, and that what is written down is read back the same."""

from hypothesis import given
from hypothesis import strategies as st

from projections.effects import DeadLetter, Origin
from projections.fold import Stats
from projections.items import dead_letter_items, read_reading, read_row, reading_item, reading_key, row_item
from projections.rows import FLEET, PROGRESS, TOTAL, Row, RowKey, duplicate_keys, row_keys, sensor_scope
from telemetry.limits import DEAD_LETTER_PART_BYTES_MAX
from telemetry.reading import Reading, parse_timestamp
from tests.projections.logs import readings

origins = st.builds(Origin, st.just("shardId-000000000007"), st.integers(1, 10**56), st.integers(0, 10**6))
stats = st.builds(
    Stats,
    count=st.integers(0, 10**12),
    sum_micro=st.integers(-(10**22), 10**22),
    sum_squares=st.integers(0, 10**32),
    minimum=st.none() | readings,
    maximum=st.none() | readings,
    first=st.none() | readings,
    latest=st.none() | readings,
    duplicates=st.integers(0, 10**12),
)


def test_a_reading_concerns_six_rows_by_its_measured_time() -> None:
    """Fleet: total, day, hour, minute; sensor: total and hour; all in UTC."""
    one = Reading(parse_timestamp("2026-11-23T23:59:59.9-01:00"), "202", 0)
    assert [(key.scope, key.window) for key in row_keys(one)] == [
        ("all", "total"),
        ("all", "day#2026-11-24"),
        ("all", "hour#2026-11-24T00"),
        ("all", "minute#2026-11-24T00:59"),
        ("sensor#202", "total"),
        ("sensor#202", "hour#2026-11-24T00"),
    ]


def test_a_repeat_concerns_the_totals_only() -> None:
    """The fleet's total and the sensor's count repeats; their windows are left alone."""
    one = Reading(0, "202", 0)
    assert set(duplicate_keys(one)) == {RowKey(FLEET, TOTAL), RowKey(sensor_scope("202"), TOTAL)} < set(row_keys(one))


@given(readings, origins)
def test_any_reading_survives_being_written_down(one: Reading, origin: Origin) -> None:
    """A raw reading's item gives back reading and origin, with "#" and any other character in the sensor id."""
    assert read_reading(reading_item(one, origin)) == (one, origin)


@given(readings, stats, st.integers(0, 10**56), st.integers(0, 10**56))
def test_any_row_survives_being_written_down(one: Reading, some: Stats, position: int, flushed_position: int) -> None:
    """A row's item gives back the shard and the row, for every window of any reading."""
    for key in row_keys(one):
        row = Row(key, position, some, 1_700_000_000_123_456, flushed_position, ended=bool(position % 2), beat=7)
        assert read_row(row_item("shardId-000000000000", row))[1].beat == 7
        assert read_row(row_item("shardId-000000000007", row)) == ("shardId-000000000007", row)


@given(st.lists(readings, max_size=5))
def test_the_keys_of_a_sensors_readings_sort_by_time(found: list[Reading]) -> None:
    """The sort key's text order is time order, so that the last item of a sensor is its newest reading."""
    keys = [(reading_key(one)["reading_key"]["S"], one.measured_at_us) for one in found]
    assert [time for _, time in sorted(keys)] == sorted(one.measured_at_us for one in found)


@given(readings, readings)
def test_readings_share_a_key_only_if_they_are_the_same_reading(one: Reading, other: Reading) -> None:
    """The primary key is the identity: sensor, timestamp, temperature."""
    assert (reading_key(one) == reading_key(other)) == (one == other)


def test_h18_sequence_numbers_of_56_digits_survive_and_compare_as_integers() -> None:
    """Positions are text in the table, never numbers of 38 digits, and 9 lies before 10 once they are read."""
    nines, next_one = int("9" * 55), 10**55
    items = [row_item("shard", Row(PROGRESS, position, Stats(), 0, position)) for position in (nines, next_one)]
    assert items[1]["position"] == {"S": "1" + "0" * 55} == items[1]["flushed_position"]
    before, after = (read_row(item)[1] for item in items)
    assert before.position < after.position
    assert before.flushed_position < after.flushed_position
    assert str(before.position) > str(after.position), "as text they would stand the other way round"


@given(st.integers(0, 3), st.integers(-1, 1))
def test_a_dead_letters_parts_are_its_bytes(parts: int, more: int) -> None:
    """Whatever its length, the parts joined in order are the letter; each fits an item and there is at least one."""
    data = bytes(max(0, parts * DEAD_LETTER_PART_BYTES_MAX + more))
    items = list(dead_letter_items(DeadLetter(Origin("shard", 10**55, 3), data, "why", 1_700_000_000_250)))
    chunks = [bytes(item["data"]["B"]) for item in items]
    assert b"".join(chunks) == data
    assert max(map(len, chunks)) <= DEAD_LETTER_PART_BYTES_MAX
    assert [item["place"]["S"] for item in items] == [f"{10**55}#3#{part}" for part in range(len(items))]
    assert {item["parts"]["N"] for item in items} == {str(len(items))}
    assert items[0]["arrived"] == {"S": "2023-11-14T22:13:20.25Z"}
