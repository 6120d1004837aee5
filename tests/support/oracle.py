"""What the tables must say, worked out from the readings by other means than ours, and the tables read as they are.

Nothing here shares code with fold, merge, ladder or sheets: readings are grouped with datetime, sorted and counted.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache, reduce
from hashlib import md5
from itertools import pairwise
from math import gcd
from typing import Any

from projections import fold, histogram, sheets
from projections.fold import Stats
from projections.histogram import Histogram
from projections.items import read_pack, read_row
from projections.queries import fleet_stats
from projections.rows import Row, RowKey
from projections.sheets import Sheet, joined
from telemetry.reading import Reading
from tests.support.stack import Stack
from tests.support.waiting import eventually

_LADDER = (1, 10**4, 5 * 10**4, 10**5, 5 * 10**5, 10**6, 5 * 10**6, 10**7, 5 * 10**7, 10**8, 5 * 10**8, 10**9, 5 * 10**9)
"""Widths in 10⁻⁶ °C."""
_HEADER_BYTES = 11


def stored_readings(stack: Stack) -> list[Reading]:
    """The readings of every pack; after a crash packs may overlap, so each reading once."""
    pages = stack.dynamodb.get_paginator("scan").paginate(TableName=stack.names.readings, ConsistentRead=True)
    return list({reading for page in pages for item in page["Items"] for reading in read_pack(item).readings})


def stored_directory(stack: Stack) -> dict[str, tuple[int, set[str]]]:
    """When each sensor was last seen, and the shards it has rows in."""
    return _directory(_stats_items(stack))


def _stats_items(stack: Stack) -> list[Any]:
    pages = stack.dynamodb.get_paginator("scan").paginate(TableName=stack.names.stats, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def _rows(items: Iterable[Any]) -> list[tuple[str, Row]]:
    """Every row and its shard; the directory of sensors, which is no rows, left out."""
    return [read_row(item) for item in items if not item["scope"]["S"].startswith("directory#")]


def _directory(items: Iterable[Any]) -> dict[str, tuple[int, set[str]]]:
    listed = (item for item in items if item["scope"]["S"].startswith("directory#"))
    return {item["window"]["S"]: (int(item["seen"]["N"]), set(item["shards"]["SS"])) for item in listed}


def merged_stats(rows: Iterable[Row]) -> dict[RowKey, Stats]:
    """Every scope and window, merged over the shards, without the count of repeats. Sheets are left out."""
    found: defaultdict[RowKey, list[Stats]] = defaultdict(list)
    for row in rows:
        if not row.key.is_sheet:
            found[row.key].append(row.stats)
    merged = {key: fold.merge(stats) for key, stats in found.items()}
    return {key: without_repeats(stats) for key, stats in merged.items() if stats.count}


def merged_sheets(rows: Iterable[Row]) -> dict[RowKey, Sheet]:
    """Every day's sheet, merged over the shards."""
    found: defaultdict[RowKey, list[Sheet]] = defaultdict(list)
    for row in rows:
        if row.key.is_sheet:
            found[row.key].append(row.sheet)
    return {key: merged_sheet(each) for key, each in found.items()}


def merged_sheet(found: Iterable[Sheet]) -> Sheet:
    """What the sheets of several shards say of one day together."""
    return tuple(reduce(joined, cells) for cells in zip(*found, strict=True))


