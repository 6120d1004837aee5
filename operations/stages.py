"""Where each projection generation is on its way: told from what is there, kept nowhere. Pure.

filling → lagging → ready → live → standby → dropped, or failed with its reason. A generation is ready when it only has to be
promoted (`telemetry promote`), and on standby when it was filled and nobody feeds it any more.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from operations.lacking import furthest_behind, shards_named
from projections.register import Registered
from projections.retention import Gap
from projections.rows import Row
from telemetry.limits import MICRO
from telemetry.reading import rfc3339

READY_S: Final = 15
"""How far a generation may be behind the live one and be called ready: idle shards renew what they say every ten seconds."""


class Stage(StrEnum):
    """In the order in which a generation goes through them; `failed` may follow each of the first three."""

    FILLING = "filling"
    """From the archive: KCL has no leases of it yet."""
    LAGGING = "lagging"
    """Consumers feed it from the stream, and it is further behind the live one than `READY_S`."""
    READY = "ready"
    LIVE = "live"
    STANDBY = "standby"
    """Filled, and fed by nobody."""
    DROPPED = "dropped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a generation."""

    number: int
    live: bool
    registered: Registered | None
    tables: bool
    """Whether all its tables are there, KCL's too."""
    leased: bool = False
    """Whether KCL has leases of it, which are made when its filling is done."""
    filling: bool = False
    """Whether somebody fills it from the archive just now."""
    workers: Collection[str] = ()
    """Those that live."""
    progress: Mapping[str, Row] = field(default_factory=dict)
    """Its progress rows, by shard."""
    listed: Collection[str] = ()
    """The shards that the stream lists, and that may so be begun still."""


@dataclass(frozen=True, slots=True)
class State:
    """What is said of a generation."""

    number: int
    stage: Stage
    why: str
    """What it is waiting for, or what is the matter with it; nothing of the live one."""
    readings: int = 0
    behind_us: int | None = None
    """How far it is behind the live one, where it is furthest; None when nothing of it says."""
    shards: int = 0
    workers: tuple[str, ...] = ()
    at_work: bool = False
    """Whether anybody was seen to fill or feed it."""
    gaps: tuple[str, ...] = ()
    """Shards of which it may lack what the live generation does not."""


def state_of(seen: Seen, live: Mapping[str, Row]) -> State:
    """Where a generation is; `live` are the progress rows of the live one."""
    stage, why = _stage(seen, live)
    counted = sum(row.stats.count for row in seen.progress.values())
    filled = seen.registered.filled if seen.registered and stage is Stage.FILLING else 0
    begun = _begun(seen)
    has_rows = bool(begun) and not seen.live
    return State(
        number=seen.number,
        stage=stage,
        why=why,
        readings=max(counted, filled),
        behind_us=max(0, furthest_behind(live, begun)[0]) if has_rows else None,
        shards=len(seen.progress),
        workers=tuple(sorted(seen.workers)),
        at_work=bool(seen.workers) or seen.filling,
        gaps=tuple(sorted({*gaps_beyond(live, seen.progress), *_never_begun(seen, live)})) if has_rows else (),
    )


def gaps_beyond(live: Mapping[str, Row], own: Mapping[str, Row]) -> list[str]:
    """Shards with a gap that reaches beyond the one that the live generation knows of: there it may lack what that has."""
    return sorted(
        shard_id
        for shard_id, row in own.items()
        if (gap := row.progress.gap) and not _holds(live[shard_id].progress.gap if shard_id in live else None, gap)
    )


def _stage(seen: Seen, live: Mapping[str, Row]) -> tuple[Stage, str]:
    known, again = seen.registered, f"telemetry rebuild --generation {seen.number}"
    if known and known.dropped_us is not None:
        return Stage.DROPPED, f"at {rfc3339(known.dropped_us)}"
    if not seen.tables:
        return Stage.FAILED, f"its tables are not there: {'python -m infra.setup' if seen.live else again} makes them"
    if seen.live:
        return Stage.LIVE, ""
    if seen.workers:
        return _fed(seen, live)
    if seen.filling:
        return Stage.FILLING, "from the archive"
    return _left(seen, again)


def _left(seen: Seen, again: str) -> tuple[Stage, str]:
    """Of one that nobody is seen to work on; `again` is the command that goes on."""
    if (known := seen.registered) and known.failure:
        return Stage.FAILED, f"{known.failure.rstrip('.')}. {again} goes on"
    if not seen.leased:
        return Stage.FILLING, f"nobody is seen at work: {again} goes on"
    return Stage.STANDBY, f"nobody feeds it: {again} catches it up"


def _fed(seen: Seen, live: Mapping[str, Row]) -> tuple[Stage, str]:
    begun = _begun(seen)
    if missing := [shard_id for shard_id in live if shard_id not in begun and shard_id in seen.listed]:
        return Stage.LAGGING, f"not begun: {shards_named(missing)}"
    behind_us, shard_id = furthest_behind(live, begun)
    if behind_us > READY_S * MICRO:
        return Stage.LAGGING, f"furthest behind: {shard_id}"
    return Stage.READY, f"telemetry promote g{seen.number} makes it live"


def _begun(seen: Seen) -> Mapping[str, Row]:
    """The rows that say up to when they go: a worker's first one may be there before it has read anything."""
    return {shard_id: row for shard_id, row in seen.progress.items() if row.as_of_us}


def _never_begun(seen: Seen, live: Mapping[str, Row]) -> list[str]:
    """Shards that are gone, of which only the live generation has readings."""
    gone = (shard_id for shard_id in live if shard_id not in seen.progress and shard_id not in seen.listed)
    return [shard_id for shard_id in gone if live[shard_id].stats.count]


def _holds(known: Gap | None, gap: Gap) -> bool:
    return known is not None and known.from_us <= gap.from_us and known.until_us >= gap.until_us
