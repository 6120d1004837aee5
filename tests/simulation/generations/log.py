"""A model of the log: a stream that forgets what is archived, and an archive that is some way behind, each shard by itself."""

from collections.abc import Callable, Collection, Iterator
from random import Random

from projections.decoding import Record
from telemetry.log import LogRecord, Page, Position
from telemetry.shards import Shard
from tests.simulation.model_kinesis import ModelKinesis, ModelShard


class Trimmed(Exception):
    """What was asked for has left the stream."""


class ModelLog(ModelKinesis):
    """The stream; what happened to each shard is kept by how many of its records it happened to."""

    archived: dict[str, int]
    """Nothing is known of a shard that is not in it."""
    archived_ends: set[str]
    trimmed: dict[str, int]
    """So many have left the stream."""
    expired: set[str]
    """Shards that it does not list any more."""
    page_records_max: int
    """Read at once, of stream or archive."""

    def __init__(self, rng: Random, clock_s: Callable[[], float], shards: int) -> None:
        super().__init__(rng, clock_s, shards)
        self.archived, self.archived_ends, self.trimmed, self.expired = {}, set(), {}, set()
        self.page_records_max = 4

    def listed(self) -> dict[str, Shard]:
        """ListShards."""
        return {shard_id: model.shard for shard_id, model in self.shards.items() if shard_id not in self.expired}

    def archive(self, shard_id: str, records_max: int) -> None:
        """Some more of a shard is archived, and its end when there is one."""
        model, at = self.shards[shard_id], self.archived.get(shard_id, 0)
        to = min(at + records_max, len(model.records))
        ended = model.shard.closed and to == len(model.records)
        if to > at or ended:
            self.archived[shard_id] = to
        if ended:
            self.archived_ends.add(shard_id)

    def trim(self, shard_id: str, records: int, *, expires: bool) -> None:
        """So many of a shard's records leave the stream, as far as they are archived; a shard that ended with the last one."""
        model = self.shards[shard_id]
        if not self.expired.issuperset(model.shard.parents):
            records, expires = 0, False  # what its parents held is older
        gone = min(records, self.archived.get(shard_id, 0))
        self.trimmed[shard_id] = max(gone, self.trimmed.get(shard_id, 0))
        if expires and shard_id in self.archived_ends and self.trimmed[shard_id] == len(model.records):
            self.expired.add(shard_id)

    def has(self, shard_id: str, position: int) -> bool:
        """Whether the stream still has the record at a position."""
        return self._kept_after(shard_id) < position

    def read_after(self, shard_id: str, after: int, known: int, limit: int) -> tuple[list[Record], bool]:
        """GetRecords after a place, or from the oldest record on. Raises Trimmed when that is not the next to what is known."""
        oldest = self._kept_after(shard_id)
        if max(after, known) < oldest:
            raise Trimmed(f"{shard_id} has lost what follows {known}")
        return self.read(shard_id, max(after, oldest), limit)

    def _kept_after(self, shard_id: str) -> int:
        """The last record that has left the stream; 0 while none has."""
        gone = self.trimmed.get(shard_id, 0)
        return self.shards[shard_id].records[gone - 1].sequence_number if gone else 0


class Archive:
    """The archive as a source of the log: what there is of a shard when it is read."""

    def __init__(self, log: ModelLog, rng: Random) -> None:
        self._log = log
        self._rng = rng

    def shards(self) -> Collection[Shard]:
        """Those of which something is archived."""
        return [self._log.shards[shard_id].shard for shard_id in self._log.archived]

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        """Page by page; the last one says that the shard ended, if that is archived."""
        model, shard_id = self._log.shards[shard.shard_id], shard.shard_id
        at = sum(1 for record in model.records if after and record.sequence_number <= after.sequence_number)
        while at < self._log.archived[shard_id]:
            records = model.records[
                at : min(at + self._rng.randint(1, self._log.page_records_max), self._log.archived[shard_id])
            ]
            at += len(records)
            yield Page(shard_id, [LogRecord(one.sequence_number, one.arrived_at_ms, one.data) for one in records])
        if shard_id in self._log.archived_ends:
            yield Page(shard_id, ended=True)


def up_to(model: ModelShard, position: int) -> int:
    """How many records of a shard lie at or before a position."""
    return sum(record.sequence_number <= position for record in model.records)