def expected_stats(readings: Iterable[Reading]) -> dict[RowKey, Stats]:
    """The same from the distinct readings: grouped by window with datetime, folded by sorting."""
    groups: defaultdict[RowKey, list[Reading]] = defaultdict(list)
    for reading in set(readings):
        at = datetime.fromtimestamp(reading.measured_at_us // 1_000_000, UTC)
        sensor = f"sensor#{reading.sensor_id}"
        for scope, window in (
            ("all", "total"),
            ("all", f"day#{at:%Y-%m-%d}"),
            ("all", f"hour#{at:%Y-%m-%dT%H}"),
            ("all", f"minute#{at:%Y-%m-%dT%H:%M}"),
            (sensor, "total"),
            (sensor, f"hour#{at:%Y-%m-%dT%H}"),
        ):
            groups[RowKey(scope, window)].append(reading)
    return {key: expected_fold(members) for key, members in groups.items()}


def expected_fold(readings: Collection[Reading]) -> Stats:
    """What distinct readings, at least one, add up to."""
    celsius = [reading.temperature_micro for reading in readings]
    by_time = sorted(readings, key=lambda r: (r.measured_at_us, r.sensor_id, r.temperature_micro))
    return Stats(
        count=len(readings),
        sum_micro=sum(celsius),
        sum_squares=sum(value**2 for value in celsius),
        minimum=min(by_time, key=lambda r: r.temperature_micro),
        maximum=max(by_time, key=lambda r: r.temperature_micro),
        first=by_time[0],
        latest=by_time[-1],
        histogram=histogram.encode(expected_histogram(celsius)),
    )


def expected_sheets(readings: Iterable[Reading]) -> dict[RowKey, Sheet]:
    """Each day's quarters of an hour."""
    days: defaultdict[RowKey, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for reading in set(readings):
        at = datetime.fromtimestamp(reading.measured_at_us // 1_000_000, UTC)
        key = RowKey("all", f"sheet#{at:%Y-%m-%d}")
        days[key][4 * at.hour + at.minute // 15].append(reading.temperature_micro)
    return {key: tuple(_cell(quarters.get(number, [])) for number in range(96)) for key, quarters in days.items()}


def expected_histogram(values: Collection[int]) -> Histogram:
    """Of temperatures in 10⁻⁶ °C: on the finest width of the ladder that keeps bins and bytes within their bounds."""
    return _histogram(tuple(sorted(values)), histogram.BINS_MAX, histogram.BYTES_MAX)


@lru_cache(maxsize=1000)
def _histogram(values: tuple[int, ...], bins_max: int, bytes_max: int) -> Histogram:
    for rung, width in enumerate(_LADDER):
        bins = Counter(value // width for value in values)
        fits = len(bins) <= bins_max and _bytes_of(bins) <= bytes_max
        if fits or width == _LADDER[-1]:
            return Histogram(rung, tuple(sorted(bins.items())))
    raise AssertionError("the ladder has an end")


def expected_seen_s(sensor_id: str, seen_us: int) -> int:
    """The last whole hour of the sensor's own, which begins as many seconds after each full hour as its hash says."""
    phase_s = int(md5(sensor_id.encode(), usedforsecurity=False).hexdigest(), 16) % 3600
    second = seen_us // 1_000_000
    return second - (second - phase_s) % 3600


def eventually_equal(stack: Stack, readings: Collection[Reading], within_s: float) -> None:
    """The tables become so. They are not compared before all is written that the totals hold: that takes the longest to do."""
    eventually(lambda: _assert_written(stack), within_s)
    eventually(lambda: assert_tables_equal(stack, readings), within_s)


def _assert_written(stack: Stack) -> None:
    rows = fleet_stats(stack.dynamodb, stack.names).shards
    behind = {shard_id for shard_id, row in rows.items() if row.progress.flushed.position < row.position}
    assert not behind


def assert_tables_equal(stack: Stack, readings: Iterable[Reading]) -> None:
    """Raw readings are the set of these, every row says what they add up to, and the directory knows every sensor."""
    wanted = frozenset(readings)
    found = stored_readings(stack)
    assert len(found) == len(wanted), f"{len(found)} raw readings, not {len(wanted)}"
    assert set(found) == wanted
    items = _stats_items(stack)
    rows = _rows(items)
    expected, sheets_expected = _expected(wanted)
    assert_same(merged_stats(row for _, row in rows), expected)
    assert_same(merged_sheets(row for _, row in rows), sheets_expected)
    directory = _directory(items)
    homes = {key.scope.removeprefix("sensor#") for key in expected if key.scope != "all"}
    assert directory.keys() == homes
    for shard_id, row in rows:
        if row.sensor.seen_s is not None:
            seen_s, shards = directory[row.key.scope.removeprefix("sensor#")]
            assert shard_id in shards
            assert row.sensor.seen_s <= seen_s
    assert sum(row.progress.sensors for _, row in rows) == len(homes)


@lru_cache(maxsize=1)
def _expected(readings: frozenset[Reading]) -> tuple[dict[RowKey, Stats], dict[RowKey, Sheet]]:
    """Kept, because the tables are looked at again and again until they are so."""
    return expected_stats(readings), expected_sheets(readings)


def assert_same[K, V](found: Mapping[K, V], expected: Mapping[K, V]) -> None:
    """Says how many entries differ, and one of them."""
    differing = {
        key: (found.get(key), expected.get(key))
        for key in found.keys() | expected.keys()
        if found.get(key) != expected.get(key)
    }
    assert not differing, f"{len(differing)} rows differ, one of them: {next(iter(differing.items()))}"


def without_repeats(stats: Stats) -> Stats:
    """The stats with no repeats counted."""
    return Stats(
        stats.count,
        stats.sum_micro,
        stats.sum_squares,
        stats.minimum,
        stats.maximum,
        stats.first,
        stats.latest,
        histogram=stats.histogram,
    )


def _cell(values: list[int]) -> sheets.Cell | None:
    if not values:
        return None
    return sheets.Cell(len(values), sum(values), sum(value**2 for value in values), min(values), max(values))


def _bytes_of(bins: Mapping[int, int]) -> int:
    """A header, the distances between bins in units of what divides all their numbers, and the counts; seven bits a byte."""
    numbers = sorted(bins)
    divisor = reduce(gcd, numbers, 0) or 1
    written = [*bins.values(), *((after - before) // divisor for before, after in pairwise(numbers))]
    return _HEADER_BYTES + sum(max(1, -(-value.bit_length() // 7)) for value in written)
