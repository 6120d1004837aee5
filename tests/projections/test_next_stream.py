"""The log goes on in a new stream, whose shard has the id of one before, and whose sequence numbers may begin anew."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.effects import run
from projections.fleet import FleetReader
from projections.memory import MemoryStores
from projections.memory_reads import MemoryReads
from projections.projector import ShardProjector
from projections.rows import TOTAL
from telemetry.limits import HASH_KEY_MAX
from telemetry.reading import Reading
from telemetry.shards import Shard
from telemetry.streams import UNKNOWN_PARENT, StreamPlace
from tests.projections.logs import SHARD, Checkpoint, Clock, few_readings, projector, record, work

LOGS = st.lists(st.lists(few_readings, max_size=4), max_size=4)


def count(stores: MemoryStores, worker: ShardProjector, log: Sequence[Sequence[Reading]], *, ended: bool = False) -> None:
    """A worker's life on a stream that begins with this log."""
    run(work(worker, [record(number, *lines) for number, lines in enumerate(log, 1)], Checkpoint()), stores)
    if ended:
        run(worker.flush(ended=True), stores)


@pytest.mark.parametrize("last", [SHARD.shard_id, UNKNOWN_PARENT], ids=["the last shard is known", "nobody knows it"])
@given(LOGS, LOGS)
def test_what_is_sent_again_to_the_next_stream_counts_once(
    last: str, before: Sequence[Sequence[Reading]], after: Sequence[Sequence[Reading]]
) -> None:
    """Whatever was counted of the stream that was lost, and though the new one's positions lie before those of the old."""
    place, stores = StreamPlace(2, (last,)), MemoryStores()
    count(stores, projector(), [[], *before], ended=True)
    shard = Shard(place.name(SHARD.shard_id), 0, HASH_KEY_MAX, place.parents(()))
    count(stores, projector(Clock(), shard=shard), after)
    sent = [one for lines in [*before, *after] for one in lines]
    fleet = run(FleetReader().read(), MemoryReads(stores))
    assert (fleet.stats.count, fleet.stats.duplicates) == (len(set(sent)), len(sent) - len(set(sent)))
    assert {shard_id for shard_id, key in stores.rows if key.window == TOTAL} <= {SHARD.shard_id, shard.shard_id}
    assert {pack.shard_id for pack in stores.packs.values()} <= {SHARD.shard_id, shard.shard_id}
