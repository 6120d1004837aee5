"""A log is a list of streams: what a shard is called in the log, and what in its own stream.

A stream can be lost, deleted, or moved to another region, and the log goes on in the next one, where shard ids repeat. So a
shard has Kinesis's own id in the first stream, and is called `<n>/<Kinesis's id>` in the n-th. Everything we keep or show has
the log's name; calls to Kinesis and KCL's own tables take Kinesis's ids, in which there is no slash (API reference, Shard).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

UNKNOWN_PARENT: Final = "unknown"
"""Stands for parents that nobody names any more: what they had is asked for all the same."""


@dataclass(frozen=True, slots=True)
class StreamPlace:
    """The place of a stream in the log."""

    number: int = 1
    """Counted from 1."""
    before: tuple[str, ...] = ()
    """The last shards of the stream before, those without children, by the log's names: parents of this one's first shards."""

    def name(self, kinesis_id: str) -> str:
        """What the log calls a shard of this stream."""
        return kinesis_id if self.number == 1 else f"{self.number}/{kinesis_id}"

    def parents(self, kinesis_ids: Sequence[str]) -> tuple[str, ...]:
        """The parents of a shard of this stream, of which Kinesis names those in the stream itself."""
        return tuple(map(self.name, kinesis_ids)) or self.before


FIRST_PLACE: Final = StreamPlace()
"""Of the only stream, in a log that never lost one."""


def number_of(shard_id: str) -> int:
    """Which of the log's streams a shard is of, by what the log calls it."""
    number, _, _ = shard_id.rpartition("/")
    return int(number or 1)


def kinesis_id(shard_id: str) -> str:
    """The id that Kinesis and KCL know a shard by, which the log calls so."""
    return shard_id.rpartition("/")[2]
