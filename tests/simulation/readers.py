"""Readers: the real read model, asking item by item while workers go on, and what no answer may ever say."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from random import Random
from typing import Any

from projections.effects import Steps
from projections.fleet import FleetReader
from projections.fold import Stats
from projections.marks import Answer
from projections.packs import Pack, bounds
from projections.ranges import fleet_between, sensor_between, sensor_total
from projections.reads import Listing, Page, Reads, Silence
from projections.rows import Row, RowKey, directory_scope
from projections.sensors import SensorPage, sensors, silent_sensors
from telemetry.reading import Reading
from tests.simulation.model_dynamodb import Halfway, ModelTables
from tests.simulation.model_kinesis import ModelKinesis
from tests.simulation.violation import Violation
from tests.simulation.writers import HOUR_US, SENSORS, START_US
from tests.support.oracle import expected_fold, without_repeats

FROM_US, UNTIL_US = START_US - 2 * HOUR_US, START_US + 27 * HOUR_US
"""A stretch that holds all readings, in minutes, hours and days."""
_LIMIT = 2


class ModelReads:
    """A reader's client: it sees one item after the other, and between two of them anything may happen."""

    def __init__(self, tables: ModelTables, rng: Random) -> None:
        self._tables = tables
        self._rng = rng
        self._found: dict[Any, Any] = {}
        self._answers: list[Any] = []
        """Of questions that were asked at once, those that have been answered."""
        self.settled = False
        """Nothing happens between two items any more."""

    def rows(self, keys: Collection[tuple[str, RowKey]]) -> Mapping[tuple[str, RowKey], Row]:
        """BatchGetItem."""
        for key in sorted(keys):
            if key not in self._found:
                self._found[key] = self._tables.rows.get(key)
                self._pause()
        return {key: row for key, row in self._take().items() if row}

    def rows_between(self, scope: str, first: str, last: str, most: int | None = None) -> Sequence[tuple[str, Row]]:
        """Query, in the order of the keys as they are when it comes to them."""
        while True:
            seen = max(self._found, default="")
            rows = (
                (f"{key.window}#{shard}", shard, row) for (shard, key), row in self._tables.rows.items() if key.scope == scope
            )
            following = [one for one in rows if one[0] > seen and first <= one[2].key.window <= last]
            if not following:
                return list(self._take().values())[:most]
            text, shard, row = min(following)[:3]
            self._found[text] = (shard, row)
            self._pause()

    def packs_between(self, sensor_id: str, first: str, last: str, most: int, *, newest_first: bool = False) -> Sequence[Pack]:
        """Query."""
        packs = (pack for pack in self._tables.packs.values() if pack.bucket.sensor_id == sensor_id)
        found = (pack for pack in packs if first <= pack.bucket.time <= last)
        return sorted(found, key=bounds, reverse=newest_first)

    def sensors(self, scope: str, after: str, prefix: str, limit: int) -> Page[Listing]:
        """Query of the directory."""
        found = sorted(one for one in self._listings(scope) if one.sensor_id > after and one.sensor_id.startswith(prefix))
        return Page(found[:limit], len(found) > limit)

    def silent(self, scope: str, after: Silence | None, limit: int) -> Page[Silence]:
        """Query of the directory's index."""
        found = sorted(Silence(one.seen_s, one.sensor_id) for one in self._listings(scope))
        rest = found[bisect_right(found, after) if after else 0 :]
        return Page(rest[:limit], len(rest) > limit)

    def listings(self, sensor_ids: Collection[str]) -> Mapping[str, Listing]:
        """BatchGetItem of the directory."""
        found = self._tables.directory
        return {sensor_id: Listing(sensor_id, *found[sensor_id]) for sensor_id in sensor_ids if sensor_id in found}

    def at_once[T](self, questions: Sequence[Callable[[Reads], T]]) -> Sequence[T]:
        """On threads: between any two of the answers anything may happen."""
        if questions:
            self._answers.append(questions[len(self._answers)](self))
        if len(self._answers) < len(questions):
            raise Halfway
        answers, self._answers = self._answers, []
        return answers

    def _listings(self, scope: str) -> list[Listing]:
        return [Listing(key, *value) for key, value in self._tables.directory.items() if directory_scope(key) == scope]

    def _take(self) -> dict[Any, Any]:
        found, self._found = self._found, {}
        return found

    def _pause(self) -> None:
        if not self.settled and self._rng.random() < 0.4:
            raise Halfway


type Question = Callable[[FleetReader], Steps[Answer[Any], Reads]]


def _everything(fleet: FleetReader) -> Steps[Answer[Stats], Reads]:
    return fleet.total()


