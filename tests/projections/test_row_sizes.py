"""A row is one write unit: never above 1,024 bytes as DynamoDB counts them, with ids of 32 bytes and whatever was measured."""

import math
import random
from collections.abc import Iterable, Iterator

import pytest

from benchmarks.item_sizes import UNIT_BYTES, size_bytes, sizes_bytes
from projections import histogram
from projections.fold import Fold, Stats, merge
from projections.histogram import BINS_MAX, BYTES_MAX, Histogram
from projections.items import row_item
from projections.retention import Gap
from projections.rows import FLEET, NO_REFUSALS, PROGRESS, Mark, Progress, Row, RowKey, Sensor, row_keys
from projections.sheets import SheetFold
from telemetry.limits import HASH_KEY_MAX, MICRO, TEMPERATURE_MICRO_MAX, TEMPERATURE_MICRO_MIN
from telemetry.reading import Reading

SHARD_ID = "12/shardId-000000000000"
"""Of the log's twelfth stream."""
ID = "0123456789abcdef" * 2
NOW_US = 1_798_761_599_999_999
"""The last microsecond of 2026: sixteen digits, none of them trimmed."""
POSITION = 10**56 - 1
MANY = 10**10 - 1
"""Readings of 30 sensors that send ten a second, for a year; or repeats, sensors, beats, dead letters for one reason."""
DAY_S, YEAR_S = 86_400, 365 * 86_400


def keys() -> dict[str, RowKey]:
    """A row of each kind that holds stats."""
    fleet_total, day, _, hour, minute, total, sensor_hour = row_keys(Reading(NOW_US, ID, 0))
    return {
        "progress": fleet_total,
        "fleet day": day,
        "fleet hour": hour,
        "fleet minute": minute,
        "sensor total": total,
        "sensor hour": sensor_hour,
    }


