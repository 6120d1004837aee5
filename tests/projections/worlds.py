"""What the tests of the read model share: shards that split and merge, workers and zombies on them, tables read row by row."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from random import Random

from projections.decoding import Record
from projections.effects import Question, Steps, run
from projections.fleet import FleetReader
from projections.marks import Answer
from projections.memory import MemoryStores
from projections.memory_reads import MemoryReads
from projections.policy import FlushPolicy
from projections.projector import ShardProjector
from projections.reads import Reads, ReadSteps
from projections.rows import PROGRESS, Row, RowKey
from telemetry.limits import HASH_KEY_MAX
from telemetry.reading import Reading
from telemetry.shards import Shard, hash_key
from tests.projections.logs import NOW_S, START_S, Walk, record

HALVES = (Shard("shardId-000000000000", 0, 2**127 - 1), Shard("shardId-000000000001", 2**127, HASH_KEY_MAX))
_SHARDS_MAX = 12
EAGER = FlushPolicy(windows_every_s=0, few_every_s=0)
"""Everything is written with every delivery that has caught up."""


def filled(readings: Iterable[Reading], shards: Sequence[Shard] = HALVES) -> MemoryStores:
    """What is stored once these readings, repeats among them, were projected, some to a record."""
    stores, some = MemoryStores(), list(readings)
    for shard in shards:
        here = [one for one in some if shard.holds(hash_key(one.sensor_id))]
        log = [record(number, *here[begin : begin + 3]) for number, begin in enumerate(range(0, len(here), 3), 1)]
        run(life(shard, log), stores)
    return stores


def life(
    shard: Shard,
    log: Sequence[Record],
    policy: FlushPolicy = EAGER,
    *,
    clock_s: Callable[[], float] = lambda: NOW_S,
    ended: bool = False,
) -> Steps[None]:
    """A worker's life: from where everything is durable to the end of the log, or of the shard."""
    projector = ShardProjector(shard, clock_s, policy)
    yield from projector.start()
    for one in log:
        yield from projector.project([one], caught_up=False)
    yield from projector.project([], caught_up=True)
    yield from projector.flush(ended=ended)


def ask[T](steps: ReadSteps[T], stores: MemoryStores) -> T:
    """The answer from these stores."""
    return run(steps, MemoryReads(stores))


def value[T](stores: MemoryStores, question: Callable[[FleetReader], ReadSteps[Answer[T]]]) -> T:
    """What a reader that knows nothing yet is answered."""
    return ask(question(FleetReader()), stores).value


def finish[T](steps: ReadSteps[T], question: Question[Reads], reads: Reads) -> T:
    """Answer what is left to ask."""
    while True:
        try:
            question = steps.send(question(reads))
        except StopIteration as done:
            result: T = done.value
            return result


class CountingReads(MemoryReads):
    """Reads that count what they are asked for."""

    def __init__(self, stores: MemoryStores) -> None:
        super().__init__(stores)
        self.keys = self.queries = 0

    def rows(self, keys: Collection[tuple[str, RowKey]]) -> Mapping[tuple[str, RowKey], Row]:
        self.keys += len(keys)
        return super().rows(keys)

    def rows_between(self, scope: str, first: str, last: str, most: int | None = None) -> Sequence[tuple[str, Row]]:
        self.queries += 1
        return super().rows_between(scope, first, last, most)


class SlowReads(MemoryReads):
    """Reads one row after the other, in the order of keys, while `meanwhile` goes on between two rows."""

    def __init__(self, stores: MemoryStores, meanwhile: Callable[[], None]) -> None:
        super().__init__(stores)
        self._meanwhile = meanwhile

    def rows(self, keys: Collection[tuple[str, RowKey]]) -> Mapping[tuple[str, RowKey], Row]:
        found: dict[tuple[str, RowKey], Row] = {}
        for key in keys:
            self._meanwhile()
            found |= super().rows([key])
        return found

    def rows_between(self, scope: str, first: str, last: str, most: int | None = None) -> Sequence[tuple[str, Row]]:
        found: list[tuple[str, Row]] = []
        while True:
            self._meanwhile()
            passed = (found[-1][1].key.window, found[-1][0]) if found else ("", "")
            later = (one for one in super().rows_between(scope, first, last) if (one[1].key.window, one[0]) > passed)
            if not (one := next(later, None)) or len(found) == most:
                return found
            found.append(one)


