"""Which flushed positions the stream is seen to have, as `operations/handover.py` asks Kinesis for them."""

from collections.abc import Collection, Mapping

from projections.rows import Row
from tests.simulation.generations.log import ModelLog


def proved_shards(log: ModelLog, rows: Mapping[str, Row], shard_ids: Collection[str]) -> set[str]:
    """Those shards whose flushed position is there."""
    return {
        shard_id
        for shard_id in shard_ids
        if (row := rows.get(shard_id)) and row.progress.flushed.position and log.has(shard_id, row.progress.flushed.position)
    }
