"""When faults have stopped: every generation is filled to the log's end, zombies go on, and all must be as the log says."""

import json
from collections.abc import Callable, Sequence
from random import Random

from operations.promoting import Ending
from projections.rows import PROGRESS
from telemetry.letter_marks import LetterPlace
from telemetry.limits import MICRO
from tests.simulation.generations.feeding import Feeding
from tests.simulation.generations.log import ModelLog
from tests.simulation.generations.people import Senders
from tests.simulation.generations.promoter import Promoter
from tests.simulation.generations.readers import Reader
from tests.simulation.generations.rebuild import Stage
from tests.simulation.generations.tables import Database, Life
from tests.simulation.simulate import Clock
from tests.simulation.violation import Violation

STEPS_TO_REST_MAX = 4_000
_IDLE = 0.05
"""Of steps, so many are of workers that have nothing left to do."""


class Rest:
    """Brings a schedule to its end."""

    def __init__(
        self,
        database: Database,
        log: ModelLog,
        senders: Senders,
        feeding: Feeding,
        readers: Sequence[Reader],
        *,
        rng: Random,
        clock: Clock,
    ) -> None:
        self._database, self._log, self._senders, self._feeding, self._readers = database, log, senders, feeding, readers
        self._rng, self._clock = rng, clock

    def come(self, promoter: Promoter | None, note: Callable[[str], None]) -> None:
        """Raises Violation."""
        note("faults end")
        if promoter:
            self._finish(promoter)
        self._take_back()
        for number in [number for number in self._database.lives if self._database.is_dropped(number)]:
            self._database.delete(number)
        self._log.page_records_max = 50
        self._fill_everything()
        note("zombies go on")
        self._run_out()
        self._fill_everything()
        self._check()
        others = [number for number in self._database.lives if number != self._database.pointer.generation]
        if others:
            number = self._rng.choice(others)
            for _ in range(3):  # idle shards say only now and then how far they are
                self._renew()
                note(f"g{number} is promoted")
                last = self._promoter(number)
                self._finish(last)
                if last.outcome and last.outcome.ending is Ending.LIVE:
                    break
            if last.outcome is None or last.outcome.ending is not Ending.LIVE:
                raise Violation(f"g{number} cannot be promoted: {last.outcome}")
        for reader in self._readers:
            reader.check_at_rest(self._log.readings())

    def _renew(self) -> None:
        """All who have nothing to do say so."""
        self._clock.now_s += 11
        self._feeding.start_workers()
        for worker in list(self._feeding.workers):
            for _ in range(30):
                row = worker.life.tables.row(worker.shard_id, PROGRESS)
                if row.as_of_us < (self._clock.now_s - 5) * MICRO and worker in self._feeding.workers:
                    self._feeding.step_worker(worker, 0)

    def _promoter(self, number: int) -> Promoter:
        return Promoter(self._database, self._log, number, rng=self._rng, clock=self._clock, name=f"at the end {number}")

    def _finish(self, promoter: Promoter) -> None:
        promoter.settled = True
        for _ in range(STEPS_TO_REST_MAX):
            if promoter.done:
                return
            self._clock.now_s += 0.05
            promoter.step()
            self._go_on()
        raise Violation("a promote does not come to an end")

    def _take_back(self) -> None:
        """What a promote left behind that was killed: `telemetry promote --take-back`."""
        if coming := self._database.pointer.next:
            left = self._promoter(coming.generation)
            left.take_back()
            self._finish(left)
            if self._database.pointer.next:
                raise Violation(f"{coming} cannot be taken back")

    def _fill_everything(self) -> None:
        """Each generation has consumers of its own until nothing more comes, and what they find astray has come home."""
        for _ in range(STEPS_TO_REST_MAX):
            self._rebuild_others()
            if all(life.leases.is_over(life.flushed) for life in self._database.lives.values()) and not self._filling:
                return
            self._clock.now_s += 0.1
            self._go_on()
        raise Violation("the generations do not come to rest")

    @property
    def _filling(self) -> bool:
        return any(rebuild.stage is not Stage.FEEDING for rebuild in self._feeding.rebuilds)

    def _rebuild_others(self) -> None:
        self._feeding.look_at_the_pointer()
        fed = {self._database.pointer.generation, *(rebuild.number for rebuild in self._feeding.rebuilds)}
        for number in sorted(self._database.lives.keys() - fed):
            self._feeding.begin_rebuild(number)

    def _go_on(self) -> None:
        """One step of somebody who has something to do."""
        feeding, rng = self._feeding, self._rng
        feeding.start_workers()
        if self._filling and rng.random() < 0.4:
            feeding.step_a_rebuild(0)
        if rng.random() < 0.1:
            rng.choice(self._readers).step()
        busy = [worker for worker in feeding.workers if self._has_work(worker.life, worker.shard_id) or worker.asked_to_stop]
        if workers := busy if rng.random() >= _IDLE and not self._database.pointer.next else feeding.workers:
            feeding.step_worker(rng.choice(workers), 0)

    def _has_work(self, life: Life, shard_id: str) -> bool:
        model, leases = self._log.shards[shard_id], life.leases
        if model.shard.closed:
            return shard_id not in leases.ended
        return max(leases.checkpoints.get(shard_id, 0), life.flushed(shard_id)) < model.end

    def _run_out(self) -> None:
        """Those that stood still go on until they find out, or wait for a pointer that will not name their generation."""
        feeding = self._feeding
        feeding.workers += feeding.frozen
        zombies, feeding.frozen = feeding.frozen, []
        for rebuild in feeding.frozen_rebuilds:
            for _ in range(50):
                rebuild.step(troubled=False)
        feeding.frozen_rebuilds = []
        for _ in range(40 * len(zombies)):
            self._clock.now_s += 0.1
            if there := [worker for worker in zombies if worker in feeding.workers]:
                feeding.step_worker(worker := self._rng.choice(there), 0)
                worker.asked_to_stop |= self._rng.random() < 0.1
        for worker in [worker for worker in zombies if worker in feeding.workers]:
            feeding.trouble(worker, "before")

    def _check(self) -> None:
        database = self._database
        for life in database.lives.values():
            life.invariants.check_at_rest(self._senders.acknowledged)
            self._check_letters(life)
        live = database.live.told()
        for number, life in database.lives.items():
            told = life.told()
            for name in sorted(live.keys() | told.keys()):
                if live.get(name) != told.get(name):
                    raise Violation(
                        f"{name} is {told.get(name)} in g{number}, and {live.get(name)} in g{database.pointer.generation}"
                    )

    def _check_letters(self, life: Life) -> None:
        """Every record that is no event is a letter, and of what was decided about it the latest is kept."""
        decided = self._decided()
        found = {LetterPlace(*kept.origin).text: kept for kept in life.kept_letters()}
        lines = {f"{shard_id}:{number}:0" for shard_id, model in self._log.shards.items() for number in model.refused}
        if lines != {place for place, kept in found.items() if kept.letter}:
            raise Violation(f"g{life.number} has letters {sorted(found)}, and the log {sorted(lines)}")
        for place, kept in found.items():
            because = kept.mark.because if kept.mark else None
            if because not in decided.get(place, {None}):
                raise Violation(f"g{life.number} says that {place} was decided as {because}, not {decided.get(place)}")

    def _decided(self) -> dict[str, set[str]]:
        """The latest decisions about each letter, by the standard library; of one moment there may be several."""
        found: dict[str, list[tuple[str, str]]] = {}
        for model in self._log.shards.values():
            for record in model.records:
                if b"dead-letter.marked" in record.data:
                    event = json.loads(record.data)
                    found.setdefault(event["subject"], []).append((event["time"], event["data"]["because"]))
        return {place: {text for at, text in each if at == max(each)[0]} for place, each in found.items()}