def worst(key: RowKey, stats: Stats, *, gap: bool = True) -> Row:
    """A row with all it may have beside stats, as large as it gets: positions of 56 digits, times in full, every counter."""
    mark = Mark(POSITION, NOW_US)
    progress = Progress(
        windows=mark,
        flushed=mark,
        refusals=(MANY,) * len(NO_REFUSALS),
        sensors=MANY,
        hash_range=(HASH_KEY_MAX // 2, HASH_KEY_MAX),
        beat=MANY,
        gap=Gap(NOW_US, NOW_US) if gap else None,
    )
    return Row(key, POSITION, stats, NOW_US, progress=progress, sensor=Sensor(NOW_US, NOW_US // MICRO))


def largest_histogram() -> Histogram:
    """As many bytes as are allowed."""
    bins = [(2 * number + 1, 2**14 - 1) for number in range(124)]
    bins[-1] = bins[-1][0], 2**28 - 1
    full = Histogram(1, tuple(bins))
    assert len(histogram.encode(full)) == BYTES_MAX
    assert len(bins) <= BINS_MAX
    return full


def largest_stats() -> Stats:
    """Sums and readings of as many digits as 10¹⁰ readings of the widest range can have."""
    cold, hot = (Reading(NOW_US, ID, value) for value in (TEMPERATURE_MICRO_MIN + 1, TEMPERATURE_MICRO_MAX - 1))
    total, squares = MANY * hot.temperature_micro, MANY * hot.temperature_micro**2
    return Stats(MANY, total, squares, cold, hot, hot, hot, MANY, histogram.encode(largest_histogram()))


@pytest.mark.parametrize("kind", keys())
def test_the_largest_row_of_each_kind_is_one_write_unit(kind: str) -> None:
    """Everything at its largest at once, which no shard will see."""
    item = row_item(SHARD_ID, worst(keys()[kind], largest_stats()))
    assert size_bytes(item) <= UNIT_BYTES, sizes_bytes(item)


def room(chance: random.Random, _: float) -> float:
    """In tenths, now and then with a window open."""
    return round(21 + chance.gauss(0, 0.8) - 9 * (chance.random() < 0.01), 1)


def outdoor(chance: random.Random, at_s: float) -> float:
    """In hundredths, through a continental year."""
    year, day = (math.cos(2 * math.pi * at_s / period_s) for period_s in (YEAR_S, DAY_S))
    return round(10 - 14 * year - 6 * day + chance.gauss(0, 4), 2)


def fahrenheit(chance: random.Random, at_s: float) -> float:
    """Tenths of Fahrenheit, converted and kept to six decimals."""
    return round((round(outdoor(chance, at_s) * 1.8 + 32, 1) - 32) / 1.8, 6)


def six_decimals(chance: random.Random, at_s: float) -> float:
    """A sensor that says more than it knows."""
    return outdoor(chance, at_s) + round(chance.uniform(-0.005, 0.005), 6)


def extreme(chance: random.Random, _: float) -> float:
    """All that may be measured."""
    return chance.uniform(-273.15, 10_000)


SENSORS = {each.__name__: each for each in (room, outdoor, fahrenheit, six_decimals, extreme)}


def measured(name: str, seconds: int, every_s: float, seed: int = 1) -> Iterator[Reading]:
    """A sensor's readings until the end of the year, at moments of their own to the microsecond."""
    chance = random.Random(seed)  # noqa: S311  repeatable on purpose
    at_s = 0.0
    while (at_s := at_s + every_s * chance.uniform(0.5, 1.5)) < seconds:
        celsius = SENSORS[name](chance, YEAR_S - seconds + at_s)
        yield Reading(NOW_US - int((seconds - at_s) * MICRO), ID, round(celsius * MICRO))


def folded(readings: Iterable[Reading]) -> Stats:
    """Their stats."""
    fold = Fold(Stats())
    for one in readings:
        fold.add(one)
    return fold.stats()


def growing(stats: Stats) -> Iterator[Stats]:
    """The stats, and as if each reading had come 60, 3,600 and 216,000 times at moments of its own."""
    for _ in range(4):
        yield stats
        stats = merge([stats] * 60)


@pytest.mark.parametrize("name", SENSORS)
def test_years_of_a_sensor_fit_one_write_unit(name: str) -> None:
    """Its total after a year of a reading each half hour, half minute and half second, and longer; an hour of one a second."""
    for stats in growing(folded(measured(name, YEAR_S, 1800))):
        assert size_bytes(row_item(SHARD_ID, worst(keys()["sensor total"], stats))) <= UNIT_BYTES
    hour = folded(measured(name, 3600, 1))
    assert size_bytes(row_item(SHARD_ID, worst(keys()["sensor hour"], hour))) <= UNIT_BYTES


def test_years_of_a_mixed_fleet_fit_one_write_unit() -> None:
    """All kinds of sensors together, up to 10¹⁰ readings; without the extreme one; without those of many decimals."""
    years = [folded(measured(name, YEAR_S, 3600)) for name in SENSORS]
    fleet_keys = [key for key in keys().values() if key.scope == FLEET]
    for fleet in (years, years[:-1], years[:2]):
        for stats in growing(merge(fleet)):
            for key in fleet_keys:
                assert size_bytes(row_item(SHARD_ID, worst(key, stats))) <= UNIT_BYTES


def sheet_bytes(name: str, readings_s: int) -> int:
    """The size of the sheet of a day on which so many readings came a second."""
    fold = SheetFold(Row(PROGRESS).sheet)
    for one in measured(name, DAY_S, 60):
        fold.add(one)
    times = 60 * readings_s
    sheet = tuple(
        cell
        and cell._replace(
            readings=cell.readings * times, sum_micro=cell.sum_micro * times, sum_squares=cell.sum_squares * times
        )
        for cell in fold.sheet()
    )
    assert all(sheet)
    key = row_keys(Reading(NOW_US, ID, 0))[2]
    assert key.is_sheet
    return size_bytes(row_item(SHARD_ID, Row(key, POSITION, as_of_us=NOW_US, sheet=sheet)))


def test_a_full_days_sheet_is_three_write_units_at_most() -> None:
    """Of a shard with 10,000 readings a second, whatever the weather; four at the ends of what may be measured."""
    for name in SENSORS:
        assert sheet_bytes(name, 10_000) <= (3 if name != "extreme" else 4) * UNIT_BYTES, name
