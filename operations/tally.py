"""What the shards' progress rows count beside readings, added up. Pure."""

from collections.abc import Mapping

from projections.rows import Row
from telemetry.errors import ReasonCode


def sensors(progress: Mapping[str, Row]) -> int:
    """How many sensors there are: each is counted in the shard where it was first met."""
    return sum(row.progress.sensors for row in progress.values())


def dead_letters(progress: Mapping[str, Row]) -> Mapping[str, Mapping[ReasonCode, int]]:
    """How many dead letters there are of each shard, for every reason."""
    return {shard_id: dict(zip(ReasonCode, row.progress.refusals, strict=True)) for shard_id, row in progress.items()}
