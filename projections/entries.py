"""The fleet's rows in hand: each as it was last read or written, and with everything folded in since. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from projections.fold import Fold
from projections.retention import Gap, joined
from projections.rows import PROGRESS, Mark, Row
from projections.sheets import SheetFold
from telemetry.errors import ReasonCode
from telemetry.reading import Reading

_ORDER: Final = {code: number for number, code in enumerate(ReasonCode)}


class Entry:
    """A row that holds stats. `known` is what is stored, as far as we know."""

    __slots__ = ("_fold", "known")

    def __init__(self, known: Row) -> None:
        self.known = known
        self._fold = Fold(known.stats)

    @property
    def count(self) -> int:
        """Of readings, stored or not."""
        return self._fold.count

    @property
    def rung(self) -> int:
        """Of the histogram: what is to be folded in may begin there."""
        return self._fold.rung

    def add(self, reading: Reading) -> None:
        """Take in a reading that was counted after `known`."""
        self._fold.add(reading)

    def absorb(self, fold: Fold) -> None:
        """Take in readings that were counted after `known`."""
        self._fold.absorb(fold)

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

    def add(self, reading: Reading) -> None:
        """Take in a reading."""
        self._sheet.add(reading)

    def absorb_minute(self, minute: int, fold: Fold) -> None:
        """Take in what was counted in a minute, by its number since 1970."""
        self._sheet.absorb(minute, fold.cell())

    def row(self, mark: Mark) -> Row:
        """The row as it is to be written."""
        return replace(super().row(mark), sheet=self._sheet.sheet())


class ProgressEntry(Entry):
    """The fleet's total, which says how far the shard is."""

    __slots__ = ("_refusals", "_sensors")

    def __init__(self, known: Row) -> None:
        super().__init__(known)
        self._sensors = known.progress.sensors
        self._refusals = list(known.progress.refusals)

    def note(self, repeats: int, births: int, refusals: Mapping[ReasonCode, int]) -> None:
        """Take in repeats, new sensors and dead letters."""
        self._fold.repeat(repeats)
        self._sensors += births
        for code, times in refusals.items():
            self._refusals[_ORDER[code]] += times

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
    if known.key == PROGRESS:
        return ProgressEntry(known)
    return SheetEntry(known) if known.key.is_sheet else Entry(known)
