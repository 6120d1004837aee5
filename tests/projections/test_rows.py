"""Rows and items: which windows a reading concerns, and that what is written down is read back the same."""

from hypothesis import given
from hypothesis import strategies as st

from projections.effects import DeadLetter, Origin
from projections.fold import Stats
from projections.items import dead_letter_items, pack_item, read_pack, read_row, row_item
from projections.packs import READINGS_MAX, Decision, Pack, Place, bucket_of, make_packs
from projections.retention import Gap
from projections.rows import FLEET, PROGRESS, TOTAL, Row, RowKey, duplicate_keys, row_keys, sensor_scope
from telemetry.errors import ReasonCode
from telemetry.limits import DEAD_LETTER_PART_BYTES_MAX, TEMPERATURE_MICRO_MIN, TIME_US_MAX
from telemetry.reading import Reading, parse_timestamp
from tests.projections.logs import readings

TEN_MINUTES_US = 600_000_000
places = st.builds(Place, st.integers(1, 10**56), st.integers(0, 10**6))
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


@given(st.lists(readings, min_size=1, max_size=20), places, places)
def test_any_pack_survives_being_written_down(some: list[Reading], first: Place, last: Place) -> None:
    """A pack's item gives back bucket, bounds and readings in order, with "#" and any other character in the sensor id."""
    bucket = bucket_of(some[0])
    start_us = some[0].measured_at_us - some[0].measured_at_us % TEN_MINUTES_US
    inside = tuple(
        Reading(start_us + one.measured_at_us % TEN_MINUTES_US, bucket.sensor_id, one.temperature_micro) for one in some
    )
    pack = Pack(bucket, "shardId-000000000000", first, last, inside)
    assert {bucket_of(one) for one in inside} == {bucket}
    assert read_pack(pack_item(pack)) == pack


@given(readings, stats, st.integers(0, 10**56), st.integers(0, 10**56))
def test_any_row_survives_being_written_down(one: Reading, some: Stats, position: int, flushed_position: int) -> None:
    """A row's item gives back the shard and the row, for every window of any reading."""
    for key in row_keys(one):
        ended, past_us = bool(position % 2), position % 7 - 1
        gap = Gap(one.measured_at_us, position % 10**15) if ended else None
        row = Row(key, position, some, 1_700_000_000_123_456, flushed_position, ended, beat=7, gap=gap, past_us=past_us)
        again = read_row(row_item("shardId-000000000000", row))[1]
        assert (again.beat, again.gap, again.past_us) == (7, gap, past_us)
        assert read_row(row_item("shardId-000000000007", row)) == ("shardId-000000000007", row)


@given(readings, readings)
def test_the_keys_of_a_sensors_packs_sort_by_time(one: Reading, other: Reading) -> None:
    """The sort key's text order is time order, so that the last item of a sensor is of its latest bucket."""
    keys = [pack_item(Pack(bucket_of(each), "shard", Place(1, 0), Place(1, 0), (each,)))["pack"]["S"] for each in (one, other)]
    times = [each.measured_at_us // TEN_MINUTES_US for each in (one, other)]
    assert (keys[0] < keys[1]) == (times[0] < times[1])


def test_a_packs_item_can_be_read_by_a_person() -> None:
    """Timestamps without what the key says already, and degrees."""
    some = (Reading(1_700_000_000_000_000, "202", 18_700_000), Reading(1_700_000_006_500_000, "202", -1_000_000))
    item = pack_item(Pack(bucket_of(some[0]), "shard-0", Place(7, 0), Place(12, 3), some))
    assert item == {
        "sensor_id": {"S": "202"},
        "pack": {"S": "2023-11-14T22:1#shard-0#7.0#12.3"},
        "readings": {"S": "3:20=18.7 3:26.5=-1"},
    }


@given(readings)
def test_a_buckets_last_instant_is_in_it(one: Reading) -> None:
    """Its end is a time after which nothing in it was measured, and no earlier than need be."""
    last_us = bucket_of(one).last_us
    assert one.measured_at_us <= last_us == one.measured_at_us - one.measured_at_us % TEN_MINUTES_US + TEN_MINUTES_US - 1


def test_a_pack_is_cut_before_it_is_too_large_for_an_item() -> None:
    """The largest readings there can be: an item of the largest pack is below DynamoDB's 400 KB."""
    count = READINGS_MAX + 1
    decisions = [
        Decision(10**55 + number, number, Reading(TIME_US_MAX - number, "x" * 256, TEMPERATURE_MICRO_MIN + number), True)
        for number in range(count)
    ]
    packs = list(make_packs("shardId-000000000000", decisions))
    assert [len(pack.readings) for pack in packs] == [READINGS_MAX, 1]
    assert max(len(str(pack_item(pack))) for pack in packs) < 400_000 / 2


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
    items = list(dead_letter_items(DeadLetter(Origin("shard", 10**55, 3), data, ReasonCode.TOO_LONG, "why", 1_700_000_000_250)))
    chunks = [bytes(item["data"]["B"]) for item in items]
    assert b"".join(chunks) == data
    assert max(map(len, chunks)) <= DEAD_LETTER_PART_BYTES_MAX
    assert [item["place"]["S"] for item in items] == [f"{10**55}#3#{part}" for part in range(len(items))]
    assert {item["parts"]["N"] for item in items} == {str(len(items))}
    assert {item["code"]["S"] for item in items} == {"too-long"}
    assert items[0]["arrived"] == {"S": "2023-11-14T22:13:20.25Z"}
