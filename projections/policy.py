"""When the rows of a shard are written, and how much of them is held in memory."""

from dataclasses import dataclass
from math import nan
from typing import Final

_TOTALS_A_SECOND: Final = 500
_MB: Final = 1_000_000
_NEVER: Final = nan
"""An interval that is never over, not even the first, which else is over at once: no comparison with it holds."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What one shard's worker holds: with the process itself 256 MB."""

    unflushed_bytes: int = 95 * _MB
    """Decisions and the rows that wait to be written; at so many everything is."""
    rows: int = 20_000
    """At rest."""
    texts_bytes: int = 59 * _MB
    """Of what lies in packs, packed."""
    text_chars: int = 1 * _MB
    """Of one bucket's packs; more are searched and not kept."""


@dataclass(frozen=True, slots=True)
class FlushPolicy:
    """When rows are written: each kind as often as its freshness is worth, everything before a checkpoint."""

    totals_every_s: float = 0
    """The fleet's total goes with each delivery, but no more often than this (`for_shards`)."""
    totals_behind_every_s: float = 1
    """And so often while the log is being caught up with."""
    windows_every_s: float = 5
    """The fleet's minutes, hours, days and day sheets."""
    few_sensors: int = 200
    few_every_s: float = 8
    """While no more sensors than this have something to write, everything is written so often."""
    everything_every_s: float = 30
    flush_share: float = 0.5
    """A flush of everything is spread over deliveries and takes no more of the time than this."""
    flush_rest: float = 3
    """The next begins after so many times as long as the last one took, if that is later."""
    renew_every_s: float = 10
    """How often a shard renews its progress row when nothing else does, idle or in the middle of a record or a flush: so that
    at rest, at work and stuck look different. At most one question to the stores comes later."""

    memory: Memory = Memory()

    @classmethod
    def for_shards(cls, open_shards: int) -> "FlushPolicy":
        """All shards' totals share a partition key, which takes 1,000 write units a second: half of these are theirs."""
        return cls(totals_every_s=open_shards / _TOTALS_A_SECOND)

    @classmethod
    def filling(cls, shards_at_once: int) -> "FlushPolicy":
        """Of tables that nobody reads yet: everything is written when memory is full and at the end, and nothing in between.

        So many shards share what one worker holds, and as much again.
        """
        memory = Memory()
        return cls(
            totals_every_s=_NEVER,
            windows_every_s=_NEVER,
            few_every_s=_NEVER,
            everything_every_s=_NEVER,
            renew_every_s=_NEVER,
            memory=Memory(
                unflushed_bytes=2 * memory.unflushed_bytes // shards_at_once,
                rows=2 * memory.rows // shards_at_once,
                texts_bytes=2 * memory.texts_bytes // shards_at_once,
            ),
        )
