"""What the benchmarks count: sizes and units as DynamoDB has them, deliveries as KCL brings them."""

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.canned import item_of
from benchmarks.fleet import DELIVERY_S, LATE_S_MAX, NOON_S, day_sheet, deliveries, project, sensor_id
from benchmarks.item_sizes import UNIT_BYTES, size_bytes, write_units_of
from benchmarks.one_key import most_shards, shards_that_fit, turning_sensors
from benchmarks.write_units import Meter, steady
from projections.dynamodb import AwsStores
from projections.effects import Sighting
from projections.items import directory_key, first_sighting, pack_item, row_item, row_statement
from projections.memory import MemoryStores
from projections.packs import Place, pack_of
from projections.policy import FlushPolicy
from projections.rows import FLEET, PROGRESS, TOTAL, Mark, Progress, Row, RowKey, Sensor
from projections.sheets import CELLS
from telemetry.aws import dynamodb_client
from tests.projections.logs import reading
from tests.projections.test_row_sizes import ID, SHARD_ID, keys, largest_stats, worst
from tests.support.stack import Stack


def items() -> dict[str, Any]:
    """Items of all sizes that we write: numbers of either sign, with zeros at their ends and without, bytes, lists, flags."""
    some = [reading("sensor-00001", n / 4, n / 100) for n in range(2000)]
    packs = [pack_of(SHARD_ID, Place(10**55, 0), Place(10**55 + n, n), some[:n]) for n in (1, 30, 90, 2000)]
    rows = [worst(key, largest_stats()) for key in keys().values()]
    ended = Row(PROGRESS, 10**55, as_of_us=10**15, progress=Progress(Mark(1, 1), Mark(1, 1), ended=True, beat=12_345))
    rows += [Row(PROGRESS, 10**55), ended, day_sheet(1, 1), day_sheet(500, CELLS // 2), day_sheet(5000, CELLS)]
    return {f"pack of {len(pack.readings)}": pack_item(pack) for pack in packs} | {
        f"row {number}": row_item(SHARD_ID, row) for number, row in enumerate(rows)
    }


def test_an_items_size_is_what_dynamodb_takes_it_to_be(stack: Stack) -> None:
    """For every kind of item, padded to the last byte of a unit and one byte more: as many units as the table says."""
    for name, item in items().items():
        table = stack.names.stats if "row" in name else stack.names.readings
        key: Any = {
            attribute: item[attribute] for attribute in (("scope", "window") if "row" in name else ("sensor_id", "pack"))
        }
        room = -(size_bytes(item) + 1) % UNIT_BYTES
        for more in (0, 1):
            padded = {**item, "x": {"S": "x" * (room + more)}}
            said = stack.dynamodb.put_item(TableName=table, Item=padded, ReturnConsumedCapacity="TOTAL")
            stack.dynamodb.delete_item(TableName=table, Key=key)  # what is replaced would count too
            assert write_units_of(padded) == said["ConsumedCapacity"]["CapacityUnits"], (name, more, size_bytes(item))


def test_all_types_have_a_size() -> None:
    """Names count; lists and maps take 3 bytes and one for each element; numbers lose their zeros; sets are their members."""
    value: Any = {"L": [{"N": "-1200"}, {"M": {"ab": {"BOOL": True}}}]}
    assert size_bytes({"name": value}) == 4 + 3 + (1 + 3) + (1 + 3 + 1 + 2 + 1)
    assert size_bytes({"é": {"SS": ["a", "bcd"]}, "n": {"N": "0"}, "b": {"B": b"12"}}) == 2 + 4 + 2 + 3
    with pytest.raises(ValueError, match="NULL"):
        size_bytes({"x": {"NULL": True}})


def test_a_statement_says_what_item_it_leaves() -> None:
    """Made or changed, with its true names; the condition's position is not the one that is left."""
    known = Row(RowKey(FLEET, "day#2026-11-25"), 10**55, largest_stats(), 1)
    row = replace(known, position=10**55 + 1)
    assert item_of(row_statement("t-1", SHARD_ID, row, known)) == row_item(SHARD_ID, row)
    assert item_of(row_statement("t-1", SHARD_ID, row, Row(row.key))) == row_item(SHARD_ID, row)
    seen = {"seen": {"N": "3600"}, "shards": {"SS": [SHARD_ID]}}
    assert item_of(first_sighting("t-1", SHARD_ID, Sighting(ID, 3600, new=True))) == {**directory_key(ID), **seen}


def test_the_meter_counts_by_kind_what_the_stores_write(stack: Stack) -> None:
    """A row made and one changed, a sheet, a pack, a sensor met and seen again; the directory's units as DynamoDB says them."""
    meter, dynamodb = Meter(), dynamodb_client(stack.settings)
    meter.watch(dynamodb)
    said: list[float] = []
    dynamodb.meta.events.register("provide-client-params.dynamodb.UpdateItem", _ask)
    dynamodb.meta.events.register(
        "after-call.dynamodb.UpdateItem", lambda parsed, **_: said.append(parsed["ConsumedCapacity"]["CapacityUnits"])
    )
    stores = AwsStores(dynamodb, stack.kinesis, stack.names, 5)
    total, sheet = RowKey(f"sensor#{ID}", TOTAL), day_sheet(5000, CELLS)
    first, second = (Row(total, position, sensor=Sensor(seen_s=3600)) for position in (1, 2))
    shard = "shardId-000000000001"
    assert not stores.store_rows(shard, [(first, Row(total)), (sheet, Row(sheet.key)), (Row(PROGRESS, 1), Row(PROGRESS))])
    assert not stores.store_rows(shard, [(second, first)])
    stores.store_packs([pack_of(shard, Place(1, 0), Place(1, 0), [reading()])])
    stores.sight(shard, [Sighting(ID, 3600, new=True)])
    assert meter.units == Counter({"sensor rows": 2, "sheets": 3, "totals": 1, "packs": 1, "directory": 2})
    stores.sight(shard, [Sighting(ID, 7200, new=False)])
    stores.close()
    assert meter.units["directory"] - 2 == said[0] == 3


def _ask(params: Any, **_: Any) -> Any:
    return {**params, "ReturnConsumedCapacity": "TOTAL"}


def test_the_meter_loses_nothing_between_threads() -> None:
    """The stores write from eight threads."""
    meter, model = Meter(), SimpleNamespace(name="BatchWriteItem")
    request = {"PutRequest": {"Item": {"sensor_id": {"S": "x"}}}}
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for _ in range(400):
                pool.submit(meter.count, {"RequestItems": {"t": [request] * 25}}, model)
    finally:
        sys.setswitchinterval(interval_s)
    assert (meter.units["packs"], meter.calls) == (10_000, 400)


def test_a_few_sensors_on_a_shard_are_counted_in_whole_periods() -> None:
    """Ten minutes of three sensors: 75 full flushes of two rows and a pack each, a total with each reading.

    Each flush begins and ends with a total, and so does every other writing of windows, of which 75 go with flushes.
    """
    units, taken, flushes, _ = steady(3)
    assert (taken, flushes, units["sensor rows"]) == (1800, 75, 75 * 3 * 2)
    assert 75 * 3 <= units["packs"] <= 75 * 3 + 3
    assert units["totals"] == 1800 + 75 + 75


@pytest.mark.parametrize("sensors", [3, 5, 200])
def test_readings_come_when_they_are_measured(sensors: int) -> None:
    """Each quarter of a second brings what arrived in it, so a sensor sends once a second of the run's own clock."""
    found = list(deliveries(sensors, 3))
    assert [at_s for at_s, _ in found] == [NOON_S + (number + 1) * DELIVERY_S for number in range(12)]
    assert sum(len(share) for _, share in found) == len({one for _, share in found for one in share}) == 3 * sensors
    for at_s, share in found:
        assert all(at_s - DELIVERY_S <= one.measured_at_us / 1e6 < at_s for one in share)
    assert len(sensor_id(0)) == len(sensor_id(999_999)) == 32


def test_a_tenth_comes_up_to_an_hour_late() -> None:
    """Spread over the hour, and everything else in time."""
    late_s = [at_s - one.measured_at_us / 1e6 for at_s, share in deliveries(100, 60, late=True) for one in share]
    late = [seconds for seconds in late_s if seconds > DELIVERY_S]
    assert 0.08 < len(late) / len(late_s) < 0.12
    assert LATE_S_MAX * 0.9 < max(late) <= LATE_S_MAX + DELIVERY_S


def test_a_run_says_when_everything_was_written() -> None:
    """At once, then as often as the policy says; nothing but the clock it was given passes."""
    flushed = [moment.at_s for moment in project(MemoryStores(), FlushPolicy(few_every_s=8), 3, 20) if moment.flushed]
    assert [at_s - flushed[0] for at_s in flushed] == [0, 8, 16]


def test_as_many_shards_fit_as_fill_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A total with each delivery up to 125 shards, with each second up to 250; so many fit as do not exceed 1,000 units/s."""
    assert [most_shards(deliveries) for deliveries in (1, 2)] == [125, 250]
    monkeypatch.setattr(
        "benchmarks.one_key.units_a_second", lambda policy, **_: {"all": 4.0 if policy.totals_every_s <= 0.5 else 6.0}
    )
    assert shards_that_fit(late=False)[0] == 250  # the next write their totals less often, and yet only 166 would fit
    monkeypatch.setattr("benchmarks.one_key.units_a_second", lambda *_, **__: {"all": 20.0})
    assert shards_that_fit(late=True)[0] == 50


def test_each_sensor_turns_the_hour_once() -> None:
    """In one second and one key, whatever the number of sensors."""
    turns = turning_sensors(1000)
    assert sum(turns.values()) == 1000
    assert all(NOON_S - 3600 < second <= NOON_S for _, second in turns)
