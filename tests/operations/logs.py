"""Logs of several streams, whose shards split and merge, with all that a log may hold: archived, and as a consumer has it."""

from collections.abc import Callable, Collection, Sequence
from random import Random

from archive.targets import MemoryTarget
from projections.decoding import Record
from projections.effects import DeadLetter, Sighting, run
from projections.memory import MemoryStores
from projections.packs import Pack
from projections.rows import Row, RowKey
from telemetry.events import encode_event
from telemetry.limits import HASH_KEY_MAX
from telemetry.log import LogRecord
from telemetry.reading import Reading
from telemetry.shards import Shard, hash_key
from telemetry.streams import StreamPlace, kinesis_id
from tests.archive.records import chained
from tests.projections.logs import START_S
from tests.projections.worlds import life

_MICRO = 1_000_000
_DAY_S = 86_400
_NAMES = [f"s-{number}" for number in range(40)]


class Past:
    """A log that is over. Each stream begins with two shards; of `orderly` ones the archive has the end of every shard."""

    def __init__(self, seed: int, streams: int, *, orderly: bool = True, turns: int = 3) -> None:
        self.target = MemoryTarget()
        self.created = [f"{START_S + number * _DAY_S}.000" for number in range(streams)]
        self.shards: list[Shard] = []
        """By the log's names, parents first."""
        self.logs: dict[str, list[Record]] = {}
        self._rng = Random(seed)  # noqa: S311  any will do
        self._sent: list[Reading] = []
        before: tuple[str, ...] = ()
        for number in range(1, streams + 1):
            before = self._stream(StreamPlace(number, before), turns, orderly=orderly)

    def consumed(self) -> MemoryStores:
        """The tables of a consumer that has seen all of it, shard after shard."""
        stores = MemoryStores()
        for shard in self.shards:
            run(life(shard, self.logs[shard.shard_id], ended=True), stores)
        return stores

    def _stream(self, place: StreamPlace, turns: int, *, orderly: bool) -> tuple[str, ...]:
        self._at = 0
        middle = HASH_KEY_MAX // 2
        open_ = [self._begin(place, 0, middle), self._begin(place, middle + 1, HASH_KEY_MAX)]
        for _ in range(turns):
            old = open_.pop(self._rng.randrange(len(open_)))
            beside = [one for one in open_ if one.first_hash_key == old.last_hash_key + 1]
            if beside and self._rng.random() < 0.5:
                open_.remove(beside[0])
                closed = [old, beside[0]]
                open_.append(self._begin(place, old.first_hash_key, beside[0].last_hash_key, *closed))
            else:
                closed, middle = [old], (old.first_hash_key + old.last_hash_key) // 2
                open_ += [
                    self._begin(place, old.first_hash_key, middle, old),
                    self._begin(place, middle + 1, old.last_hash_key, old),
                ]
            for one in closed:
                self._archive(place, one, ended=True)
        for one in open_:
            self._archive(place, one, ended=orderly)
        return tuple(one.shard_id for one in open_)

    def _begin(self, place: StreamPlace, first: int, last: int, *parents: Shard) -> Shard:
        number = sum(1 for shard in self.shards if shard.shard_id.startswith(place.name("s")))
        names = [kinesis_id(parent.shard_id) for parent in parents]
        shard = Shard(place.name(f"shardId-{number:012}"), first, last, place.parents(names))
        self.shards.append(shard)
        self.logs[shard.shard_id] = [self._record(shard, place.number) for _ in range(self._rng.randrange(6))]
        return shard

    def _record(self, shard: Shard, stream: int) -> Record:
        self._at += self._rng.randint(1, 9)
        arrived_s = START_S + (stream - 1) * _DAY_S + self._at
        return Record(self._at, b"".join(self._line(shard, arrived_s) for _ in range(self._rng.randrange(5))), arrived_s * 1000)

    def _line(self, shard: Shard, arrived_s: int) -> bytes:
        own = [name for name in _NAMES if shard.holds(hash_key(name))]
        match self._rng.randrange(10) if own else 0:
            case 0:
                return self._rng.choice([b"no event\n", b"{}\n"])
            case 1 | 2 if again := [one for one in self._sent if one.sensor_id in own]:
                reading = self._rng.choice(again)
            case late:
                at_s = arrived_s - self._rng.randrange(3 * 3600 if late < 6 else 2)
                reading = Reading(at_s * _MICRO, self._rng.choice(own), self._rng.randrange(-9, 30) * _MICRO)
        self._sent.append(reading)
        return encode_event(reading, arrived_s * _MICRO) + b"\n"

    def _archive(self, place: StreamPlace, shard: Shard, *, ended: bool) -> None:
        log = [LogRecord(one.sequence_number, one.arrived_at_ms, one.data) for one in self.logs[shard.shard_id]]
        cut = self._rng.randrange(len(log) + 1)
        number, objects = place.number, [part for part in (log[:cut], log[cut:]) if part] or [[]]
        parents = () if shard.parents == place.before else tuple(map(kinesis_id, shard.parents))
        own = Shard(kinesis_id(shard.shard_id), shard.first_hash_key, shard.last_hash_key, parents)
        if log or ended:
            chained(self.target, objects, shard=own, created=self.created[number - 1], ended=ended)


class KilledError(Exception):
    """The process ended there."""


class MortalStores(MemoryStores):
    """Stores of a process that is killed after some writes, at one that is done or not."""

    def __init__(self, writes: int, *, done: bool) -> None:
        super().__init__()
        self.writes_left = writes
        self.done = done

    def store_packs(self, packs: Sequence[Pack]) -> None:
        self._write(super().store_packs, packs)

    def store_rows(self, shard_id: str, rows: Sequence[tuple[Row, Row]]) -> Collection[RowKey]:
        return self._write(super().store_rows, shard_id, rows)

    def sight(self, shard_id: str, sightings: Sequence[Sighting]) -> None:
        self._write(super().sight, shard_id, sightings)

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        self._write(super().store_dead_letters, letters)

    def _write[*A, T](self, write: Callable[[*A], T], *given: *A) -> T:
        self.writes_left -= 1
        if self.writes_left != 0:
            return write(*given)
        if self.done:
            write(*given)
        raise KilledError
