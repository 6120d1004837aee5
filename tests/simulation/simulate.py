"""Schedules: one seed decides who does what, when, and what goes wrong; then faults stop and all must come to rest."""

from dataclasses import replace
from random import Random

from projections.policy import FlushPolicy, Memory
from projections.projector import ShardProjector
from projections.rows import PROGRESS
from telemetry.limits import HASH_KEY_MAX
from telemetry.shards import Shard
from tests.simulation.bugs import NONE, Bounds, Bug, Bugs, seeded
from tests.simulation.invariants import Invariants
from tests.simulation.leases import Leases
from tests.simulation.model_dynamodb import ModelStores
from tests.simulation.model_kinesis import NO_EVENT, ModelKinesis, home_of
from tests.simulation.readers import Reader
from tests.simulation.violation import Violation
from tests.simulation.workers import Worker
from tests.simulation.writers import SENSORS, Sensors, Writer

STEPS_TO_REST_MAX = 6_000
_TROUBLES = ("before", "halfway", "after", *(2 * ["steal"]), *(5 * ["freeze"]), "stop")
_ZOMBIES_STEPS = 0.4
_THAW = 0.05
_READERS_STEPS = 0.1
_UNLISTED = 0.2
"""Of children: so many are not listed when they begin, and nobody names their parents."""


class Clock:
    """A clock that the scheduler moves."""

    def __init__(self) -> None:
        self.now_s = 1_700_010_000.0

    def __call__(self) -> float:
        return self.now_s


