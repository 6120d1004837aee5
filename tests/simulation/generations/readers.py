"""Readers: processes of the API that follow the pointer, and what no client may be told after another."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from projections.fleet import FleetReader
from projections.fold import Stats
from projections.generations import POINTER_KEPT_S_MAX, Pointer
from projections.marks import Answer
from projections.ranges import sensor_total
from projections.reads import Reads
from telemetry.reading import Reading
from tests.simulation.generations.bugs import Bug, Bugs
from tests.simulation.generations.tables import Database, Life
from tests.simulation.model_dynamodb import Halfway
from tests.simulation.readers import ModelReads
from tests.simulation.simulate import Clock
from tests.simulation.violation import Violation
from tests.simulation.writers import SENSORS

READ_S_MAX = 2.0
"""A read that takes longer is given up (`producer_api/shared.py`)."""


@dataclass
class Told:
    """What anybody was told."""

    counts: dict[str, int] = field(default_factory=dict)
    """The largest count so far, by question."""


class Reader:
    """A process of the API, which keeps a pointer as `LiveNames` does, and a client who compares with what anybody was told."""

    def __init__(self, name: str, database: Database, told: Told, *, rng: Random, clock: Clock, bugs: Bugs) -> None:
        self.name = name
        self._database, self._told, self._rng, self._clock, self._bugs = database, told, rng, clock, bugs
        self._sensor_id = rng.choice((None, None, rng.choice(SENSORS)))
        self._fleet = FleetReader()
        self._life: Life | None = None
        self._pointer: Pointer | None = None
        self._pointer_s = 0.0
        self._answer = -1
        self._begin()

    def _begin(self) -> None:
        self._floor = self._told.counts.get(self._sensor_id or "", 0)
        self._began_s = self._clock.now_s
        self._question: Callable[[Reads], Any] | None = None

    def step(self) -> None:
        """Read the pointer, or one more item, or several."""
        if self._clock.now_s - self._began_s > READ_S_MAX:
            self._begin()
        if self._question is None:
            self._read_pointer()
            return
        assert self._life
        if self._database.lives.get(self._life.number) is not self._life:
            self._begin()  # the tables are gone, and the client is told so
            return
        try:
            answer = self._question(self._reads)
        except Halfway:
            return
        try:
            self._question = self._steps.send(answer)
        except StopIteration as done:
            self._check(done.value)
            self._begin()

    def check_at_rest(self, readings: set[Reading]) -> None:
        """Asked once more, it hears of everything."""
        asked = [one for one in readings if self._sensor_id in {None, one.sensor_id}]
        self._begin()
        self._answer = -1
        while self._answer < 0:
            self.step()
        if self._answer != len(asked):
            raise Violation(f"{self.name} was told {self._answer} of {self._sensor_id or 'all'}, not {len(asked)}")

    def _read_pointer(self) -> None:
        keeps = self._pointer is not None and (self._pointer.next is None or Bug.A_POINTER_IS_CACHED in self._bugs)
        if self._pointer is None or not keeps or self._clock.now_s - self._pointer_s >= POINTER_KEPT_S_MAX:
            before, self._pointer, self._pointer_s = self._pointer, self._database.pointer, self._clock.now_s
            if before != self._pointer:  # rows that are final in one generation say nothing in another
                self._fleet = FleetReader()
        if (life := self._database.lives.get(self._pointer.generation)) is None:
            self._begin()
            return
        self._life = life
        self._reads = ModelReads(life.tables, self._rng)
        self._steps = self._fleet.total() if self._sensor_id is None else sensor_total(self._fleet, self._sensor_id)
        self._question = next(self._steps)

    def _check(self, answer: Answer[Stats]) -> None:
        count, question = answer.value.count, self._sensor_id or ""
        self._answer = count
        if count < self._floor:
            what = f"the count of {question or 'all'}"
            raise Violation(
                f"{self.name} was told {what} is {count} by g{self._life and self._life.number}, and was {self._floor}"
            )
        self._told.counts[question] = max(count, self._told.counts.get(question, 0))
