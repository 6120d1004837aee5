"""P7: what the projection writes to DynamoDB, counted, not timed."""

import time
from collections import Counter
from collections.abc import Iterator
from itertools import batched
from typing import Any

from benchmarks.consuming import SHARD, START_US, readings, records
from benchmarks.figures import Figure
from benchmarks.rig import Rig
from projections.decoding import Record
from projections.dynamodb import AwsStores
from projections.effects import run
from projections.projector import ShardProjector
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.limits import HASH_KEY_MAX
from telemetry.shards import Shard
from tests.support.stack import Stack


def per_reading(rig: Rig) -> Iterator[Figure]:
    """P7: one of two shards that share 10,000 sensors at a reading a second, two minutes of them on a clock of its own.

    DynamoDB Local does not say what batches of statements consume, so units are counted as DynamoDB defines them, from the
    items' sizes; a test compares that with what DynamoDB Local says of puts.
    """
    for sensors, reach, then in ((5000, 1.25, 0.2), (500, None, None), (50, None, None), (5, None, None)):
        with rig.stack() as stack:
            meter, taken = _project_for(stack, sensors, seconds=120)
        total = sum(meter.units.values())
        beside = {name: units / taken for name, units in meter.units.items()}
        beside |= {"calls per 1,000": meter.calls / taken * 1000, "s a flush of everything": meter.longest_flush_s}
        what = f"write units per reading, {2 * sensors:,} sensors at 1/s, 2 shards"
        yield Figure("P7", what, "units", reach, then, [total / taken], beside, smaller_is_better=True)


class Meter:
    """Counts write units by what they were written for."""

    def __init__(self, stack: Stack) -> None:
        self.units: Counter[str] = Counter()
        self.calls = 0
        self.longest_flush_s = 0.0
        self._stack = stack

    def watch(self, client: Any) -> None:
        """Count every write of a client."""
        client.meta.events.register("provide-client-params.dynamodb.*", self._count)

    def _count(self, params: Any, model: Any, **_: Any) -> None:
        if model.name == "BatchWriteItem":
            for request in params["RequestItems"][self._stack.names.readings]:
                self._add("raw readings", request["PutRequest"]["Item"])
        elif model.name == "BatchExecuteStatement":
            for statement in params["Statements"]:
                values = statement["Parameters"]
                what = "sensor rows" if any("sensor#" in value.get("S", "") for value in values) else "fleet rows"
                self._add(what, dict(zip(_NAMES, values, strict=False)))
        elif model.name == "PutItem":
            self._add("fleet rows", params["Item"])
        else:
            return
        self.calls += 1

    def _add(self, what: str, item: Any) -> None:
        self.units[what] += write_units_of(item)


_NAMES = [f"attribute-{number:02}" for number in range(20)]
"""As long as a row's attribute names are on average, for statements carry their values apart from them."""


def write_units_of(item: dict[str, Any]) -> int:
    """One for each 1 KB begun: names and values in UTF-8, numbers two digits a byte (DynamoDB, item sizes)."""
    size = 0
    for name, value in item.items():
        ((kind, content),) = value.items()
        size += len(name.encode())
        match kind:
            case "S":
                size += len(content.encode())
            case "N":
                size += len(content) // 2 + 2
            case "BOOL":
                size += 1
            case _:
                raise ValueError(f"nothing of ours holds a {kind}")
    return -(-size // 1024)


def _project_for(stack: Stack, sensors: int, seconds: int) -> tuple[Meter, int]:
    """Deliveries every quarter of a second, as KCL brings them, on a clock that is set by them."""
    meter = Meter(stack)
    dynamodb = dynamodb_client(stack.settings, pool=8)
    meter.watch(dynamodb)
    stores = AwsStores(dynamodb, kinesis_client(stack.settings), stack.names, 30)
    log = readings(sensors * seconds, sensors)
    now_s = [START_US / 1e6]
    projector = ShardProjector(Shard(SHARD, 0, HASH_KEY_MAX), lambda: now_s[0])
    run(projector.start(), stores)
    each = max(1, sensors // 4)
    for number, share in enumerate(batched(log, each, strict=False), 1):
        now_s[0] += 0.25
        delivered = [
            Record(10**55 + number * 1000 + part, data, int(now_s[0] * 1000)) for part, data in enumerate(records(share))
        ]
        began_s = time.perf_counter()
        if run(projector.project(delivered, caught_up=True), stores):
            meter.longest_flush_s = max(meter.longest_flush_s, time.perf_counter() - began_s)
    run(projector.flush(), stores)
    stores.close()
    return meter, len(log)
