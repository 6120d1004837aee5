"""P20: what GET /api/stats reads once many shards were closed, as DynamoDB Local counts it."""

from collections.abc import Iterator
from typing import Final

from benchmarks.figures import Figure
from benchmarks.fleet import NOON_S, readings
from benchmarks.rig import Rig
from projections.dynamodb_reads import AwsReads
from projections.effects import run
from projections.fleet import FleetReader
from projections.fold import Fold, Stats
from projections.items import row_item
from projections.rows import PROGRESS, Mark, Progress, Row
from telemetry.aws import dynamodb_client
from telemetry.limits import HASH_KEY_MAX
from tests.support.stack import Stack

RESHARDS: Final = 200
_HALVES: Final = ((0, HASH_KEY_MAX // 2), (HASH_KEY_MAX // 2 + 1, HASH_KEY_MAX))
_MICRO: Final = 1_000_000


def read_units(rig: Rig) -> Iterator[Figure]:
    """P20: two shards are replaced one after the other, 200 times; read units of an answer by then, against one at first.

    A reader lives through all of it, and another comes at the end.
    """
    with rig.stack() as stack:
        dynamodb = dynamodb_client(stack.settings, pool=8)
        reads, reader = AwsReads(dynamodb, stack.names), FleetReader()

        def read(each: FleetReader = reader) -> float:
            before = reads.units
            run(each.read(), reads)
            return reads.units - before

        shards = [_put(stack, number, number, ended=False) for number in (0, 1)]
        read()
        first = read()
        most = 0.0
        for number in range(2, 2 + RESHARDS):
            _put(stack, shards[number % 2], number, ended=True)
            shards[number % 2] = _put(stack, number, number, ended=False)
            most = max(most, read())
        last = read()
        newcomer = FleetReader()
        start = read(newcomer)
        lasts = [last, read(newcomer)]
        assert len(run(newcomer.read(), reads).shards) == 2 + RESHARDS
    beside = {
        "units before": first,
        "units after": last,
        "most of a read that finds a reshard": most,
        "a new reader's first": start,
    }
    what = f"read units of GET /api/stats after {RESHARDS} reshards ÷ before, 2 open shards"
    yield Figure("P20", what, "×", 1.2, None, [each / first for each in lasts], beside, smaller_is_better=True)


def _put(stack: Stack, shard: int, reshards: int, *, ended: bool) -> int:
    """Write a shard's progress row, about as large as such rows become."""
    fold = Fold(Stats())
    for _, reading in readings(500, 2):
        fold.add(reading)
    position = 10**55 + shard * 10**6
    mark = Mark(position, (NOON_S + reshards) * _MICRO)
    hash_range = _HALVES[shard % 2]
    progress = Progress(windows=mark, flushed=mark, sensors=500, ended=ended, hash_range=hash_range, beat=1 + reshards)
    row = Row(PROGRESS, position, fold.stats(), mark.as_of_us, progress=progress)
    stack.dynamodb.put_item(TableName=stack.names.stats, Item=row_item(f"shardId-{shard:012}", row))
    return shard
