"""What must hold at every checkpoint, whenever a progress row moves, and when everything has come to rest."""

from dataclasses import replace

from projections.fold import Stats, merge
from projections.packs import bucket_of
from projections.rows import FLEET, Row, RowKey, row_keys
from telemetry.reading import Reading
from tests.simulation.model_dynamodb import ModelTables
from tests.simulation.model_kinesis import Line, ModelKinesis, ModelShard
from tests.simulation.violation import Violation
from tests.support.oracle import expected_stats


class Invariants:
    """Watches one stream and its tables. Each mark remembers how far it was checked, so each line is looked at once a mark."""

    def __init__(self, kinesis: ModelKinesis) -> None:
        self._kinesis = kinesis
        self._checked: dict[tuple[str, str], int] = {}
        self.tables = ModelTables(self._progress_moved)

    def checkpoint_moved(self, shard_id: str, position: int) -> None:
        """All up to a checkpoint is durable everywhere."""
        self._check("checkpoint", shard_id, position)

    def _progress_moved(self, shard_id: str, row: Row) -> None:
        self._check("flushed_position", shard_id, row.flushed_position)
        self._check("position", shard_id, row.position)

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
        if mark != "position" and line.reading not in self.tables.readings:
            raise Violation(f"{where}, which is not among the raw readings")
        if self._kinesis.firsts[line.reading] != (model.shard.shard_id, line.sequence_number, line.number):
            return
        for key in row_keys(line.reading):
            row = self.tables.rows.get((model.shard.shard_id, key)) or Row(key)
            if row.position < line.sequence_number and (mark != "position" or key.scope == FLEET):
                raise Violation(f"{where}, which is not in {key}")

    def check_rows(self) -> None:
        """At any moment: each row is the fold of its shard's log up to its own position."""
        firsts = self._kinesis.firsts
        folds: dict[tuple[str, int], dict[RowKey, Stats]] = {}
        for (shard_id, key), row in self.tables.rows.items():
            if (shard_id, row.position) not in folds:
                folds[shard_id, row.position] = expected_stats(
                    reading
                    for reading, (first_shard, sequence_number, _) in firsts.items()
                    if first_shard == shard_id and sequence_number <= row.position
                )
            expected = folds[shard_id, row.position].get(key, Stats())
            if _without_repeats(row.stats) != expected:
                raise Violation(f"{shard_id} {key} at {row.position} is {row.stats}, not {expected}")

    def check_at_rest(self, acknowledged: set[Reading]) -> None:
        """The tables equal the fold of the distinct readings in the log."""
        log = self._kinesis.readings()
        if lost := acknowledged - log:
            raise Violation(f"acknowledged, and not in the log: {lost}")
        stored = self.tables.readings
        if stored != log:
            raise Violation(f"raw readings lack {log - stored}, and have too many {stored - log}")
        self._check_packs()
        expected = expected_stats(log)
        found = {key: _without_repeats(merge(stats)) for key, stats in self.tables.merged().items()}
        found = {key: stats for key, stats in found.items() if stats.count}
        for key in sorted(found.keys() | expected.keys()):
            if found.get(key) != expected.get(key):
                raise Violation(f"{key} is {found.get(key)}, not {expected.get(key)}")
        self.check_rows()

    def _check_packs(self) -> None:
        """A pack holds exactly what its shard was the first to bring to its bucket, between its bounds."""
        firsts = self._kinesis.firsts
        for pack in self.tables.packs.values():
            expected = [
                (sequence_number, line, reading)
                for reading, (shard_id, sequence_number, line) in firsts.items()
                if shard_id == pack.shard_id
                and bucket_of(reading) == pack.bucket
                and pack.first <= (sequence_number, line) <= pack.last
            ]
            if pack.readings != tuple(reading for *_, reading in sorted(expected)):
                raise Violation(f"{pack} should hold {sorted(expected)}")


def _without_repeats(stats: Stats) -> Stats:
    return replace(stats, duplicates=0)
