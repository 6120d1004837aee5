"""What one generation lacks of what another has counted, by their progress rows. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from projections.rows import Row

type Progress = Mapping[str, Row]
"""The progress rows of a generation, by shard."""


@dataclass(slots=True)
class Lacking:
    """What is lacking, by shard."""

    behind: list[str] = field(default_factory=list)
    """Not read as far yet."""
    unarchived: dict[str, int] = field(default_factory=dict)
    """So many readings of shards that ended for it earlier than for the other one: the log has lost their end."""
    before: dict[str, int] = field(default_factory=dict)
    """And so many at least, which may be 0, of shards that the log does not hold from the beginning, or without a gap."""

    @property
    def readings(self) -> int:
        """How many readings fewer are counted, at least."""
        return sum(self.unarchived.values()) + sum(self.before.values())


def lacking(live: Progress, other: Progress, listed: Collection[str]) -> Lacking:
    """What `other` lacks of what the live generation has counted; `listed` are the shards that can still be begun.

    As far means everything of it, rows, packs and directory, at or past what the live generation says of its totals.
    """
    found = Lacking()
    for shard_id, row in sorted(live.items()):
        theirs = other.get(shard_id)
        if theirs is None:
            if not row.position:
                continue  # nothing of it was counted yet
            if shard_id in listed:
                found.behind.append(shard_id)
            elif row.stats.count:
                found.before[shard_id] = row.stats.count
            continue
        fewer = max(row.stats.count - theirs.stats.count, 0)
        if theirs.progress.ended and theirs.position < row.position:
            if fewer:
                found.unarchived[shard_id] = fewer
        elif theirs.progress.flushed.position < row.position:
            found.behind.append(shard_id)
        elif fewer or _has_other_gap(theirs, row):
            found.before[shard_id] = fewer
    return found


def furthest_behind(live: Progress, other: Progress) -> tuple[int, str]:
    """By how many microseconds, and in which shard, `other` is furthest behind in time; less than 0 when it is ahead."""
    behind = (
        (row.as_of_us - other[shard_id].as_of_us, shard_id)
        for shard_id, row in live.items()
        if shard_id in other and not other[shard_id].progress.ended
    )
    return max(behind, default=(0, ""))


def shards_named(shard_ids: Collection[str]) -> str:
    """In words, however many these are."""
    first, *others = sorted(shard_ids)
    return f"{first} and {len(others)} other shards" if len(others) > 1 else " and ".join([first, *others])


def _has_other_gap(theirs: Row, row: Row) -> bool:
    """Whether something may be missing in a row that is not known to be missing in the other one as well."""
    gap, known = theirs.progress.gap, row.progress.gap
    if gap is None or theirs.position == row.position:  # what is missing lies behind both, or the counts would tell
        return False
    return known is None or gap.from_us < known.from_us or gap.until_us > known.until_us