class Stream:
    """Shards under workers, of which any may take the next step.

    A shard that was split or merged is read to its end; its children begin after that. A zombie reads a shard once more.
    """

    def __init__(self, rng: Random, stores: MemoryStores) -> None:
        self.stores = stores
        self.logs: dict[str, list[Record]] = {}
        self.open: list[Shard] = []
        """In the order of their ranges; their logs may still grow."""
        self._rng = rng
        self._over = False
        self._now_s = START_S + 10**6
        self._waiting: list[Shard] = []
        self._closed: list[Shard] = []
        self._workers: list[Walk] = []
        self._names = [f"n-{number}" for number in range(200)]
        for half in HALVES:
            self._open(half.first_hash_key, half.last_hash_key)

    def step(self) -> None:
        """One thing happens, or nothing."""
        self._now_s += 1
        match self._rng.randrange(12):
            case 0 if len(self.logs) < _SHARDS_MAX:
                self._reshard()
            case 1 if ready := [shard for shard in self._closed if all(map(self._ended, shard.parents))]:
                self._work(self._rng.choice(ready))
            case 2 if self._workers:
                worker = self._rng.choice(self._workers)
                worker.die(self.stores, answered=self._rng.random() < 0.5)
            case _:
                self._move()

    def finish(self) -> None:
        """Everybody comes to an end; what died is done again."""
        self._over = True
        self._waiting += [*self._closed, *self.open]
        while self._workers or self._waiting:
            self._move()

    def count(self) -> int:
        """Readings counted in all rows together."""
        return sum(row.stats.count for row in self.stores.total_rows().values())

    def _move(self) -> None:
        self._workers = [worker for worker in self._workers if not worker.done]
        ready = [shard for shard in self._waiting if all(map(self._ended, shard.parents))]
        if ready:
            self._waiting.remove(ready[0])
            self._work(ready[0])
        elif self._workers:
            self._rng.choice(self._workers).step(self.stores)

    def _work(self, shard: Shard) -> None:
        log = self.logs[shard.shard_id]
        policy = FlushPolicy(windows_every_s=0, few_every_s=self._rng.choice([0, 10**9]))
        closed = shard not in self.open
        if closed or self._over or self._rng.random() < 0.5:
            self._workers.append(Walk(life(shard, log, policy, clock_s=lambda: self._now_s, ended=closed)))
        else:
            part = log[: self._rng.randrange(len(log) + 1)]
            self._workers.append(Walk(life(shard, part, policy, clock_s=lambda: self._now_s)))

    def _reshard(self) -> None:
        if len(self.open) > 1 and self._rng.random() < 0.4:
            place = self._rng.randrange(len(self.open) - 1)
            old = self.open[place : place + 2]
            self._open(old[0].first_hash_key, old[1].last_hash_key, *old)
        else:
            parent = self._rng.choice(self.open)
            middle = (parent.first_hash_key + parent.last_hash_key) // 2
            self._open(parent.first_hash_key, middle, parent)
            self._open(middle + 1, parent.last_hash_key, parent)
            old = [parent]
        for shard in old:
            self.open.remove(shard)
            self._closed.append(shard)
            self._waiting.append(shard)

    def _open(self, first: int, last: int, *parents: Shard) -> None:
        # Names in no order, so that a child may lie before its parent.
        shard = Shard(f"{self._rng.randrange(10**6):06}", first, last, tuple(parent.shard_id for parent in parents))
        begin = 1_000 * (len(self.logs) + 1)
        names = [name for name in self._names if shard.holds(hash_key(name))]
        at_s = [self._rng.randrange(3) for _ in range(2)]
        self.logs[shard.shard_id] = [
            record(begin + number, *(Reading(begin + at, self._rng.choice(names), 1) for at in at_s))
            for number in range(self._rng.randrange(4) if names else 0)
        ]
        self.open.append(shard)
        self.open.sort(key=lambda one: one.first_hash_key)
        self._waiting.append(shard)

    def _ended(self, shard_id: str) -> bool:
        row = self.stores.rows.get((shard_id, PROGRESS))
        return row is not None and row.progress.ended
