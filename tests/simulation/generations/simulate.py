"""Schedules: one seed decides who does what, when, and what goes wrong; then faults stop and all must come to rest."""

from random import Random

from telemetry.errors import NotRebuilt
from tests.simulation.bugs import Bounds
from tests.simulation.generations.bugs import NONE, Bugs, seeded
from tests.simulation.generations.feeding import Feeding
from tests.simulation.generations.log import ModelLog
from tests.simulation.generations.people import Drop, Operators, Senders
from tests.simulation.generations.promoter import Promoter
from tests.simulation.generations.readers import Reader, Told
from tests.simulation.generations.rebuild import Stage
from tests.simulation.generations.rest import Rest
from tests.simulation.generations.tables import Database
from tests.simulation.simulate import Clock

_GENERATIONS_MAX = 3
_SHARDS_MAX = 7
_LATELY_STEPS = 25


class Simulation:
    """One schedule. `trace` tells what happened, step by step."""

    def __init__(self, seed: int, bugs: Bugs = NONE) -> None:
        self._rng = rng = Random(seed)  # noqa: S311  # replayable, not secret
        self._bugs = bugs
        self._clock = Clock()
        self._fault_rate = rng.choice((0, 0.03, 0.1))
        self.trace: list[str] = []
        self._log = ModelLog(rng, self._clock, rng.randint(1, 2))
        self._database = Database(self._log)
        self._senders = Senders(self._log, rng, self._clock)
        self._operators = Operators(self._database, self._log, rng)
        told = Told()
        self._readers = [
            Reader(f"reader {number}", self._database, told, rng=rng, clock=self._clock, bugs=bugs) for number in range(3)
        ]
        self._feeding = Feeding(self._database, self._log, rng=rng, clock=self._clock, bugs=bugs, note=self.trace.append)
        self._promoter: Promoter | None = None
        self._drop: Drop | None = None
        self._lately = 0
        """So many steps more it is not long since a promote ended."""
        self._names = 0
        self._bounds = Bounds(
            slice_lines=rng.choice((1, 3, 1000)),
            bins_max=rng.choice((3, 128)),
            bytes_max=rng.choice((16, 384)),
            chunk_items=rng.choice((2, 10, 100)),
            segment_bytes=rng.choice((1, 16_384)),
            loose_bytes=rng.choice((1, 4_096)),
            readings_a_pack=rng.choice((1, 2, 4_000)),
            buckets_at_once=rng.choice((1, 50)),
        )

    def run(self) -> None:
        """Raises Violation."""
        with seeded(self._bugs, self._bounds, self._rng):
            for _ in range(self._rng.randint(200, 700)):
                self._disturb()
            for life in self._database.lives.values():
                life.invariants.check_rows()
            rest = Rest(
                self._database, self._log, self._senders, self._feeding, self._readers, rng=self._rng, clock=self._clock
            )
            rest.come(self._promoter, self._note)

    def _note(self, what: str) -> None:
        self.trace.append(what)

    def _disturb(self) -> None:
        rng = self._rng
        promoting = self._promoter is not None or self._lately > 0
        self._lately -= self._promoter is None
        self._clock.now_s += rng.choice((0, 0, 0.02, 0.1) if promoting else (0, 0.02, 0.1, 0.3))
        self._feeding.start_workers()
        if promoting and rng.random() < 0.5:
            rng.choice((self._promote, self._read) if self._promoter else (self._read,))()
            return
        what = rng.random()
        if what < 0.4:
            self._feeding.step_a_worker(self._fault_rate)
        elif what < 0.49:
            self._note(self._senders.send())
        elif what < 0.68:
            self._rebuild()
        elif what < 0.72:
            self._promote()
        elif what < 0.8:
            self._read()
        elif what < 0.88:
            self._move_the_log()
        elif what < 0.91:
            self._feeding.trouble_a_worker()
        elif what < 0.93:
            self._feeding.look_at_the_pointer()
        elif what < 0.94:
            self._note(self._operators.decide())
        elif what < 0.97:
            self._go_on_dropping()
        else:
            self._feeding.thaw()

    def _read(self) -> None:
        reader = self._rng.choice(self._readers)
        self._note(f"{reader.name} step")
        reader.step()

    def _rebuild(self) -> None:
        """Go on with a rebuild, or begin one: of a new generation, or of one that is there."""
        rng, feeding = self._rng, self._feeding
        if feeding.rebuilds and rng.random() < 0.96:
            if rng.random() < 0.02:
                feeding.trouble_a_rebuild()
            else:
                feeding.step_a_rebuild(self._fault_rate)
            return
        others = [number for number in self._database.lives if number != self._database.pointer.generation]
        asked = rng.choice([None, *others]) if len(self._database.lives) < _GENERATIONS_MAX else rng.choice(others)
        if len(feeding.rebuilds) < 2:
            try:
                feeding.begin_rebuild(asked)
            except NotRebuilt as why:
                self._note(str(why))

    def _promote(self) -> None:
        """Go on with a promote, or begin one."""
        rng = self._rng
        if self._promoter is None:
            others = [number for number in self._database.lives if number != self._database.pointer.generation]
            fed = [rebuild.number for rebuild in self._feeding.rebuilds if rebuild.stage is Stage.FEEDING]
            if others and rng.random() < (0.3 if fed else 0.05):
                self._names += 1
                number = rng.choice(fed or others)
                self._promoter = self._promoter_of(number)
                self._note(f"promote g{number} begins")
            return
        promoter = self._promoter
        if rng.random() < 0.005:
            killed = rng.random() < 0.5
            self._note(f"promote g{promoter.ours.generation} is {'killed' if killed else 'interrupted'}")
            promoter.interrupt(killed=killed)
        else:
            promoter.step()
        if promoter.done:
            self._note(f"promote g{promoter.ours.generation} ends: {promoter.outcome}")
            self._promoter, self._lately = None, _LATELY_STEPS

    def _promoter_of(self, number: int) -> Promoter:
        name = f"promote {self._names}"
        return Promoter(self._database, self._log, number, rng=self._rng, clock=self._clock, name=name)

    def _go_on_dropping(self) -> None:
        """Sometimes a drop is killed on its way, and typed again."""
        rng, database = self._rng, self._database
        if self._drop is None or rng.random() < 0.1:
            marked = [number for number in database.lives if database.is_dropped(number)]
            others = [number for number in database.lives if number != database.pointer.generation]
            if not others or (not marked and rng.random() < 0.6):
                return
            self._drop = Drop(database, rng.choice(marked or others))
        self._note(f"drop g{self._drop.number} step")
        if not self._drop.done:
            self._drop.step()
        if self._drop.done:
            self._drop = None

    def _move_the_log(self) -> None:
        """Archive, forget, split and merge."""
        rng, log = self._rng, self._log
        shard_id = rng.choice(sorted(log.shards))
        what = rng.random()
        if what < 0.55:
            log.archive(shard_id, rng.randint(1, 5))
            self._note(f"{shard_id} is archived up to {log.archived.get(shard_id)}")
        elif what < 0.9:
            self._feeding.trim(shard_id)
        elif len(log.shards) < _SHARDS_MAX:
            self._reshard()

    def _reshard(self) -> None:
        """Split between two sensors, or merge two neighbours."""
        shards = sorted((model.shard for model in self._log.open), key=lambda shard: shard.first_hash_key)
        if len(shards) > 1 and self._rng.random() < 0.4:
            low = self._rng.randrange(len(shards) - 1)
            self._note(f"merge {shards[low].shard_id} and {shards[low + 1].shard_id}")
            self._log.merge(shards[low].shard_id, shards[low + 1].shard_id)
            return
        shard = self._rng.choice(shards)
        keys = [key for key in self._senders.split_places() if shard.first_hash_key < key <= shard.last_hash_key]
        if keys:
            self._note(f"split {shard.shard_id}")
            self._log.split(shard.shard_id, self._rng.choice(keys))

    def left_behind(self) -> str:
        """The log and the tables as text."""
        log = [(shard_id, model.records) for shard_id, model in self._log.shards.items()]
        tables = [
            (number, sorted((shard_id, key, repr(row)) for (shard_id, key), row in life.tables.rows.items()))
            for number, life in self._database.lives.items()
        ]
        return repr((log, tables, self._database.pointer))
