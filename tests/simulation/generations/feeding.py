"""Who fills generations: consumers of the live one, rebuilds and their own consumers, and those that stood still."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from consumer.following import Following
from operations.promoting import Standing
from projections.generations import Pointer
from tests.simulation.generations.bugs import Bugs
from tests.simulation.generations.log import ModelLog, Trimmed
from tests.simulation.generations.rebuild import Rebuild, Stage, is_past, passed
from tests.simulation.generations.tables import Database, GenerationStores, Life, TablesGone
from tests.simulation.generations.workers import GenerationWorker
from tests.simulation.model_dynamodb import Halfway
from tests.simulation.simulate import Clock

_TROUBLES = ("before", "halfway", "after", "steal", *(4 * ["freeze"]), "stop")


class Feeding:
    """All processes that write into generations. `note` is told what happens."""

    def __init__(
        self, database: Database, log: ModelLog, *, rng: Random, clock: Clock, bugs: Bugs, note: Callable[[str], None]
    ) -> None:
        self._database, self._log, self._rng, self._clock, self._bugs, self._note = database, log, rng, clock, bugs, note
        self.workers: list[GenerationWorker] = []
        self.frozen: list[GenerationWorker] = []
        """Stopped, their leases taken, until they go on far behind."""
        self.rebuilds: list[Rebuild] = []
        self.frozen_rebuilds: list[Rebuild] = []
        self._followed = 1
        """What the supervisor of the live generation's consumers has seen to be live."""
        self._standing = Standing()
        self._left: Pointer | None = None
        """The pointer with a mark that it is about to take away: until it does, anything may happen."""
        self._names = 0

    def start_workers(self) -> None:
        """Of the supervisor and of rebuilds, for shards that have none."""
        lives = self._database.lives
        if self._followed in lives:
            self._start_workers_of(lives[self._followed], pinned=False)
        for rebuild in self.rebuilds:
            if rebuild.stage is Stage.FEEDING and lives.get(rebuild.number) is rebuild.life:
                self._start_workers_of(rebuild.life, pinned=True)

    def _start_workers_of(self, life: Life, *, pinned: bool) -> None:
        for shard in life.leases.available():
            self._names += 1
            name = f"worker {self._names}"
            life.leases.begin_at(shard, pinned=pinned)
            life.leases.owners[shard.shard_id] = name
            following = Following(lambda: self._database.pointer, life.number, pinned=pinned, clock_s=self._clock, sleep=_sleep)
            stores = GenerationStores(self._database, life.number, self._log, self._rng, self._bugs)
            self.workers.append(
                GenerationWorker(
                    name,
                    shard,
                    life,
                    stores=stores,
                    following=following,
                    rng=self._rng,
                    clock=self._clock,
                    log=self._log,
                    pinned=pinned,
                )
            )
            self._note(f"{name} of g{life.number} takes {shard.shard_id} at {life.leases.checkpoints[shard.shard_id]}")

    def step_a_worker(self, fault_rate: float) -> None:
        """Any of them."""
        if self.workers:
            self.step_worker(self._rng.choice(self.workers), fault_rate)

    def step_worker(self, worker: GenerationWorker, fault_rate: float) -> None:
        """One question of one worker."""
        troubled = self._rng.random() < fault_rate
        self._note(f"{worker.name} of g{worker.life.number} {worker.shard_id} step{' halfway' * troubled}")
        try:
            worker.step(troubled=troubled)
        except (TablesGone, Trimmed) as why:
            self._note(f"{worker.name} dies: {why!r}")
            self._forget(worker)
        else:
            if worker.done:
                self._forget(worker)

    def _forget(self, worker: GenerationWorker) -> None:
        self.workers.remove(worker)
        self._release(worker)

    def _release(self, worker: GenerationWorker) -> None:
        owners = worker.life.leases.owners
        if owners.get(worker.shard_id) == worker.name:
            del owners[worker.shard_id]

    def trouble_a_worker(self) -> None:
        """Crash, theft of the lease, a long pause, or an orderly stop."""
        if self.workers:
            self.trouble(self._rng.choice(self.workers), self._rng.choice(_TROUBLES))

    def trouble(self, worker: GenerationWorker, what: str) -> None:
        """One of the troubles."""
        self._note(f"{worker.name} of g{worker.life.number} {worker.shard_id} {what}")
        if what == "stop":
            worker.asked_to_stop = True
        elif what in {"steal", "freeze"}:
            worker.is_zombie = True
            self._release(worker)
            if what == "freeze":
                self.workers.remove(worker)
                self.frozen.append(worker)
        else:
            worker.die(what)
            self._forget(worker)

    def thaw(self) -> None:
        """Who stood still goes on beside those who have its work."""
        if self.frozen and self._rng.random() < 0.7:
            self.workers.append(worker := self.frozen.pop(self._rng.randrange(len(self.frozen))))
            self._note(f"{worker.name} of g{worker.life.number} {worker.shard_id} goes on")
        elif self.frozen_rebuilds:
            rebuild = self._rng.choice(self.frozen_rebuilds)
            self._note(f"a rebuild of g{rebuild.number} goes on for a while")
            for _ in range(self._rng.randint(1, 8)):
                rebuild.step(troubled=False)
            if rebuild.stage is not Stage.FILLING:
                self.frozen_rebuilds.remove(rebuild)

    def look_at_the_pointer(self) -> None:
        """The supervisor does, and kills its workers where another generation is live. A mark left behind it takes away."""
        if left := self._left:
            self._note(f"the supervisor takes back {left.next}")
            if self._database.pointer.next == left.next:
                self._database.pointer = replace(self._database.pointer, next=None)
        pointer = self._database.pointer
        self._left = pointer if self._standing.left(pointer.next, self._clock.now_s) else None
        live = pointer.generation
        if live != self._followed:
            self._note(f"the supervisor follows the pointer to g{live}")
            self._followed = live
        for worker in [worker for worker in self.workers if not worker.pinned and worker.life.number != live]:
            self.trouble(worker, self._rng.choice(("before", "after", "freeze")))

    def begin_rebuild(self, asked: int | None) -> None:
        """Raises NotRebuilt."""
        rebuild = Rebuild(self._database, self._log, asked, self._is_fed, rng=self._rng, clock=self._clock, bugs=self._bugs)
        self._note(f"a rebuild of g{rebuild.number} begins")
        self.rebuilds.append(rebuild)

    def step_a_rebuild(self, fault_rate: float) -> None:
        """Any of them; one whose generation is live leaves it to others sooner or later."""
        rebuild = self._rng.choice(self.rebuilds)
        if rebuild.stage is Stage.LOOKING:
            self._clock.now_s += 2.5
        if rebuild.stage is Stage.FEEDING and rebuild.number == self._database.pointer.generation and self._rng.random() < 0.1:
            rebuild.stage = Stage.OVER
            self._note(f"the rebuild of g{rebuild.number} leaves")
        else:
            before = rebuild.stage
            rebuild.step(troubled=self._rng.random() < fault_rate)
            if rebuild.stage is not before or rebuild.stage is Stage.FILLING:
                self._note(f"the rebuild of g{rebuild.number} is {rebuild.stage.name.lower()}")
        if rebuild.stage is Stage.OVER:
            self.rebuilds.remove(rebuild)
            self._end_workers_of(rebuild, ("before", "after", "freeze", "stop"))

    def trouble_a_rebuild(self) -> None:
        """It is killed, or stands still while others go on."""
        rebuild = self._rng.choice(self.rebuilds)
        self._note(f"the rebuild of g{rebuild.number} is killed or stands still")
        self.rebuilds.remove(rebuild)
        if rebuild.stage is Stage.FILLING and self._rng.random() < 0.6:
            self.frozen_rebuilds.append(rebuild)
        self._end_workers_of(rebuild, ("before", "after", "freeze"))

    def _end_workers_of(self, rebuild: Rebuild, how: tuple[str, ...]) -> None:
        """Its consumer ends with it, unless another rebuild has one for that generation."""
        if any(other.life is rebuild.life and other.stage is Stage.FEEDING for other in self.rebuilds if other is not rebuild):
            return
        for worker in [worker for worker in self.workers if worker.pinned and worker.life is rebuild.life]:
            worker.is_zombie = True
            self.trouble(worker, self._rng.choice(how))

    def _is_fed(self, number: int) -> bool:
        return any(worker.life.number == number and not worker.is_zombie for worker in self.workers)

    def trim(self, shard_id: str) -> None:
        """What is archived, and nobody who is at work needs any more, leaves the stream, or not all of it."""
        life = self._database.live
        bounds = [passed(self._log, life, shard_id, leased=True), *(one.passed(shard_id) for one in self.rebuilds)]
        records = min(bounds) if self._rng.random() < 0.7 else self._rng.randint(0, min(bounds))
        before = self._log.trimmed.get(shard_id, 0)
        expires = is_past(life, shard_id, leased=True) and all(one.is_past(shard_id) for one in self.rebuilds)
        self._log.trim(shard_id, records, expires=expires)
        if self._log.trimmed[shard_id] != before:
            self._note(f"{self._log.trimmed[shard_id]} records of {shard_id} have left the stream")


def _sleep(_: float) -> None:
    raise Halfway
