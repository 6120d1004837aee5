"""H20: shards are split and merged under load, while retries and repeats cross from parents to children."""

from functools import partial
from random import Random

import pytest

from projections.queries import fleet_stats
from telemetry.shards import Shard, list_shards
from tests.faults import faults
from tests.faults.conftest import Trial
from tests.faults.proxy import Rule
from tests.support.stack import Stack
from tests.support.waiting import eventually

SHARDS_MAX = 4


@pytest.mark.timeout(1800)
def test_h20_splits_and_merges_under_load_with_repeats_crossing_them(trial: Trial) -> None:
    """Every fourth PutRecords call loses its answer, so events lie on both sides of many a reshard."""
    reshards, rng = trial.often(1, 20), Random(20)  # noqa: S311  repeatable on purpose
    trial.proxy.rules = [Rule(faults.drop_after, "Kinesis", "PutRecords", share=0.25)]
    spoiled = trial.serving(AWS_ENDPOINT_URL=trial.proxy.url)
    with spoiled as api, trial.consuming("first"), trial.consuming("second"):
        with trial.sending(api, seed=20, per_s=60) as load:
            for _ in range(reshards):
                load.wait_for_more(rng.randrange(20, 100))
                reshard(trial.stack, rng)
                if rng.random() < 0.7:  # the others come while the shards of the one before are not read yet
                    eventually(partial(_all_begun, trial.stack), within_s=120)
            load.wait_for_more(100)
        found = trial.check(load)
    assert found.repeats > 0
    trial.report("2 5", "split or merge of shards, two workers, lost acknowledgements crossing them", reshards, found)


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
