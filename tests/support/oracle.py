"""What the tables must say, worked out from the readings by other means than ours, and the tables read as they are."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime

from projections.fold import Stats, merge
from projections.items import read_pack, read_row
from projections.rows import RowKey
from telemetry.reading import Reading
from tests.support.stack import Stack


def stored_readings(stack: Stack) -> list[Reading]:
    """The readings of every pack; after a crash packs may overlap, so each reading once."""
    pages = stack.dynamodb.get_paginator("scan").paginate(TableName=stack.names.readings, ConsistentRead=True)
    return list({reading for page in pages for item in page["Items"] for reading in read_pack(item).readings})


def stored_stats(stack: Stack) -> dict[RowKey, Stats]:
    """Every scope and window of the stats table, merged over the shards, without the count of repeats."""
    rows: defaultdict[RowKey, list[Stats]] = defaultdict(list)
    pages = stack.dynamodb.get_paginator("scan").paginate(TableName=stack.names.stats, ConsistentRead=True)
    for page in pages:
        for item in page["Items"]:
            _, row = read_row(item)
            rows[row.key].append(row.stats)
    merged = {key: merge(stats) for key, stats in rows.items()}
    return {key: _without_repeats(stats) for key, stats in merged.items() if stats.count}


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
    return {key: _stats(members) for key, members in groups.items()}


def assert_tables_equal(stack: Stack, readings: Iterable[Reading]) -> None:
    """Raw readings are the set of these, and every row says what they add up to."""
    wanted = set(readings)
    found = stored_readings(stack)
    assert len(found) == len(wanted), f"{len(found)} raw readings, not {len(wanted)}"
    assert set(found) == wanted
    stats, expected = stored_stats(stack), expected_stats(wanted)
    differing = {key: (stats.get(key), expected.get(key)) for key in stats | expected if stats.get(key) != expected.get(key)}
    assert not differing, f"{len(differing)} rows differ, one of them: {next(iter(differing.items()))}"


def _stats(readings: list[Reading]) -> Stats:
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
    )


def _without_repeats(stats: Stats) -> Stats:
    return Stats(stats.count, stats.sum_micro, stats.sum_squares, stats.minimum, stats.maximum, stats.first, stats.latest)
