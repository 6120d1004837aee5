"""A flush of everything up to a mark, in chunks: packs of raw readings, then the rows of sensors.

It may be spread over deliveries: what is counted meanwhile is of the next one. All it writes covers the log up to its mark.
"""

from collections.abc import Sequence
from functools import partial
from itertools import islice

from projections.decisions import Decisions
from projections.effects import Steps, Stores, ask
from projections.packs import Pack
from projections.rows import Mark
from projections.sensor_rows import SensorRows, slots


class Flush:
    """Of decisions, which end at `mark`."""

    def __init__(self, shard_id: str, decisions: Decisions, mark: Mark, sensors: SensorRows) -> None:
        self.mark = mark
        self.done = False
        """Whether all packs and rows are written."""
        self.items = 0
        """Written so far."""
        self.sensor_count = len(decisions.sensors)
        self._decisions = decisions
        self._sensors = sensors
        self._packs = decisions.packs(shard_id)
        self._slots = slots(decisions)

    def write(self, items_max: int) -> Steps[None]:
        """Write the next chunk."""
        # In any order: nothing vouches for them before the progress row does.
        if packs := list(islice(self._packs, items_max)):
            self.items += len(packs)
            yield from ask(partial(_store_packs, packs))
        elif rows := list(islice(self._slots, items_max)):
            self.items += len(rows)
            yield from self._sensors.write(rows, self.mark, self._decisions)
        else:
            self.done = True


def _store_packs(packs: Sequence[Pack], stores: Stores) -> None:
    stores.store_packs(packs)
