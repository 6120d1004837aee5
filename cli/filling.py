"""A filling of tables from a log that is told of while it goes on, and writes no faster than it may."""

import os
import time
from collections.abc import Callable, Collection
from contextlib import closing
from functools import partial
from typing import Final

from cli.rebuild_line import Filling, Rate, rebuild_line
from cli.showing import Lines
from operations.fillers import fillers
from operations.filling import Filled, fill
from operations.sharing import Sharing
from operations.stages import Stage, State
from operations.units import Units, pace_writes
from projections.dynamodb import CALLS_AT_ONCE, AwsStores
from projections.queries import fleet_stats
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.log import Source
from telemetry.names import ResourceNames
from telemetry.processes import collect_garbage_seldom
from telemetry.retry import patiently
from telemetry.settings import Settings

MAX_UNITS: Final = 500
_NOTE_EVERY_S: Final = 2.0
_PATIENCE_S: Final = 60.0
"""With AWS, before what may take days."""


class Told:
    """A filling of the tables that are named, of about so many readings (0: nobody knows).

    `note` keeps how many are counted, now and then.
    """

    def __init__(self, settings: Settings, names: ResourceNames, of: int, note: Callable[[int], object], lines: Lines) -> None:
        self._settings, self._names, self._of, self._note, self._lines = settings, names, of, note, lines
        self._noted_s = time.monotonic()
        self._readings, self._written = Rate(), Rate()

    def fill(self, source: Source, max_units: int, *, listed: Collection[str] = ()) -> Filled:
        """Fill the tables, with so many write units a second at most: by a process for each core, if there are as many shards.

        `listed` as of `operations/filling.py`. Raises what that raises, and `operations/fillers.py`.
        """
        self._processes = min(os.process_cpu_count() or 1, self._unfinished(source))
        self._units = Units(max_units, shared=self._processes > 1)
        opened = partial(_open_stores, self._settings, self._names, self._units)
        collect_garbage_seldom()
        with closing(opened()) as stores:
            if self._processes > 1:
                with fillers(self._processes, source, opened) as fold:
                    sharing = Sharing(source, stores, self._tell, fold, at_once=self._processes, listed=listed)
                    filled = sharing.run()
            else:
                filled = fill(source, stores, tell=self._tell, listed=listed)
        self._note(filled.readings)
        self._show(filled)
        return filled

    def _unfinished(self, source: Source) -> int:
        """How many shards there are to fold: those that have not ended in the tables."""
        rows = patiently(partial(fleet_stats, dynamodb_client(self._settings), self._names), _PATIENCE_S).shards
        return sum(1 for shard in source.shards() if not (shard.shard_id in rows and rows[shard.shard_id].progress.ended))

    def _tell(self, filled: Filled) -> None:
        now_s = time.monotonic()
        if now_s - self._noted_s < _NOTE_EVERY_S:
            return
        self._noted_s = now_s
        self._note(filled.readings)
        self._show(filled)

    def _show(self, filled: Filled) -> None:
        now_s, reached_ms = time.monotonic(), filled.reached_ms.values()
        rates = self._readings.note(now_s, filled.readings), self._written.note(now_s, self._units.taken)
        filling = Filling(self._of, *rates, self._units.a_second, min(self._processes, len(reached_ms)))
        behind_us = max(0, time.time_ns() // 1000 - min(reached_ms) * 1000) if reached_ms else None
        state = State(self._names.generation, Stage.FILLING, "", filled.readings, behind_us, len(reached_ms))
        self._lines.show(state.stage, lambda: rebuild_line(state, filling))


def _open_stores(settings: Settings, names: ResourceNames, units: Units) -> AwsStores:
    """The tables, written no faster than the bucket allows."""
    tables = dynamodb_client(settings, pool=CALLS_AT_ONCE, validate=False)
    pace_writes(tables, units)
    return AwsStores(tables, kinesis_client(settings), names, settings.store_retry_s)
