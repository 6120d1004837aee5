"""What is wrong with a projection, in sentences that name the fix. Pure; `telemetry doctor` looks and prints."""

from collections.abc import Iterator

from operations.observation import Observation
from telemetry.limits import MICRO
from telemetry.reading import rfc3339

BEHIND_S_MAX = 60
"""An idle shard says every ten seconds that it is caught up (`FlushPolicy.renew_every_s`)."""


def diagnose(seen: Observation, now_us: int) -> list[str]:
    """Every finding; empty when all is well."""
    return [*_workers(seen), *_leases(seen), *_progress(seen, now_us), *_losses(seen)]


def _workers(seen: Observation) -> Iterator[str]:
    if not seen.workers:
        yield "No worker has ever given a sign of life: start a consumer (python -m consumer)."
    elif seen.leader is None:
        yield "Nobody assigns the shards to workers: start a consumer; a running one takes the lead within a minute."


def _leases(seen: Observation) -> Iterator[str]:
    for shard_id in seen.without_lease():
        yield f"{shard_id} has no lease, so nobody reads it. A running consumer makes it again within a minute; else start one."
    for shard_id, lease in seen.leases.items():
        if lease.owner is None and seen.is_due(shard_id):
            yield f"{shard_id} belongs to no worker: start a consumer, or see why the running ones do not take it."


def _progress(seen: Observation, now_us: int) -> Iterator[str]:
    for shard_id, lease in seen.leases.items():
        if not seen.is_due(shard_id):
            continue
        row = seen.progress.get(shard_id)
        if row is None:
            yield f"{shard_id} has projected nothing yet; its worker is {lease.owner}."
        elif (behind_s := (now_us - row.as_of_us) // MICRO) > BEHIND_S_MAX:
            since = rfc3339(row.as_of_us)
            yield f"{shard_id} is {behind_s} s behind (as of {since}): see the log of its worker, {lease.owner}."


def _losses(seen: Observation) -> Iterator[str]:
    for shard_id, row in seen.progress.items():
        if row.progress.gap:
            stretch = f"after {rfc3339(row.progress.gap.from_us)} and before {rfc3339(row.progress.gap.until_us)}"
            yield f"{shard_id}: what arrived {stretch} may have left the stream unread: docs/runbook.md, records may be lost."
