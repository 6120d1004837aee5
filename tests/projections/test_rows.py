"""Rows and items: which windows a reading concerns, and that what is written down is read back the same."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from projections.decisions import Decisions
from projections.decoding import Candidate
from projections.effects import DeadLetter, Origin, Sighting
from projections.fold import Stats
from projections.items import directory_key, first_sighting, pack_item, read_pack, read_row, row_item
from projections.letters import dead_letter_items, mark_item, read_letters
from projections.packs import READINGS_MAX, Place, bucket_of, pack_of
from projections.retention import Gap
from projections.rows import (
    FLEET,
    PROGRESS,
    TOTAL,
    Mark,
    Progress,
    Row,
    RowKey,
    Sensor,
    directory_scope,
    row_keys,
    seen_hour_s,
    sensor_scope,
)
from projections.sheets import CELLS, Cell, Sheet
from telemetry.canonical import token_of
from telemetry.errors import ReasonCode
from telemetry.letter_marks import LetterMark, LetterPlace, Outcome
from telemetry.limits import (
    DEAD_LETTER_PART_BYTES_MAX,
    HASH_KEY_MAX,
    TEMPERATURE_MICRO_MAX,
    TEMPERATURE_MICRO_MIN,
    TIME_US_MAX,
)
from telemetry.reading import Reading, parse_timestamp
from tests.projections.logs import readings
from tests.support.oracle import expected_seen_s

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
    histogram=st.binary(max_size=384),
)
positions = st.integers(0, 10**56)
times_us = st.integers(0, TIME_US_MAX)
marks = st.builds(Mark, positions, times_us)
progresses = st.builds(
    Progress,
    windows=marks,
    flushed=marks,
    refusals=st.tuples(*[st.integers(0, 10**12)] * len(ReasonCode)),
    sensors=st.integers(0, 10**9),
    hash_range=st.none() | st.tuples(*[st.integers(0, HASH_KEY_MAX)] * 2),
    beat=st.integers(0, 10**9),
    gap=st.none() | st.builds(Gap, times_us, times_us),
)
sensors = st.builds(Sensor, past_us=st.integers(-1, TIME_US_MAX), seen_s=st.none() | st.integers(0, 2**33))
celsius_micro = st.integers(TEMPERATURE_MICRO_MIN, TEMPERATURE_MICRO_MAX)
cells = st.builds(
    Cell, st.integers(1, 10**12), st.integers(-(10**22), 10**22), st.integers(0, 10**32), celsius_micro, celsius_micro
)
day_sheets = st.lists(st.none() | cells, min_size=CELLS, max_size=CELLS).map(tuple)


def _of_sensor(some: Stats, sensor_id: str) -> Stats:
    """The stats with all their readings of one sensor."""
    named = {name: getattr(some, name) for name in ("minimum", "maximum", "first", "latest")}
    return replace(some, **{name: one and one._replace(sensor_id=sensor_id) for name, one in named.items()})


def test_a_reading_concerns_seven_rows_by_its_measured_time() -> None:
    """Fleet: total, day, the day's sheet, hour, minute; sensor: total and hour; all in UTC."""
    one = Reading(parse_timestamp("2026-11-23T23:59:59.9-01:00"), "202", 0)
    assert [(key.scope, key.window) for key in row_keys(one)] == [
        ("all", "total"),
        ("all", "day#2026-11-24"),
        ("all", "sheet#2026-11-24"),
        ("all", "hour#2026-11-24T00"),
        ("all", "minute#2026-11-24T00:59"),
        ("sensor#202", "total"),
        ("sensor#202", "hour#2026-11-24T00"),
    ]


@given(st.lists(readings, min_size=1, max_size=20), places, places)
def test_any_pack_survives_being_written_down(some: list[Reading], first: Place, last: Place) -> None:
    """A pack's item gives back bucket, bounds and readings in order, with "#" and any other character in the sensor id."""
    bucket = bucket_of(some[0])
    start_us = some[0].measured_at_us - some[0].measured_at_us % TEN_MINUTES_US
    inside = tuple(
        Reading(start_us + one.measured_at_us % TEN_MINUTES_US, bucket.sensor_id, one.temperature_micro) for one in some
    )
    pack = pack_of("2/shardId-000000000000", first, last, inside)
    assert {bucket_of(one) for one in inside} == {bucket}
    assert read_pack(pack_item(pack)) == pack
    assert (pack.bucket, pack.readings) == (bucket, inside)