class Simulation:
    """One schedule. `trace` tells what happened, step by step."""

    def __init__(self, seed: int, bugs: Bugs = NONE) -> None:
        self._rng = rng = Random(seed)  # noqa: S311  # replayable, not secret
        self._bugs = bugs
        self._clock = Clock()
        self._fault_rate = rng.choice((0, 0.05, 0.15, 0.3))
        self.trace: list[str] = []
        self._kinesis = ModelKinesis(rng, self._clock, rng.randint(1, 2))
        self._invariants = Invariants(self._kinesis)
        self._leases = Leases(self._kinesis, bugs, self._invariants.checkpoint_moved)
        self._sensors = Sensors(self._kinesis, rng, rng.choice((4, 8, 12, 12, 40)))
        self._writers = [self._new_writer() for _ in range(2)]
        self._workers: list[Worker] = []
        self._names = 0
        self._frozen: list[Worker] = []
        """Stopped, their leases taken; they go on far behind, or when all the others have come to rest."""
        self._observed: list[tuple[str, int]] = []
        """What an observer read of progress rows, to make leases from."""
        self._readers = [
            Reader(f"reader {number}", self._invariants.tables, self._kinesis, rng) for number in range(rng.choice((1, 2, 3)))
        ]
        self._bounds = Bounds(
            slice_lines=rng.choice((1, 2, 3, 1000)),
            bins_max=rng.choice((2, 3, 4, 128)),
            bytes_max=rng.choice((13, 16, 30, 384)),
            chunk_items=rng.choice((1, 1, 2, 100)),
            segment_bytes=rng.choice((1, 30, 16_384)),
            loose_bytes=rng.choice((1, 20, 4_096)),
            readings_a_pack=rng.choice((1, 2, 4_000)),
            buckets_at_once=rng.choice((1, 2, 50)),
        )

    def run(self) -> None:
        """Raises Violation."""
        with seeded(self._bugs, self._bounds):
            for _ in range(self._rng.randint(60, 220)):
                self._disturb()
            self._invariants.check_rows()
            self._settle_writers()
            self._come_to_rest()
            self._check_at_rest()
            self._run_out()
            self._come_to_rest()  # zombies may have sent strays home
            self._check_at_rest()

    def _check_at_rest(self) -> None:
        self._invariants.check_at_rest(self._sensors.acknowledged)
        for reader in self._readers:
            reader.check_at_rest()

    def _disturb(self) -> None:
        rng = self._rng
        if self._frozen and rng.random() < _THAW:
            self._workers.append(worker := self._frozen.pop(0))
            self._note(f"{worker.name} {worker.shard_id} goes on")
        self._clock.now_s += rng.choice((0, 0, 0.05, 0.3, 1.5))
        self._start_workers()
        what = rng.random()
        if what < 0.08:
            self._step_reader()
        elif what < 0.62 and self._workers:
            self._step_worker(rng.choice(self._workers), self._fault_rate)
        elif what < 0.82:
            self._step_writer(rng.randrange(len(self._writers)), self._fault_rate)
        elif what < 0.91:
            number = rng.randrange(len(self._writers))
            self._note(f"sensors send to writer {number}")
            self._sensors.send_some(self._writers[number])
        elif what < 0.935:
            self._reshard()
        elif what < 0.982:
            self._trouble_a_worker()
        elif what < 0.988:
            self._note("somebody else writes")
            key, line = (f"other {rng.random()}", NO_EVENT) if rng.random() < 0.5 else self._sensors.foreign_event()
            self._kinesis.put(key, None, line + b"\n")
        elif what < 0.994:
            self._observe()
        else:
            self._kill_writer(rng.randrange(len(self._writers)))

    def _note(self, what: str) -> None:
        self.trace.append(what)

    def _new_writer(self) -> Writer:
        return Writer(self._kinesis, self._rng, self._clock, self._bugs)

    def _start_workers(self) -> None:
        for shard in self._leases.available():
            self._start_worker(shard)

    def _start_worker(self, shard: Shard) -> None:
        rng = self._rng
        self._names += 1
        name = f"worker {self._names}"
        self._leases.owners[shard.shard_id] = name
        policy = FlushPolicy(
            totals_every_s=rng.choice((0, 0, 2)),
            totals_behind_every_s=rng.choice((0, 1)),
            windows_every_s=rng.choice((0, 1, 5)),
            few_sensors=rng.choice((0, 1, 2, 200, 200)),
            few_every_s=rng.choice((0, 0, 1, 5)),
            everything_every_s=rng.choice((1, 10, 1000)),
            flush_share=rng.choice((0.2, 0.2, 0.5, 1000)),
            flush_rest=rng.choice((0, 3)),
            renew_every_s=rng.choice((1, 10)),
            memory=Memory(
                unflushed_bytes=rng.choice((2_500, 6_000, 10**9)),
                rows=rng.choice((0, 2, 5, 50_000)),
                texts_bytes=rng.choice((0, 700, 2_000, 10**9)),
                text_chars=rng.choice((10, 40, 10**9)),
            ),
        )
        owners = self._leases.owners
        stores = ModelStores(
            self._invariants.tables, self._kinesis, rng, self._bugs, lambda: owners.get(shard.shard_id) == name
        )
        home = (
            replace(shard, first_hash_key=0, last_hash_key=HASH_KEY_MAX) if Bug.STRAYS_ARE_FOLDED_HERE in self._bugs else shard
        )
        if home.parents and rng.random() < _UNLISTED:
            home = replace(home, parents=("unknown",))
        projector = ShardProjector(home, self._clock, policy)
        self._workers.append(
            Worker(
                name=name,
                shard_id=shard.shard_id,
                projector=projector,
                stores=stores,
                kinesis=self._kinesis,
                leases=self._leases,
                rng=rng,
                bugs=self._bugs,
            )
        )
        self._note(f"{name} takes {shard.shard_id} at {self._leases.checkpoints.get(shard.shard_id, 0)}")

    def _step_worker(self, worker: Worker, fault_rate: float) -> None:
        troubled = self._rng.random() < fault_rate
        self._note(f"{worker.name} {worker.shard_id} step{' halfway' * troubled}")
        worker.step(troubled=troubled)
        if worker.done:
            self._forget(worker)

    def _forget(self, worker: Worker) -> None:
        self._workers.remove(worker)
        if self._leases.owners.get(worker.shard_id) == worker.name:
            del self._leases.owners[worker.shard_id]

    def _trouble_a_worker(self) -> None:
        """Crash, theft of the lease, or an orderly stop."""
        if not self._workers:
            return
        worker = self._rng.choice(self._workers)
        what = self._rng.choice(_TROUBLES)
        self._note(f"{worker.name} {worker.shard_id} {what}")
        if what == "stop":
            worker.asked_to_stop = True
        elif what in {"steal", "freeze"}:
            if self._leases.owners.get(worker.shard_id) == worker.name:
                del self._leases.owners[worker.shard_id]
            if what == "freeze":
                self._workers.remove(worker)
                self._frozen.append(worker)
        else:
            worker.die(what)
            self._forget(worker)

    def _observe(self) -> None:
        """Read a progress row, or make the lease anew of one that was read some time ago."""
        if self._observed and self._rng.random() < 0.5:
            shard_id, position = self._observed.pop(self._rng.randrange(len(self._observed)))
            self._note(f"the lease of {shard_id} is made anew at {position}")
            self._leases.remake(shard_id, position)
            return
        shard_id = self._rng.choice(sorted(self._kinesis.shards))
        self._observed.append((shard_id, self._invariants.tables.row(shard_id, PROGRESS).progress.flushed.position))

    def _step_reader(self) -> None:
        reader = self._rng.choice(self._readers)
        self._note(f"{reader.name} step")
        reader.step()

    def _step_writer(self, number: int, fault_rate: float) -> None:
        self._note(f"writer {number} step")
        self._writers[number].step(fault_rate)

    def _kill_writer(self, number: int) -> None:
        self._note(f"writer {number} dies")
        self._sensors.lose(self._writers[number])
        self._writers[number] = self._new_writer()

    def _reshard(self) -> None:
        """Split between two sensors, or merge two neighbours."""
        if len(self._kinesis.shards) > 9:
            return
        shards = sorted((model.shard for model in self._kinesis.open), key=lambda shard: shard.first_hash_key)
        if len(shards) > 1 and self._rng.random() < 0.4:
            low = self._rng.randrange(len(shards) - 1)
            self._note(f"merge {shards[low].shard_id} and {shards[low + 1].shard_id}")
            self._kinesis.merge(shards[low].shard_id, shards[low + 1].shard_id)
            return
        shard = self._rng.choice(shards)
        keys = [key for key in map(home_of, SENSORS) if shard.first_hash_key < key <= shard.last_hash_key]
        if keys:
            self._note(f"split {shard.shard_id}")
            self._kinesis.split(shard.shard_id, self._rng.choice(keys))

    def _settle_writers(self) -> None:
        self._note("faults end")
        for number, writer in enumerate(self._writers):
            for _ in range(STEPS_TO_REST_MAX):
                if writer.idle:
                    break
                self._clock.now_s += 0.1
                self._step_writer(number, 0)
            else:
                raise Violation(f"writer {number} does not come to rest")

    def _come_to_rest(self) -> None:
        for _ in range(STEPS_TO_REST_MAX):
            self._start_workers()
            if self._leases.at_rest:
                return
            self._clock.now_s += 0.3
            owners = set(self._leases.owners.values())
            working = [worker for worker in self._workers if worker.name in owners or self._rng.random() < _ZOMBIES_STEPS]
            self._step_worker(self._rng.choice(working or self._workers), 0)
            if self._rng.random() < _READERS_STEPS:
                self._step_reader()
        raise Violation("the workers do not come to rest")

    def _run_out(self) -> None:
        """Zombies go on and find out, those of ended shards too."""
        self._note("zombies go on")
        self._workers += self._frozen
        for worker in self._workers:
            worker.asked_to_stop = self._rng.random() < 0.5
        for _ in range(STEPS_TO_REST_MAX):
            if not self._workers:
                return
            self._clock.now_s += self._rng.choice((0, 0.3, 1.5))
            worker = self._rng.choice(self._workers)
            self._step_worker(worker, 0)
            if self._rng.random() < 2 * _READERS_STEPS:
                self._step_reader()
            worker.asked_to_stop |= self._rng.random() < 0.1
        raise Violation("the zombies do not come to rest")

    def left_behind(self) -> str:
        """The log and the tables as text."""
        tables = self._invariants.tables
        rows = sorted((shard_id, key, repr(row)) for (shard_id, key), row in tables.rows.items())
        log = [(shard_id, model.records) for shard_id, model in self._kinesis.shards.items()]
        return repr((log, sorted(map(repr, tables.packs.values())), rows))
