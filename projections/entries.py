"""Rows in hand: each as it was last read or written, and with everything folded in since. Pure."""

from dataclasses import replace
from typing import Final

from projections.decisions import Decision, Refusal
from projections.fold import Fold
from projections.retention import Gap, joined
from projections.rows import FLEET, PROGRESS, TOTAL, Mark, Row, RowKey, Sensor, seen_hour_s, sensor_of
from projections.sheets import SheetFold
from telemetry.errors import ReasonCode

_ORDER: Final = {code: number for number, code in enumerate(ReasonCode)}


class Entry:
    """A row that holds stats. `known` is what is stored, as far as we know."""

    __slots__ = ("_fold", "known")

    def __init__(self, known: Row) -> None:
        self.known = known
        self._fold = Fold(known.stats)

    def fold(self, decision: Decision) -> None:
        """Take in a decision, which must lie after `known`."""
        if decision.counted:
            self._fold.add(decision.reading)
        else:
            self._fold.repeat()

    def row(self, mark: Mark) -> Row:
        """The row as it is to be written when it covers the log up to `mark`. Its time never goes back."""
        as_of_us = max(mark.as_of_us, self.known.as_of_us)
        return replace(self.known, position=mark.position, as_of_us=as_of_us, stats=self._fold.stats())


class SheetEntry(Entry):
    """A day sheet."""

    __slots__ = ("_sheet",)

    def __init__(self, known: Row) -> None:
        super().__init__(known)
        self._sheet = SheetFold(known.sheet)

    def fold(self, decision: Decision) -> None:
        """Take in a counted decision."""
        self._sheet.add(decision.reading)

    def row(self, mark: Mark) -> Row:
        """The row as it is to be written."""
        return replace(super().row(mark), sheet=self._sheet.sheet())


class SensorEntry(Entry):
    """A sensor's total."""

    __slots__ = ("_born", "_seen_us", "_told")

    def __init__(self, known: Row) -> None:
        super().__init__(known)
        self._born = known.sensor.born
        self._told = False
        self._seen_us: int | None = None
        """Of what was folded in since."""

    def meets(self, decision: Decision) -> bool:
        """Whether a counted decision is the very first of its sensor, in this shard and its parents.

        The row may know of records that are decided once more after a crash: it remembers which one was the first.
        """
        if self._told or self._born not in {0, decision.sequence_number}:
            return False
        self._told, self._born = True, decision.sequence_number
        return self.known.sensor.past_us < 0

    def fold(self, decision: Decision) -> None:
        """Take in a decision."""
        super().fold(decision)
        if decision.counted:
            self._born = self._born or decision.sequence_number
            seen_us = min(decision.reading.measured_at_us, decision.arrived_at_ms * 1000)
            self._seen_us = seen_us if self._seen_us is None else max(self._seen_us, seen_us)

    def row(self, mark: Mark) -> Row:
        """The row as it is to be written."""
        known = self.known.sensor
        seen_s = known.seen_s
        if self._seen_us is not None:
            hour_s = seen_hour_s(sensor_of(self.known.key), self._seen_us)
            seen_s = hour_s if seen_s is None else max(seen_s, hour_s)
        return replace(super().row(mark), sensor=Sensor(known.past_us, self._born, seen_s))


class ProgressEntry(Entry):
    """The fleet's total, which says how far the shard is."""

    __slots__ = ("_refusals", "_sensors")

    def __init__(self, known: Row) -> None:
        super().__init__(known)
        self._sensors = known.progress.sensors
        self._refusals = list(known.progress.refusals)

    def fold(self, decision: Decision) -> None:
        """Take in a decision."""
        super().fold(decision)
        self._sensors += decision.new_sensor

    def refuse(self, refusal: Refusal) -> None:
        """Take in a dead letter."""
        self._refusals[_ORDER[refusal.code]] += 1

    def progress_row(
        self, totals: Mark, windows: Mark, flushed: Mark, *, ended: bool, hash_range: tuple[int, int], lost: Gap | None
    ) -> Row:
        """The row as it is to be written. None of its marks ever goes back, and an end stays one: then only the beat moves."""
        known = self.known.progress
        if known.ended:
            return replace(self.known, progress=replace(known, beat=known.beat + 1))
        row = self.row(self.known.mark.moved_to(totals))
        progress = replace(
            known,
            windows=row.mark if ended else known.windows.moved_to(windows),
            flushed=row.mark if ended else known.flushed.moved_to(flushed),
            refusals=tuple(self._refusals),
            sensors=self._sensors,
            ended=ended,
            hash_range=hash_range,
            beat=known.beat + 1,
            gap=joined(known.gap, lost),
        )
        return replace(row, progress=progress)


def entry_of(known: Row) -> Entry:
    """The entry of a row as it was read."""
    return _kind_of(known.key)(known)


def _kind_of(key: RowKey) -> type[Entry]:
    if key == PROGRESS:
        return ProgressEntry
    if key.window == TOTAL and key.scope != FLEET:
        return SensorEntry
    return SheetEntry if key.is_sheet else Entry
