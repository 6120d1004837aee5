"""Who sends, who decides about dead letters, and who drops generations."""

from collections.abc import Sequence
from random import Random

from operations import letters
from telemetry.events import encode_event
from telemetry.letter_marks import LetterMark, LetterPlace, Outcome
from telemetry.reading import Reading
from tests.simulation.generations.log import ModelLog
from tests.simulation.generations.tables import Database
from tests.simulation.model_kinesis import NO_EVENT, home_of
from tests.simulation.simulate import Clock
from tests.simulation.writers import HOUR_US, SENSORS, START_US, TEMPERATURES_MICRO

INSTANTS_US = (0, 1, 500_000, 59_999_999, 1_800_000_000)
"""In an hour: several in one bucket, and another bucket."""


class Senders:
    """Sensors and the producers they send to, at once: readings, repeats, and events in a shard that is not theirs."""

    def __init__(self, log: ModelLog, rng: Random, clock: Clock) -> None:
        self._log, self._rng, self._clock = log, rng, clock
        self._names = SENSORS[: rng.choice((2, 4))]
        self._stray = rng.choice((0, 0.1, 0.3))
        self._sent: list[Reading] = []
        self.acknowledged: set[Reading] = set()

    def send(self) -> str:
        """One record; what was sent, in words."""
        rng = self._rng
        if rng.random() < 0.06:
            self._log.put(f"other {rng.random()}", None, NO_EVENT + b"\n")
            return "somebody else writes"
        reading = (
            rng.choice(self._sent[-4:] if rng.random() < 0.5 else self._sent) if self._sent and rng.random() < 0.4 else None
        )
        reading = reading or self._draw()
        self._sent.append(reading)
        line = encode_event(reading, int(self._clock.now_s * 1_000_000)) + b"\n"
        elsewhere = [model.shard for model in self._log.open if not model.holds(reading)]
        if elsewhere and rng.random() < self._stray:  # by an old map, and the sender dies before it mends that
            shard = rng.choice(elsewhere)
            self._log.put(reading.sensor_id, str(shard.first_hash_key), line)
            return f"{reading} goes astray to {shard.shard_id}"
        self._log.put(reading.sensor_id, None, line)
        if rng.random() < 0.7:
            self.acknowledged.add(reading)
        return f"{reading} is sent"

    def _draw(self) -> Reading:
        rng = self._rng
        at_us = START_US + rng.choice((0, 0, HOUR_US)) + rng.choice(INSTANTS_US)
        return Reading(at_us, rng.choice(self._names), rng.choice(TEMPERATURES_MICRO))

    def split_places(self) -> list[int]:
        """Where a shard may be split: between two sensors."""
        return sorted(map(home_of, self._names))


class Operators:
    """They decide about dead letters of the live generation, by the real `operations/letters.py`."""

    def __init__(self, database: Database, log: ModelLog, rng: Random) -> None:
        self._database, self._log, self._rng = database, log, rng
        self._decided = 0

    def append(self, events: Sequence[tuple[str, bytes]]) -> list[str]:
        """See letters.Writer."""
        receipts = (self._log.put(key, None, line + b"\n") for key, line in events)
        return [f"{receipt.shard_id}:{receipt.sequence_number}" for receipt in receipts]

    def decide(self) -> str:
        """About one letter, or again; in words."""
        if not (kept := self._database.live.kept_letters()):
            return "there are no dead letters"
        place = LetterPlace(*self._rng.choice(kept).origin)
        self._decided += 1
        mark = LetterMark(place, Outcome.DISCARDED, "somebody", f"decision {self._decided}", self._rng.randint(1, 3) * 10**6)
        letters.mark(self, mark)
        return f"{place.text} is discarded"


class Drop:
    """`telemetry drop`: it marks the number, if the pointer names it in no way, and deletes the tables after that."""

    def __init__(self, database: Database, number: int) -> None:
        self._database, self.number = database, number
        self._steps = [self._delete, self._mark]

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return not self._steps

    def step(self) -> None:
        """The next of them."""
        self._steps.pop()()

    def _mark(self) -> None:
        """In one transaction (`projections/register.py`)."""
        if self._database.is_free(self.number):
            self._database.mark_dropped(self.number)
        else:
            self._steps.clear()

    def _delete(self) -> None:
        self._database.delete(self.number)