def _history(fleet: FleetReader) -> Steps[Answer[Stats], Reads]:
    return fleet_between(fleet, FROM_US, UNTIL_US)


def _sensor(sensor_id: str) -> Question:
    return lambda fleet: sensor_total(fleet, sensor_id)


def _sensor_history(sensor_id: str) -> Question:
    return lambda fleet: sensor_between(fleet, sensor_id, FROM_US + 1, UNTIL_US - 1)


def _by_id(fleet: FleetReader) -> Steps[Answer[SensorPage[str]], Reads]:
    return sensors(fleet, limit=100)


def _by_silence(fleet: FleetReader) -> Steps[Answer[SensorPage[Silence]], Reads]:
    return silent_sensors(fleet, limit=100)


class Reader:
    """Somebody who asks one question again and again, and lives on what has not changed."""

    def __init__(self, name: str, tables: ModelTables, kinesis: ModelKinesis, rng: Random) -> None:
        self.name = name
        self._kinesis = kinesis
        self._reads = ModelReads(tables, rng)
        sensor_id = rng.choice(SENSORS)
        questions: list[tuple[str | None, Question]] = [
            (None, _everything),
            (None, _everything),
            (None, _history),
            (sensor_id, _sensor(sensor_id)),
            (sensor_id, _sensor_history(sensor_id)),
            (None, _by_id),
            (None, _by_silence),
        ]
        self._sensor_id, self._ask = rng.choice(questions)
        self._fleet = FleetReader()
        self._count = 0
        self._held: dict[str, Any] = {}
        """Answers by their ETags."""
        self._answer: Answer[Any] | None = None
        self._steps = self._ask(self._fleet)
        self._question: Callable[[Reads], Any] = next(self._steps)

    def step(self) -> None:
        """See one more item, or several."""
        try:
            answer = self._question(self._reads)
        except Halfway:
            return
        try:
            self._question = self._steps.send(answer)
        except StopIteration as done:
            self._check(done.value)
            self._answer = done.value
            self._begin()

    def check_at_rest(self) -> None:
        """Asked once more, it hears of everything."""
        self._reads.settled = True
        for _ in range(2):  # the answer that was under way, and a new one
            answer = self._next_answer()
        self._reads.settled = False
        self._compare(answer.value, self._readings(lambda *_: True))
        for shard_id, model in self._kinesis.shards.items():
            if model.end and not answer.marks.holds(shard_id, model.end):
                raise Violation(f"{self.name} is not told that {shard_id} is counted up to {model.end}, but {answer.marks}")

    def _next_answer(self) -> Answer[Any]:
        self._answer = None
        while self._answer is None:
            self.step()
        return self._answer

    def _begin(self) -> None:
        self._steps = self._ask(self._fleet)
        self._question = next(self._steps)

    def _check(self, answer: Answer[Any]) -> None:
        count = _count(answer.value)
        if count < self._count:
            raise Violation(f"{self.name} was told {self._count}, and then {count}")
        self._count = count
        held = self._held.setdefault(answer.etag(self.name), answer.value)
        if held != answer.value:
            raise Violation(f"{self.name} would keep {held}, which is {answer.value} by now")
        marks = answer.marks
        vouched = self._readings(lambda shard_id, position: bool(marks.holds(shard_id, position)))
        if count < len(vouched):
            raise Violation(f"{self.name} was told {count}, but the marks vouch for {len(vouched)}")
        if self._ask is _everything:
            self._compare(answer.value, vouched)

    def _readings(self, held: Callable[[str, int], bool]) -> set[Reading]:
        """What the log brought first at places that are held, and is asked about."""
        return {
            reading
            for reading, first in self._kinesis.firsts.items()
            if held(first.shard_id, first.sequence_number) and self._sensor_id in {None, reading.sensor_id}
        }

    def _compare(self, value: Any, readings: set[Reading]) -> None:
        if isinstance(value, SensorPage):
            found = {one.sensor_id: without_repeats(one.stats) for one in value.sensors}
            by_sensor: dict[str, list[Reading]] = {}
            for reading in readings:
                by_sensor.setdefault(reading.sensor_id, []).append(reading)
            expected = {sensor_id: expected_fold(each) for sensor_id, each in by_sensor.items()}
            if found != expected or len(found) != len(value.sensors):
                raise Violation(f"{self.name} was told {found}, not {expected}")
        elif without_repeats(value) != (expected_one := expected_fold(readings) if readings else Stats()):
            raise Violation(f"{self.name} was told {value}, not {expected_one}")


def _count(value: Any) -> int:
    return sum(one.stats.count for one in value.sensors) if isinstance(value, SensorPage) else value.count
