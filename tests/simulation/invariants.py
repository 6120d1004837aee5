"""What must hold at every checkpoint, whenever a progress row moves, and when everything has come to rest.

Worked out from the log's lines by sorting and counting (`tests/support/oracle.py`), not by fold, merge or ladder.
"""

from collections import Counter
from collections.abc import Mapping

from projections.fold import Stats, merge
from projections.packs import bucket_of
from projections.rows import FLEET, PROGRESS, TOTAL, Mark, Row, RowKey, row_keys, sensor_of
from projections.sheets import EMPTY, Sheet
from telemetry.reading import Reading
from tests.simulation.model_dynamodb import ModelTables
from tests.simulation.model_kinesis import First, Line, ModelKinesis, ModelShard
from tests.simulation.violation import Violation
from tests.support.oracle import expected_seen_s, expected_sheets, expected_stats, merged_sheet, without_repeats


class Invariants:
    """Watches one stream and its tables. Each mark remembers how far it was checked, so each line is looked at once a mark."""

    def __init__(self, kinesis: ModelKinesis, expected: "dict[tuple[str, int], _Expected] | None" = None) -> None:
        """`expected` is shared by all who watch tables of one stream: what they must say is the same."""
        self._kinesis = kinesis
        self._checked: dict[tuple[str, str], int] = {}
        self._expected = {} if expected is None else expected
        """By shard and position: what lies before a position never changes."""
        self._right: dict[tuple[str, RowKey], Row] = {}
        """Rows that were looked at."""
        self._rested = -1
        self.tables = ModelTables(self._progress_moved)

    def checkpoint_moved(self, shard_id: str, position: int) -> None:
        """All up to a checkpoint is durable everywhere."""
        self._check("checkpoint", shard_id, position)

    def _progress_moved(self, shard_id: str, row: Row) -> None:
        self._check("flushed", shard_id, row.progress.flushed.position)
        self._check("windows", shard_id, row.progress.windows.position)
        self._check("position", shard_id, row.position)
        model = self._kinesis.shards[shard_id]
        self._check_progress(model, row)
        for mark in (row.mark, row.progress.windows, row.progress.flushed):
            _check_time(f"{shard_id} {row.key}", model, mark)

    def _check(self, mark: str, shard_id: str, position: int) -> None:
        model = self._kinesis.shards[shard_id]
        if position and all(record.sequence_number != position for record in model.records):
            raise Violation(f"{mark} of {shard_id} is {position}, where no record is")
        checked = self._checked.get((mark, shard_id), 0)
        for line in model.lines:
            if checked < line.sequence_number <= position:
                self._check_line(mark, model, line)
        self._checked[mark, shard_id] = max(checked, position)

    def _check_line(self, mark: str, model: ModelShard, line: Line) -> None:
        where = f"{mark} of {model.shard.shard_id} passes {line}"
        if not model.holds(line.reading):
            if mark == "checkpoint" and line.reading not in self._kinesis.firsts:
                raise Violation(f"{where}, which was not sent home")
            return
        if mark in {"checkpoint", "flushed"} and line.reading not in self.tables.readings:
            raise Violation(f"{where}, which is not among the raw readings")
        if self._kinesis.firsts[line.reading][:3] != (model.shard.shard_id, line.sequence_number, line.number):
            return
        for key in row_keys(line.reading):
            vouched = {"position": key == PROGRESS, "windows": key.scope == FLEET}.get(mark, True)
            if vouched and self.tables.row(model.shard.shard_id, key).position < line.sequence_number:
                raise Violation(f"{where}, which is not in {key}")

    def _check_progress(self, model: ModelShard, row: Row) -> None:
        """What the fleet's total says beside stats, at its position."""
        shard_id, position = model.shard.shard_id, row.position
        refused = sum(number <= position for number in model.refused)
        if sum(row.progress.refusals) != refused:
            raise Violation(f"{shard_id} at {position} says {row.progress.refusals} were refused, not {refused}")
        births = sum(first.shard_id == shard_id and first.sequence_number <= position for first in self._births().values())
        if row.progress.sensors != births:
            raise Violation(f"{shard_id} at {position} says {row.progress.sensors} new sensors, not {births}")

        if row.progress.hash_range not in {None, (model.shard.first_hash_key, model.shard.last_hash_key)}:
            raise Violation(f"{shard_id} says it holds {row.progress.hash_range}")

    def _births(self) -> Mapping[str, First]:
        """What first brought each sensor."""
        births: dict[str, First] = {}
        for reading, first in self._kinesis.firsts.items():
            known = births.setdefault(reading.sensor_id, first)
            if first.sequence_number < known.sequence_number:
                births[reading.sensor_id] = first
        return births

    def check_rows(self) -> None:
        """At any moment: each row is the fold of its shard's log up to its own position, which is not past the total's."""
        for (shard_id, key), row in self.tables.rows.items():
            if self._right.get((shard_id, key)) is row:
                continue
            if row.position > (total := self.tables.row(shard_id, PROGRESS).position):
                raise Violation(f"{shard_id} {key} is at {row.position}, ahead of the total, which is at {total}")
            if (expected := self._expected.get((shard_id, row.position))) is None:
                expected = self._expected[shard_id, row.position] = _Expected(self._kinesis, shard_id, row.position)
            expected.check(shard_id, key, row)
            self._right[shard_id, key] = row

    def check_at_rest(self, acknowledged: set[Reading]) -> None:
        """The tables equal the fold of the distinct readings in the log."""
        log = self._kinesis.readings()
        if lost := acknowledged - log:
            raise Violation(f"acknowledged, and not in the log: {lost}")
        stored = self.tables.readings
        if stored != log:
            raise Violation(f"raw readings lack {log - stored}, and have too many {stored - log}")
        if self._rested == self.tables.changes:
            return
        self._rested = self.tables.changes
        self._check_packs()
        stats: dict[RowKey, list[Stats]] = {}
        sheets: dict[RowKey, list[Sheet]] = {}
        for key, row in ((row.key, row) for row in (*self.tables.rows.values(), *self.tables.moved)):
            if key.is_sheet:
                sheets.setdefault(key, []).append(row.sheet)
            else:
                stats.setdefault(key, []).append(without_repeats(row.stats))
        found = {key: merge(each) for key, each in stats.items()}
        _compare({key: each for key, each in found.items() if each.count}, expected_stats(log))
        _compare({key: merged_sheet(each) for key, each in sheets.items()}, expected_sheets(log))
        self._check_directory()
        self.check_rows()

    def _check_directory(self) -> None:
        expected: dict[str, tuple[int, frozenset[str]]] = {}
        for reading, first in self._kinesis.firsts.items():
            seen_s = _seen_s(reading, first)
            known_s, shards = expected.get(reading.sensor_id, (seen_s, frozenset()))
            expected[reading.sensor_id] = max(known_s, seen_s), shards | {first.shard_id}
        _compare(self.tables.directory, expected)

    def _check_packs(self) -> None:
        """A pack holds exactly what its shard was the first to bring to its bucket, between its bounds."""
        for pack in self.tables.packs.values():
            expected = [
                (first.sequence_number, first.line, reading)
                for reading, first in self._kinesis.firsts.items()
                if first.shard_id == pack.shard_id
                and bucket_of(reading) == pack.bucket
                and pack.first <= (first.sequence_number, first.line) <= pack.last
            ]
            if pack.readings != tuple(reading for *_, reading in sorted(expected)):
                raise Violation(f"{pack} should hold {sorted(expected)}")