@given(readings, stats, marks)
def test_any_row_survives_being_written_down(one: Reading, some: Stats, mark: Mark) -> None:
    """A row's item gives back the shard and the row, for every window of any reading; sensor rows know whose they are."""
    for key in (key for key in row_keys(one) if not key.is_sheet):
        own = some if key.scope == FLEET else _of_sensor(some, one.sensor_id)
        row = Row(key, mark.position, own, mark.as_of_us)
        assert read_row(row_item("2/shardId-000000000007", row)) == ("2/shardId-000000000007", row)


@given(stats, marks, progresses)
def test_any_progress_row_survives_being_written_down(some: Stats, mark: Mark, progress: Progress) -> None:
    """What is left out of comparisons too."""
    row = Row(PROGRESS, mark.position, some, mark.as_of_us, progress=progress)
    again = read_row(row_item("2/shardId-000000000007", row))[1]
    assert again == row
    assert (again.progress.beat, again.progress.gap, again.version) == (progress.beat, progress.gap, row.version)
    assert again.progress.hash_range == progress.hash_range


@given(stats, marks, progresses)
def test_the_marks_of_a_final_row_are_its_own(some: Stats, mark: Mark, progress: Progress) -> None:
    """Everything covers the shard to its end, so it is written down once."""
    final = replace(progress, ended=True, windows=mark, flushed=mark)
    row = Row(PROGRESS, mark.position, some, mark.as_of_us, progress=final)
    item = row_item("2/shardId-000000000007", row)
    assert read_row(item)[1] == row
    assert not {"windows", "flushed"} & item.keys()


@given(readings, stats, marks, sensors)
def test_any_total_of_a_sensor_survives_being_written_down(one: Reading, some: Stats, mark: Mark, sensor: Sensor) -> None:
    """With its past. It is not in the index of the directory, which holds what has `seen`."""
    own = _of_sensor(some, one.sensor_id)
    row = Row(RowKey(sensor_scope(one.sensor_id), TOTAL), mark.position, own, mark.as_of_us, sensor=sensor)
    item = row_item("2/shardId-000000000007", row)
    assert read_row(item) == ("2/shardId-000000000007", row)
    assert "seen" not in item
    assert "who" not in item


@given(marks, day_sheets)
def test_any_day_sheet_survives_being_written_down(mark: Mark, sheet: Sheet) -> None:
    """Numbers of any size and sign, and quarters without any."""
    row = Row(RowKey(FLEET, "sheet#2026-11-24"), mark.position, as_of_us=mark.as_of_us, sheet=sheet)
    assert read_row(row_item("2/shardId-000000000007", row)) == ("2/shardId-000000000007", row)


def test_a_full_day_sheet_stays_small() -> None:
    """A million readings in each quarter of an hour of a day: 3 KB."""
    cell = Cell(10**6, 10**6 * 18_700_000, 10**6 * 18_700_000**2, -40_000_000, 40_000_000)
    item = row_item("2/shardId-000000000007", Row(RowKey(FLEET, "sheet#2026-11-24"), 1, sheet=(cell,) * CELLS))
    assert len(item["cells"]["B"]) <= 3 * 1024


@given(readings)
def test_a_sensor_stands_in_one_of_sixteen_scopes_of_the_directory(one: Reading) -> None:
    """By its hash, with the hour of its own in which it was seen; the item's `seen` is what its index orders by."""
    seen_s = seen_hour_s(one.sensor_id, one.measured_at_us)
    assert seen_s == expected_seen_s(one.sensor_id, one.measured_at_us)
    statement = first_sighting("table", "shard", Sighting(one.sensor_id, seen_s, new=True))
    assert "'seen': ?" in str(statement["Statement"])
    assert {"N": str(seen_s)} in statement["Parameters"]
    assert directory_key(one.sensor_id) == {"scope": {"S": directory_scope(one.sensor_id)}, "window": {"S": one.sensor_id}}
    scope, _, number = directory_scope(one.sensor_id).partition("#")
    assert (scope, int(number) in range(16)) == ("directory", True)


