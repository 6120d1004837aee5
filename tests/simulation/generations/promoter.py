"""A promote: the real `operations/promoting.py`, one question at a time."""

from collections.abc import Collection
from contextlib import suppress
from random import Random
from typing import Any

from operations.lacking import Progress
from operations.promoting import Asked, Outcome, promote, take_back
from projections.effects import Question
from projections.generations import Next, Pointer
from projections.rows import PROGRESS
from tests.simulation.generations.log import ModelLog
from tests.simulation.generations.tables import Database
from tests.simulation.model_dynamodb import Halfway
from tests.simulation.simulate import Clock

_LOST_ANSWERS = 0.2


class Promoter:
    """A process. It is its own world: see `promoting.World`."""

    def __init__(self, database: Database, log: ModelLog, number: int, *, rng: Random, clock: Clock, name: str) -> None:
        self._database, self._log, self._rng, self._clock = database, log, rng, clock
        self.ours = Next(number, "then", name)
        self.outcome: Outcome | None = None
        self._steps = promote(Asked(self.ours))
        self._question: Question[Any] | None = next(self._steps)
        self._until_s: float | None = None
        self._found: dict[str, Any] = {}
        self.settled = False
        """Nothing happens in the middle of a question, and no answer is lost."""

    @property
    def done(self) -> bool:
        """Whether it has come to an end, or died."""
        return self._question is None

    def step(self) -> None:
        """Ask one question, or wait."""
        assert self._question
        try:
            answer = self._question(self)
        except Halfway:
            return
        try:
            self._question = self._steps.send(answer)
        except StopIteration as ended:
            self._question, self.outcome = None, ended.value

    def interrupt(self, *, killed: bool) -> None:
        """It is killed at the open question, or asked to stop: then it takes its mark off the pointer."""
        if self._question and self._rng.random() < 0.5:
            with suppress(Halfway):
                self._question(self)
        self._steps.close()
        self._question, self._until_s, self._found = None, None, {}
        if not killed:
            self.take_back(self.ours)

    def take_back(self, ours: Next | None = None) -> None:
        """Take the mark off the pointer, ours or whoever's it is."""
        self._steps = take_back(ours)
        self._question = next(self._steps)

    def pointer(self) -> Pointer:
        """The pointer as it is."""
        return self._database.pointer

    def replace(self, known: Pointer, pointer: Pointer) -> bool:
        """On condition that it still is the one that is known."""
        done = self._database.replace(known, pointer)
        # The answer was lost, and the client's second try was refused.
        return done and (self.settled or self._rng.random() >= _LOST_ANSWERS)

    def progress(self, generation: int) -> Progress | None:
        """Row by row."""
        life = self._database.lives.get(generation)
        if life is None or self._database.is_dropped(generation):
            self._found = {}
            return None
        while True:
            rest = sorted(shard_id for shard_id in life.progress() if shard_id > max(self._found, default=""))
            if not rest:
                found, self._found = self._found, {}
                return found
            self._found[rest[0]] = life.tables.row(rest[0], PROGRESS)
            if not self.settled and self._rng.random() < 0.2:
                raise Halfway

    def listed(self) -> Collection[str]:
        """The shards that the stream lists."""
        return self._log.listed()

    def now_s(self) -> float:
        """The clock."""
        return self._clock.now_s

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        if self._until_s is None:
            self._until_s = self._clock.now_s + seconds
        if self._clock.now_s < self._until_s:
            raise Halfway
        self._until_s = None

    def say(self, text: str) -> None:
        """Nobody listens."""
