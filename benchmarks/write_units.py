"""P7: what the projection writes to DynamoDB, counted, not timed."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

from benchmarks.canned import item_of
from benchmarks.consuming import SHARD
from benchmarks.figures import Figure
from benchmarks.fleet import day_sheet, project
from benchmarks.item_sizes import write_units_of
from benchmarks.rig import Rig
from projections.dynamodb import AwsStores
from projections.items import row_item
from projections.policy import FlushPolicy
from projections.rows import FLEET
from telemetry.names import ResourceNames

_SHARDS = 2
_MEASURED_S = 600
"""So that what happens once a minute and once in ten of them has its share: whole numbers of periods of 8 and 30 s."""
_LARGE_FLEET_S = 56
"""Of 10,000 sensors: four times the 14 s in which a shard's 5,000 fill its memory of decisions."""
_HALF_A_DAY = 48


def per_reading(_: Rig) -> Iterator[Figure]:
    """P7: one of two shards that share so many sensors at a reading a second, on a clock of its own, half a day old.

    Counted from one full flush to another, never the first: a fleet that was there before, and whole periods only. For the
    large fleet that leaves out the turn of ten minutes, when a sensor has two packs to write in place of one: 1/600 of a unit.
    DynamoDB Local does not say what batches of statements consume, so units are counted as DynamoDB defines them, from the
    requests that are made; a test compares that with what DynamoDB Local says.
    """
    for sensors, reach, then in ((10_000, 0.12, 0.08), (1000, 0.13, None), (100, 0.5, None), (10, 2, None)):
        units, taken, flushes, calls = steady(sensors // _SHARDS)
        beside = {name: count / taken for name, count in sorted(units.items())}
        beside |= {"full flushes": float(flushes), "calls per 1,000": calls / taken * 1000}
        what = f"write units per reading, {sensors:,} sensors at 1/s, {_SHARDS} shards, ids of 32 bytes"
        yield Figure("P7", what, "units", reach, then, [units.total() / taken], beside, smaller_is_better=True)


class Meter:
    """Counts write units by what they were written for. The stores call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.units: Counter[str] = Counter()
        self.calls = 0

    def watch(self, client: Any) -> None:
        """Count every write of a client."""
        client.meta.events.register("provide-client-params.dynamodb.*", self.count)

    def count(self, params: Any, model: Any, **_: Any) -> None:
        """Count a call that is about to be made, as one whose conditions hold."""
        self.note(model.name, params)

    def note(self, operation: str, params: Any) -> None:
        """Count a call by its name and parameters."""
        with self._lock:
            self.calls += self._count(operation, params)

    def _count(self, operation: str, params: Any) -> bool:
        """Whether it is a write."""
        match operation:
            case "BatchWriteItem":
                ((_, requests),) = params["RequestItems"].items()
                for request in requests:
                    self.units["packs"] += write_units_of(request["PutRequest"]["Item"])
            case "BatchExecuteStatement":
                for statement in params["Statements"]:
                    self._written(item_of(statement), of_index=1)
            case "PutItem":
                self.units["totals"] += write_units_of(params["Item"])
            case "UpdateItem":
                values = {name.removeprefix(":"): value for name, value in params["ExpressionAttributeValues"].items()}
                # In the index, an entry goes and another comes.
                self._written({**params["Key"], **values}, of_index=2)
            case _:
                return False
        return True

    def _written(self, item: dict[str, Any], *, of_index: int) -> None:
        """A row, or a sensor in the directory: what has `seen` has an entry in the index too, of keys and so of one unit."""
        units = write_units_of(item)
        if item["scope"]["S"].startswith("directory#"):
            self.units["directory"] += units + (of_index if "seen" in item else 0)
        elif item["scope"]["S"] != FLEET:
            self.units["sensor rows"] += units
        else:
            self.units["sheets" if "cells" in item else "windows"] += units


class Yes:
    """In place of a table and the client of it: takes every write, and counts it. That is all a run asks of it.

    Rows are asked for before they are first written and then held, and readings in order are not looked up; so nothing that
    was written need be known, but what is given here. Counts need no emulator, which would take some minutes for them.
    """

    def __init__(self, meter: Meter, *items: Any) -> None:
        self._meter = meter
        self._items = items
        self._written: set[tuple[str, str]] = set()

    def batch_get_item(self, **params: Any) -> Any:
        """Those of the items given that are asked for."""
        ((table, request),) = params["RequestItems"].items()
        assert self._written.isdisjoint(map(_key_of, request["Keys"])), "a row was let go of: give the run fewer sensors"
        asked = set(map(_key_of, request["Keys"]))
        return {"Responses": {table: [item for item in self._items if _key_of(item) in asked]}}

    def batch_execute_statement(self, **params: Any) -> Any:
        """Every condition holds."""
        self._meter.note("BatchExecuteStatement", params)
        self._written.update(_key_of(item_of(statement)) for statement in params["Statements"])
        return {"Responses": [{} for _ in params["Statements"]]}

    def batch_write_item(self, **params: Any) -> Any:
        """Everything is written."""
        self._meter.note("BatchWriteItem", params)
        return {}

    def put_item(self, **params: Any) -> Any:
        """The condition holds."""
        self._meter.note("PutItem", params)
        return {}

    def update_item(self, **params: Any) -> Any:
        """The condition holds."""
        self._meter.note("UpdateItem", params)
        return {}


def _key_of(item: Any) -> tuple[str, str]:
    return item["scope"]["S"], item["window"]["S"]


def steady(sensors: int) -> tuple[Counter[str], int, int, int]:
    """Units by kind, readings, full flushes and calls of one shard between two full flushes."""
    meter = Meter()
    table: Any = Yes(meter, row_item(SHARD, day_sheet(sensors, _HALF_A_DAY)))
    stores = AwsStores(table, table, ResourceNames("bench"), 30)
    measured_s = _MEASURED_S if sensors <= 1000 else _LARGE_FLEET_S
    begun: tuple[float, Counter[str], int, int] | None = None
    flushes = -1
    # The first full flush comes at once, the second after a period of up to 30 s.
    for moment in project(stores, FlushPolicy.for_shards(_SHARDS), sensors, measured_s + 35):
        if not moment.flushed:
            continue
        flushes += 1
        if flushes == 1:
            begun = moment.at_s, meter.units.copy(), moment.taken, meter.calls
        if begun and moment.at_s - begun[0] >= measured_s:
            break
    assert begun, "two full flushes at least"
    stores.close()
    return meter.units - begun[1], moment.taken - begun[2], flushes - 1, meter.calls - begun[3]
