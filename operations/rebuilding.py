"""What rebuilding a projection generation takes beside its filling: a number, a log that holds all, and leases of its own.

A generation is filled beside the live one: from the archive by `filling.py`, then from the stream by consumers of its own
(`attending.py`). Its rows hold positions, so what was stopped goes on, and what was promoted and rolled back is caught up.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from operations.continuing import at_work
from operations.generations import Look, missing_tables
from operations.handover import new_leases, proved_shards, remake_leases
from operations.lacking import shards_named
from operations.observation import Observation, observe
from projections.register import Register, chosen, read_register, require_kept, take
from projections.rows import Row
from telemetry.errors import LogLacks, NotRebuilt
from telemetry.names import ResourceNames
from telemetry.shards import Shard

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient


def lost_shards(
    live: Mapping[str, Row],
    own: Mapping[str, Row],
    archived: Collection[str],
    listed: Mapping[str, Shard],
    *,
    created_us: int,
    kept_since_us: int,
) -> list[str]:
    """Shards of which the live generation has counted what neither the log nor the other generation's own rows hold. Pure.

    `listed` are the shards of the stream, which was created then and surely keeps what arrived since then (microseconds since
    1970). What is archived says by itself what it lacks (`Filled.gaps`).
    """
    lost = []
    for shard_id, row in live.items():
        mine = own.get(shard_id)
        if not row.position or shard_id in archived or (mine and mine.progress.flushed.position >= row.position):
            continue
        if mine and mine.progress.ended:
            continue
        # What arrived before its parents' end cannot have arrived here.
        parents = listed[shard_id].parents if shard_id in listed else ()
        born_us = max((live[parent].as_of_us for parent in parents if parent in live), default=created_us)
        since_us = mine.as_of_us if mine and mine.as_of_us else born_us
        if shard_id not in listed or since_us < kept_since_us:
            lost.append(shard_id)
    return sorted(lost)


def require_whole(number: int, lost: Sequence[str], gaps: Sequence[str] = ()) -> None:
    """Raises LogLacks where a generation would not hold all that the live one has counted: shards are lost, or have a gap."""
    if lost:
        what = f"neither the stream nor an archive that was read holds {shards_named(lost)} from the beginning"
    elif gaps:
        what = f"what can be read of {shards_named(gaps)} has a gap that the live generation does not have"
    else:
        return
    raise LogLacks(
        f"g{number} would not hold all that is counted: {what}. Set ARCHIVE_TARGET to the archive that holds it; if what is "
        "missing may be forgotten, type --forget-before."
    )


def begin(
    dynamodb: "DynamoDBClient",
    live: ResourceNames,
    asked: int | None,
    now_us: int,
    make_tables: Callable[[ResourceNames], object] | None,
) -> ResourceNames:
    """Take a number, and make its tables; the names of the generation to be filled. `live` names the live one.

    Without `make_tables` they must be there. Raises NotRebuilt, Dropped and boto3's errors.
    """
    take(dynamodb, live, now_us)  # an installation made it: known it must be when another is live
    while True:
        names, register = choose(dynamodb, live, asked)
        missing = missing_tables(dynamodb, names)
        if missing and make_tables is None:
            raise NotRebuilt(
                f"g{names.generation} has no tables: {', '.join(missing)}. On AWS Terraform makes them: add {names.generation} "
                "to generations in infra/terraform/environment, apply, and try again (docs/runbook.md, Rebuild)."
            )
        # Taken before its tables are made: one that somebody else took and dropped meanwhile must not be made again.
        if names.generation in register or take(dynamodb, names, now_us) or asked:
            if missing and make_tables:
                make_tables(names)
            require_kept(dynamodb, names)
            return names


def choose(dynamodb: "DynamoDBClient", live: ResourceNames, asked: int | None) -> tuple[ResourceNames, Register]:
    """The names of the generation that would be filled, and what is registered. Raises NotRebuilt and boto3's errors."""
    register = read_register(dynamodb, live)
    there = asked is not None and not missing_tables(dynamodb, replace(live, generation=asked))
    return replace(live, generation=chosen(asked, live.generation, register, has_tables=there)), register


def require_nobody(look: Callable[[], Observation], wait: Callable[[], object], number: int) -> None:
    """Raises NotRebuilt when a worker of the generation gives a sign of life in a while. `wait` lets that go by."""
    before = look()
    if not before.workers and not any(lease.owner for lease in before.leases.values()):
        return  # nobody ever worked on it
    wait()
    if found := at_work(before, look()):
        raise NotRebuilt(f"Somebody feeds g{number} already: {', '.join(found)}. Stop it first, or leave it to that.")


def hand_over(
    kinesis: "KinesisClient", dynamodb: "DynamoDBClient", names: ResourceNames, worker_id: str, kept_since_ms: int
) -> None:
    """Make the leases of a generation anew from its rows; nobody may feed it meanwhile. Raises boto3's errors.

    `kept_since_ms`: what arrived from then on surely stays in the stream for a while (ms since 1970).
    """
    seen = observe(kinesis, dynamodb, names)
    proved = proved_shards(kinesis, names.stream, seen.shards, seen.progress, kept_since_ms)
    remake_leases(dynamodb, names, list(new_leases(seen.shards, seen.progress, proved)), worker_id)


def others_unfinished(found: Look, number: int) -> list[int]:
    """Other generations that somebody has begun to fill and not dropped, and that are not live: most likely forgotten."""
    kept = (one for one in found.register.values() if one.dropped_us is None)
    return [one.number for one in kept if one.number not in (number, found.pointer.generation)]
