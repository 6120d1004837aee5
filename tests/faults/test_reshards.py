"""H20: shards are split and merged under load, while retries and repeats cross from parents to children."""

import signal
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from random import Random
from typing import Any

import pytest

from operations.observation import observe
from projections.queries import fleet_stats
from telemetry.shards import Shard, list_shards
from tests.faults import faults
from tests.faults.conftest import FULL, Trial
from tests.faults.proxy import Rule
from tests.faults.watching import watching
from tests.support.stack import Stack, at
from tests.support.waiting import eventually

SHARDS_MAX = 4


@pytest.mark.timeout(1800)
def test_h20_splits_and_merges_under_load_with_repeats_crossing_them(trial: Trial) -> None:
    """Every fourth PutRecords call loses its answer, so events lie on both sides of many a reshard."""
    reshards, rng = trial.often(1, 20), Random(20)  # noqa: S311  repeatable on purpose
    trial.proxy.rules = [Rule(faults.drop_after, "Kinesis", "PutRecords", share=0.25)]
    spoiled = trial.serving(**at(trial.proxy.url))
    other: AbstractContextManager[object] = trial.consuming("second") if FULL else nullcontext()
    with spoiled as api, trial.consuming("first"), other:
        with watching(trial.stack) as watch, trial.sending(api, seed=20, per_s=trial.often(30, 60)) as load:
            for _ in range(reshards):
                load.wait_for_more(rng.randrange(20, 100))
                reshard(trial.stack, rng)
                if rng.random() < 0.7:  # the others come while the shards of the one before are not read yet
                    eventually(partial(_all_begun, trial.stack), within_s=120)
            load.wait_for_more(100)
        found = trial.check(load)
    assert found.repeats > 0
    fault = "split or merge of shards, two workers, lost acknowledgements crossing them, readers whose counts never go back"
    trial.report("2 5", fault, reshards, found, answers=sum(watch.check().values()))


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_counts_never_go_back_over_zombies_of_ended_shards_and_leases_made_by_hand(trial: Trial) -> None:
    """A worker stands still while its shards are resharded and read to their end by another; then it goes on.

    And an operator puts the lease of an ended shard back as it was before the end, so that somebody reads the shard once more.
    """
    rounds, rng = trial.often(1, 20), Random(21)  # noqa: S311  repeatable on purpose
    made = 0
    with trial.serving() as api, trial.consuming("steady"):
        with watching(trial.stack) as watch, trial.sending(api, seed=21, per_s=60) as load:
            for number in range(rounds):
                while len(list_shards(trial.stack.kinesis, trial.stack.names.stream).open) < 2:
                    reshard(trial.stack, rng)
                with trial.consuming(f"zombie-{number}") as zombie:
                    eventually(partial(_holds_some, trial.stack, zombie.name), within_s=90)
                    load.wait_for_more(rng.randrange(20, 100))
                    zombie.signal(signal.SIGSTOP, zombie.everything())
                    leases = _leases(trial.stack)
                    before = list_shards(trial.stack.kinesis, trial.stack.names.stream).open
                    reshard(trial.stack, rng)
                    closed = _no_longer_open(trial.stack, before)
                    eventually(partial(_ended, trial.stack, closed), within_s=120)
                    zombie.signal(signal.SIGCONT, zombie.everything())
                    made += _put_back(trial.stack, leases[rng.choice(closed)])
                    load.wait_for_more(50)
                eventually(partial(_all_begun, trial.stack), within_s=120)
            load.wait_for_more(100)
        found = trial.check(load)
    fault = "reshard while a worker stands still (SIGSTOP), let go on after the end; the ended shard's lease put back by hand"
    trial.report("2", fault, rounds, found, leases_put_back=made, answers=sum(watch.check().values()))


def _holds_some(stack: Stack, worker: str) -> None:
    assert observe(stack.kinesis, stack.dynamodb, stack.names).held(worker)


def _leases(stack: Stack) -> dict[str, Any]:
    items = stack.dynamodb.scan(TableName=stack.names.application, ConsistentRead=True)["Items"]
    return {item["leaseKey"]["S"]: item for item in items}


def _no_longer_open(stack: Stack, before: tuple[Shard, ...]) -> list[str]:
    now = {shard.shard_id for shard in list_shards(stack.kinesis, stack.names.stream).open}
    return [shard.shard_id for shard in before if shard.shard_id not in now]


def _ended(stack: Stack, shards: list[str]) -> None:
    """Read to their end, in our rows and in KCL's."""
    rows, leases = fleet_stats(stack.dynamodb, stack.names).shards, _leases(stack)
    for shard in shards:
        assert rows[shard].progress.ended
        assert shard not in leases or leases[shard]["checkpoint"]["S"] == "SHARD_END"


def _put_back(stack: Stack, lease: Any) -> int:
    """The lease as it was, owned by nobody."""
    item = {name: value for name, value in lease.items() if name != "leaseOwner"}
    stack.dynamodb.put_item(TableName=stack.names.application, Item=item)
    return 1


def reshard(stack: Stack, rng: Random) -> None:
    """Split a shard, or merge two neighbours; returns when the stream can be resharded again."""
    kinesis, stream = stack.kinesis, stack.names.stream
    shards = list_shards(kinesis, stream).open
    if len(shards) == 1 or (len(shards) < SHARDS_MAX and rng.random() < 0.5):
        shard = rng.choice(shards)
        middle = (shard.first_hash_key + shard.last_hash_key) // 2
        kinesis.split_shard(StreamName=stream, ShardToSplit=shard.shard_id, NewStartingHashKey=str(middle))
    else:
        low = rng.randrange(len(shards) - 1)
        first, second = shards[low : low + 2]
        kinesis.merge_shards(StreamName=stream, ShardToMerge=first.shard_id, AdjacentShardToMerge=second.shard_id)
    eventually(lambda: _resharded(stack, shards), within_s=60)


def _all_begun(stack: Stack) -> None:
    """Every open shard has a processor that has written its progress."""
    begun = fleet_stats(stack.dynamodb, stack.names).shards
    waiting = [shard.shard_id for shard in list_shards(stack.kinesis, stack.names.stream).open if shard.shard_id not in begun]
    assert not waiting


def _resharded(stack: Stack, before: tuple[Shard, ...]) -> None:
    status = stack.kinesis.describe_stream_summary(StreamName=stack.names.stream)["StreamDescriptionSummary"]["StreamStatus"]
    assert (status, list_shards(stack.kinesis, stack.names.stream).open == before) == ("ACTIVE", False)