def test_the_directory_turns_over_bit_by_bit() -> None:
    """Sensors' hours begin at seconds of their own, spread over the hour: a thousand never move at once."""
    phases = {seen_hour_s(f"sensor-{number}", 1_700_000_000_000_000) % 3600 for number in range(1_000)}
    assert len(phases) > 800


@given(readings, readings)
def test_the_keys_of_a_sensors_packs_sort_by_time(one: Reading, other: Reading) -> None:
    """The sort key's text order is time order, so that the last item of a sensor is of its latest bucket."""
    keys = [pack_item(pack_of("shard", Place(1, 0), Place(1, 0), [each]))["pack"]["S"] for each in (one, other)]
    times = [each.measured_at_us // TEN_MINUTES_US for each in (one, other)]
    assert (keys[0] < keys[1]) == (times[0] < times[1])


def test_a_packs_item_can_be_read_by_a_person() -> None:
    """Timestamps without what the key says already, and degrees."""
    some = (Reading(1_700_000_000_000_000, "202", 18_700_000), Reading(1_700_000_006_500_000, "202", -1_000_000))
    item = pack_item(pack_of("shard-0", Place(7, 0), Place(12, 3), some))
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
    decisions = Decisions(0)
    for number in range(count):
        one = Reading(TIME_US_MAX - number, "x" * 256, TEMPERATURE_MICRO_MIN + number)
        decisions.count(Candidate(10**55 + number, number, 0, one, token_of(one)), decisions.hour(one, Row(PROGRESS)))
    packs = list(decisions.packs("shardId-000000000000"))
    assert [len(pack.readings) for pack in packs] == [READINGS_MAX, 1]
    assert max(len(str(pack_item(pack))) for pack in packs) < 400_000 / 2


def test_h18_sequence_numbers_of_56_digits_survive_and_compare_as_integers() -> None:
    """Positions are bytes in the table, never numbers of 38 digits, and 9 lies before 10 once they are read."""
    nines, next_one = int("9" * 55), 10**55
    rows = [Row(PROGRESS, at, progress=Progress(windows=Mark(at), flushed=Mark(at))) for at in (nines, next_one)]
    items = [row_item("shard", row) for row in rows]
    assert items[1]["position"] == {"B": next_one.to_bytes(23)} == items[1]["flushed"] == items[1]["windows"]
    before, after = (read_row(item)[1] for item in items)
    assert (before, after) == tuple(rows)
    assert before.position < after.position
    assert before.progress.flushed.position < after.progress.flushed.position


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


def test_letters_and_their_marks_are_read_back() -> None:
    """In the order of the table, in which the tenth part comes before the second; one that lacks a part is none."""
    data = bytes(10 * DEAD_LETTER_PART_BYTES_MAX + 1)
    large = DeadLetter(Origin("one", 5, 1), data, ReasonCode.MANY_LINES, "why", 250, ((1, 90), (95, 95)))
    small = DeadLetter(Origin("one", 5, 10), b"{", ReasonCode.NOT_JSON, "why", 0)
    marks = [LetterMark(LetterPlace("one", 5, line), Outcome.DISCARDED, "me", "old", line, ("one:7",)) for line in (1, 9)]
    items = sorted(
        [*dead_letter_items(large), *dead_letter_items(small), *map(mark_item, marks)], key=lambda item: item["place"]["S"]
    )
    found = {kept.origin.line: (kept.letter, kept.mark) for kept in read_letters(items)}
    assert found == {1: (large, marks[0]), 9: (None, marks[1]), 10: (small, None)}
    items.remove(next(item for item in items if item["place"]["S"] == "5#1#10"))
    assert next(read_letters(items)).letter is None
    heads = [item for item in items if item["place"]["S"].endswith("#0")]
    assert [kept.letter for kept in read_letters(heads, whole=False)] == [replace(large, data=b""), replace(small, data=b"")]
