"""A filling of tables from a log that is told of while it goes on, and writes no faster than it may."""

import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final

from cli.rebuild_line import Filling, Rate, rebuild_line
from cli.showing import Lines
from operations.filling import Filled, fill
from operations.stages import Stage, State
from operations.units import Units, pace_writes
from projections.dynamodb import CALLS_AT_ONCE, AwsStores
from telemetry.aws import dynamodb_client
from telemetry.log import Source
from telemetry.names import ResourceNames
from telemetry.processes import collect_garbage_seldom
from telemetry.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

MAX_UNITS: Final = 500
_NOTE_EVERY_S: Final = 2.0


class Told:
    """A filling of the tables that are named, of about so many readings (0: nobody knows).

    `note` keeps how many are counted, now and then.
    """

    def __init__(self, settings: Settings, names: ResourceNames, of: int, note: Callable[[int], object], lines: Lines) -> None:
        self._settings, self._names, self._of, self._note, self._lines = settings, names, of, note, lines
        self._noted_s = time.monotonic()
        self._readings, self._written = Rate(), Rate()

    def fill(self, kinesis: "KinesisClient", source: Source, max_units: int, *, listed: Collection[str] = ()) -> Filled:
        """Fill the tables, with so many write units a second at most. `listed` as of `fill`; raises what that raises."""
        self._units = Units(max_units)
        tables = dynamodb_client(self._settings, pool=CALLS_AT_ONCE, validate=False)
        pace_writes(tables, self._units)
        stores = AwsStores(tables, kinesis, self._names, self._settings.store_retry_s)
        collect_garbage_seldom()
        try:
            filled = fill(source, stores, tell=self._tell, listed=listed)
        finally:
            stores.close()
        self._note(filled.readings)
        self._show(filled)
        return filled

    def _tell(self, filled: Filled) -> None:
        now_s = time.monotonic()
        if now_s - self._noted_s < _NOTE_EVERY_S:
            return
        self._noted_s = now_s
        self._note(filled.readings)
        self._show(filled)

    def _show(self, filled: Filled) -> None:
        now_s = time.monotonic()
        rates = self._readings.note(now_s, filled.readings), self._written.note(now_s, self._units.taken)
        filling = Filling(self._of, *rates, self._units.a_second)
        reached_ms = filled.reached_ms.values()
        behind_us = max(0, time.time_ns() // 1000 - min(reached_ms) * 1000) if reached_ms else None
        state = State(self._names.generation, Stage.FILLING, "", filled.readings, behind_us, len(reached_ms))
        self._lines.show(state.stage, lambda: rebuild_line(state, filling))
