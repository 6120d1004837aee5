"""A model of a log of streams as archivers see it: shards lose what is old when it suits them, and answer wrongly now and then.

Each stream bears the name of the one before and repeats its shard ids.
"""

from dataclasses import dataclass, field, replace
from random import Random

from telemetry.limits import HASH_KEY_MAX
from telemetry.log import LogRecord
from telemetry.shards import Shard

RETENTION_MS = 100_000
JITTER_MS = 1_000
"""By which an arrival's stamp may be off."""
_FIRST_SEQUENCE_NUMBER = 93
"""Soon numbers have a digit more."""


@dataclass(slots=True)
class ModelShard:
    """One shard with all that was ever put into it."""

    shard: Shard
    records: list[LogRecord] = field(default_factory=list)
    arrived_ms: list[int] = field(default_factory=list)
    """When each really arrived."""
    trimmed: int = 0
    """So many records have left the stream."""
    closed_ms: int | None = None


class ModelStream:
    """One stream. The log's clock is moved by the scheduler."""

    def __init__(self, rng: Random, log: "ModelLog", after: int, shards: int) -> None:
        """Its sequence numbers come after this one."""
        self._rng = rng
        self._log = log
        self._number = after
        self.created_ms = log.now_ms
        self.lost_ms: int | None = None
        """When it was deleted."""
        self.shards: dict[str, ModelShard] = {}
        width = (HASH_KEY_MAX + 1) // shards
        for number in range(shards):
            self._create(number * width, (number + 1) * width - 1, ())

    @property
    def created(self) -> str:
        """When it was created, as Kinesis tells and the archive writes it."""
        return f"{self.created_ms / 1000:.3f}"

    @property
    def number(self) -> int:
        """The last sequence number."""
        return self._number

    def put(self, data: bytes) -> None:
        """A record, into some open shard."""
        model = self._rng.choice(self.open)
        self._number += self._rng.randint(1, 3)
        stamp_ms = self._log.now_ms + self._rng.randint(-JITTER_MS, JITTER_MS)
        model.records.append(LogRecord(self._number, stamp_ms, data))
        model.arrived_ms.append(self._log.now_ms)

    @property
    def open(self) -> list[ModelShard]:
        """Those that take records."""
        return [model for model in self.shards.values() if model.closed_ms is None]

    def listed(self) -> dict[str, Shard]:
        """ListShards: a closed shard is forgotten when all that it held must be."""
        return {
            shard_id: model.shard
            for shard_id, model in self.shards.items()
            if model.closed_ms is None or model.closed_ms > self._log.now_ms - RETENTION_MS
        }

    def trim(self) -> None:
        """What is older than the retention leaves the stream."""
        for model in self.shards.values():
            while model.trimmed < len(model.records) and model.arrived_ms[model.trimmed] <= self._log.now_ms - RETENTION_MS:
                model.trimmed += 1

    def read(self, shard_id: str, after: int, limit: int) -> tuple[list[LogRecord], bool, int]:
        """GetRecords: records, whether there is no next iterator, and how far the page lies behind the tip, in ms."""
        if shard_id not in self.listed():
            return [], True, 0
        model = self.shards[shard_id]
        beyond = [record for record in model.records[model.trimmed :] if record.sequence_number > after]
        if beyond and self._rng.random() < 0.1:
            return [], False, max(1, self._log.now_ms - beyond[0].arrived_ms)
        page = beyond[:limit]
        rest = len(beyond) > len(page)
        return page, model.closed_ms is not None and not rest, max(1, self._log.now_ms - page[-1].arrived_ms) if rest else 0

    def oldest(self, shard_id: str) -> int | None:
        """The first record at TRIM_HORIZON."""
        if shard_id not in self.listed():
            return None
        model = self.shards[shard_id]
        return model.records[model.trimmed].sequence_number if model.trimmed < len(model.records) else None

    def split(self) -> None:
        """Close a shard and open two."""
        wide = [model for model in self.open if model.shard.first_hash_key < model.shard.last_hash_key]
        if wide:
            parent = self._close(self._rng.choice(wide))
            middle = (parent.first_hash_key + parent.last_hash_key) // 2
            self._create(parent.first_hash_key, middle, (parent.shard_id,))
            self._create(middle + 1, parent.last_hash_key, (parent.shard_id,))

    def merge(self) -> None:
        """Close two neighbours and open one."""
        shards = sorted(self.open, key=lambda model: model.shard.first_hash_key)
        if len(shards) > 1:
            at = self._rng.randrange(len(shards) - 1)
            low, high = self._close(shards[at]), self._close(shards[at + 1])
            self._create(low.first_hash_key, high.last_hash_key, (low.shard_id, high.shard_id))

    def _close(self, model: ModelShard) -> Shard:
        model.closed_ms = self._log.now_ms
        model.shard = replace(model.shard, closed=True)
        return model.shard

    def _create(self, first: int, last: int, parents: tuple[str, ...]) -> None:
        shard_id = f"shardId-{len(self.shards):012}"
        self.shards[shard_id] = ModelShard(Shard(shard_id, first, last, parents))


class ModelLog:
    """The streams, in their order: the last is there, unless it was deleted. The scheduler moves `now_ms`."""

    def __init__(self, rng: Random, now_ms: int) -> None:
        self._rng = rng
        self.now_ms = now_ms
        self.streams: list[ModelStream] = []
        self.iterators_outlive = rng.random() < 0.5
        """Whether an iterator of a stream that was deleted reads in the next one, as it may in an emulator, or is not found."""
        self.make(1)

    @property
    def there(self) -> ModelStream | None:
        """The stream that bears the name now."""
        last = self.streams[-1]
        return last if last.lost_ms is None else None

    def delete(self) -> None:
        """The stream is gone, with all that it held."""
        self.streams[-1].lost_ms = self.now_ms

    def make(self, shards: int) -> None:
        """Another stream of the name. Its numbers mostly go on, as Kinesis's do, or begin anew."""
        self.now_ms += 1
        numbers = [stream.number for stream in self.streams]
        after = max(numbers, default=_FIRST_SEQUENCE_NUMBER) if self._rng.random() < 0.7 else _FIRST_SEQUENCE_NUMBER
        self.streams.append(ModelStream(self._rng, self, after, shards))