class _Expected:
    """What the rows of a shard must say at a position."""

    def __init__(self, kinesis: ModelKinesis, shard_id: str, position: int) -> None:
        self._firsts = {
            reading: first
            for reading, first in kinesis.firsts.items()
            if first.shard_id == shard_id and first.sequence_number <= position
        }
        self._stats = expected_stats(self._firsts)
        self._sheets = expected_sheets(self._firsts)
        self._model = model = kinesis.shards[shard_id]
        past = _ancestors(kinesis, shard_id)
        self._past = [reading for reading, first in kinesis.firsts.items() if first.shard_id in past]
        lines = [line for line in model.lines if line.sequence_number <= position and model.holds(line.reading)]
        self._lines = Counter(line.reading.sensor_id for line in lines)

    def check(self, shard_id: str, key: RowKey, row: Row) -> None:
        """Raises Violation when a row is not what it must be."""
        where = f"{shard_id} {key} at {row.position}"
        _check_time(where, self._model, row.mark)
        if key.is_sheet:
            expected_sheet = self._sheets.get(key, EMPTY)
            if row.sheet != expected_sheet:
                raise Violation(f"{where} is {row.sheet}, not {expected_sheet}")
            return
        expected = self._stats.get(key, Stats())
        if without_repeats(row.stats) != expected:
            raise Violation(f"{where} is {row.stats}, not {expected}")
        if row.stats.duplicates != self._repeats(key):
            raise Violation(f"{where} says {row.stats.duplicates} repeats, not {self._repeats(key)}")
        if key.scope != FLEET:
            self._check_past(where, key, row.sensor.past_us)
            if key.window == TOTAL:
                self._check_sensor(where, sensor_of(key), row)

    def _repeats(self, key: RowKey) -> int:
        """Totals count the lines that brought nothing new; windows do not."""
        if key.window != TOTAL:
            return 0
        if key == PROGRESS:
            return self._lines.total() - len(self._firsts)
        sensor_id = sensor_of(key)
        return self._lines[sensor_id] - sum(reading.sensor_id == sensor_id for reading in self._firsts)

    def _check_past(self, where: str, key: RowKey, past_us: int) -> None:
        """What came of its window through the shards before this one: no less, and no more than the ten minutes allow."""
        newest = max((one for one in self._past if key in row_keys(one)), default=None)
        if newest is None and past_us != -1:
            raise Violation(f"{where} has a past at {past_us}, and parents had none")
        if newest and not newest.measured_at_us <= past_us <= bucket_of(newest).last_us:
            raise Violation(f"{where} has its past at {past_us}, where parents had {newest}")

    def _check_sensor(self, where: str, sensor_id: str, row: Row) -> None:
        firsts = {reading: first for reading, first in self._firsts.items() if reading.sensor_id == sensor_id}
        seen_s = max((_seen_s(reading, first) for reading, first in firsts.items()), default=None)
        if row.sensor.seen_s != seen_s:
            raise Violation(f"{where} is {row.sensor}, not seen {seen_s}")


def _check_time(where: str, model: ModelShard, mark: Mark) -> None:
    """Nothing that came before a mark's time lies beyond its position."""
    beyond = [one for one in model.records if one.sequence_number > mark.position and one.arrived_at_ms * 1000 < mark.as_of_us]
    if beyond:
        raise Violation(f"{where} at {mark} does not cover {beyond[0]}")


def _ancestors(kinesis: ModelKinesis, shard_id: str) -> set[str]:
    parents = kinesis.shards[shard_id].shard.parents
    return {*parents, *(one for parent in parents for one in _ancestors(kinesis, parent))}


def _seen_s(reading: Reading, first: First) -> int:
    return expected_seen_s(reading.sensor_id, min(reading.measured_at_us, first.arrived_at_ms * 1000))


def _compare[K, V](found: Mapping[K, V], expected: Mapping[K, V]) -> None:
    for key in found.keys() | expected.keys():
        if found.get(key) != expected.get(key):
            raise Violation(f"{key} is {found.get(key)}, not {expected.get(key)}")
