"""The rows of a shard's sensors: held as they are stored, and made anew from decisions when they are written.

A row covers the log up to its own position. One that stands where the decisions begin takes them all together; one that another
worker moved beyond that takes those after its position, decision by decision. So two workers on one shard delay nothing and
spoil nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import batched

from projections.decisions import NEVER_SEEN_US, Decisions, HourDecisions, SensorDecisions
from projections.effects import Sighting, Steps, Stores, ask, load_rows
from projections.fold import Fold
from projections.rows import (
    HOUR_US,
    TOTAL,
    Mark,
    Row,
    RowKey,
    Sensor,
    hour_of,
    hour_window,
    seen_hour_s,
    sensor_of,
    sensor_scope,
    sensor_total,
)
from telemetry.reading import Reading
from telemetry.shards import Shard

_KEYS_AT_ONCE = 800
"""Rows loaded by one question; reads come by the hundred."""
_QUERIES_AT_ONCE = 50

type Hour = tuple[str, int]
"""A sensor, and the number of an hour since 1970."""
type Slot = tuple[str, int | None]
"""A row: a sensor's hour, or its total."""


class HeldHour:
    """A row of an hour."""

    __slots__ = ("decided", "newest_us", "row", "stored_us")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.decided: HourDecisions | None = None
        """What was decided about it last, which may be flushed since."""
        self.stored_us = row.newest_us
        """Nothing of it that lies in packs, here and in parents, is newer; -1 when nothing does. Microseconds since 1970."""
        self.newest_us = self.stored_us
        """And nothing that was counted."""

    def take(self, row: Row) -> None:
        """This is what is stored."""
        self.row, self.stored_us = row, row.newest_us
        self.newest_us = max(self.newest_us, self.stored_us)


class HeldSensor:
    """A sensor's total, and some of its hours."""

    __slots__ = ("hours", "told", "total")

    def __init__(self, total: Row) -> None:
        self.total = total
        self.hours: dict[int, HeldHour] = {}
        self.told = False
        """Whether something of it was counted since it is held."""

    def meets(self) -> bool:
        """Whether the first that is counted is the very first of the sensor, in this shard and its parents.

        The row may hold what is decided once more after a crash: so does the fleet's total then, which no row is ahead of.
        """
        self.told = True
        return not self.total.stats.count and self.total.sensor.past_us < 0


class SensorRows:
    """Of one shard."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self.sensors: dict[str, HeldSensor] = {}

    def hold(self, missing: Collection[Hour]) -> Steps[None]:
        """Load these hours' rows and their sensors' totals, as far as they are not held yet."""
        strangers = sorted({sensor_id for sensor_id, _ in missing if sensor_id not in self.sensors})
        totals = yield from self._load([sensor_total(sensor_id) for sensor_id in strangers])
        self.sensors.update((sensor_id, HeldSensor(row)) for sensor_id, row in zip(strangers, totals, strict=True))
        hours = sorted(missing)
        rows = yield from self._load([_key(hour) for hour in hours])
        for (sensor_id, hour), row in zip(hours, rows, strict=True):
            self.sensors[sensor_id].hours[hour] = HeldHour(row)

    def stored_us(self, reading: Reading) -> int:
        """No reading of its sensor and hour, whose row is held, that lies in packs is newer: microseconds since 1970."""
        return self.sensors[reading.sensor_id].hours[reading.measured_at_us // HOUR_US].stored_us

    def write(self, rows: Sequence[Slot], mark: Mark, decisions: Decisions) -> Steps[None]:
        """Write these rows as covering the log up to `mark`, where the decisions end.

        One that another worker has moved is loaded again, and written if it does not go as far.
        """
        pending = list(rows)
        while pending:
            pending = [slot for slot in pending if self._known(slot).position < mark.position]
            pairs = [(self._row(slot, mark, decisions), self._known(slot)) for slot in pending]
            if not pairs:
                return
            yield from self._sight(pairs)
            refused = yield from ask(partial(_store, self._shard.shard_id, pairs))
            for slot, (row, _) in zip(pending, pairs, strict=True):
                if row.key not in refused:
                    self._take(slot, row)
            pending = [_slot(key) for key in sorted(refused)]
            for slot, row in zip(pending, (yield from self._load(sorted(refused))), strict=True):
                self._take(slot, row)

    def evict(self, rows_max: int, waiting: Mapping[str, SensorDecisions]) -> None:
        """Let go of sensors, those held longest first, until no more than `rows_max` rows are left; not of those waiting."""
        excess = sum(1 + len(sensor.hours) for sensor in self.sensors.values()) - rows_max
        for sensor_id in list(self.sensors) if excess > 0 else ():
            if excess <= 0:
                break
            sensor, kept = self.sensors[sensor_id], waiting.get(sensor_id)
            if kept is None:
                excess -= 1 + len(sensor.hours)
                del self.sensors[sensor_id]
            else:
                for hour in sensor.hours.keys() - kept.hours.keys():
                    excess -= 1
                    del sensor.hours[hour]

    def _known(self, slot: Slot) -> Row:
        sensor_id, hour = slot
        sensor = self.sensors[sensor_id]
        return sensor.total if hour is None else sensor.hours[hour].row

    def _take(self, slot: Slot, row: Row) -> None:
        """This is what is stored."""
        sensor_id, hour = slot
        if hour is None:
            self.sensors[sensor_id].total = row
        else:
            self.sensors[sensor_id].hours[hour].take(row)

    def _row(self, slot: Slot, mark: Mark, decisions: Decisions) -> Row:
        """A row as it is to be written."""
        known, (sensor_id, hour) = self._known(slot), slot
        fold, sensor = Fold(known.stats), known.sensor
        decided = decisions.sensors[sensor_id]
        if known.position <= decisions.begin:
            for part in decided.hours.values() if hour is None else [decided.hours[hour]]:
                fold.absorb(part.fold)
            seen_us = decided.seen_us
        else:
            seen_us = NEVER_SEEN_US
            for one in decisions.counted_after(known.position, sensor_id):
                reading = one.reading
                if hour is None or reading.measured_at_us // HOUR_US == hour:
                    fold.add(reading)
                    seen_us = max(seen_us, min(reading.measured_at_us, one.arrived_at_ms * 1000))
        if hour is None:
            fold.repeat(decisions.repeats_after(known.position, sensor_id))
            seen = [] if seen_us == NEVER_SEEN_US else [seen_hour_s(sensor_id, seen_us)]
            seen_s = max([*seen, *([] if sensor.seen_s is None else [sensor.seen_s])], default=None)
            sensor = Sensor(sensor.past_us, seen_s)
        as_of_us = max(mark.as_of_us, known.as_of_us)
        return replace(known, position=mark.position, as_of_us=as_of_us, stats=fold.stats(), sensor=sensor)

    def _sight(self, pairs: Sequence[tuple[Row, Row]]) -> Steps[None]:
        """Tell the directory of sensors what totals about to be written say: it is never behind them."""
        sightings = [
            Sighting(sensor_of(row.key), row.sensor.seen_s, new=known.sensor.seen_s is None)
            for row, known in pairs
            if row.sensor.seen_s is not None and row.sensor.seen_s != known.sensor.seen_s
        ]
        if sightings:
            yield from ask(lambda stores: stores.sight(self._shard.shard_id, sightings))

    def _load(self, keys: Sequence[RowKey]) -> Steps[list[Row]]:
        """Rows as they are stored; in place of one that is not, an empty one that knows of the parents."""
        found: dict[RowKey, Row] = {}
        for chunk in batched(keys, _KEYS_AT_ONCE, strict=False):
            found |= yield from load_rows(self._shard.shard_id, chunk)
        if self._shard.parents:
            past_us = yield from self._find_past([key for key in keys if key not in found and self._may_have_past(key)])
            found |= {key: Row(key, sensor=Sensor(us)) for key, us in past_us.items()}
        return [found.get(key) or Row(key) for key in keys]

    def _may_have_past(self, key: RowKey) -> bool:
        """Whether parents may have counted readings of a sensor, or of an hour of it."""
        sensor_id, hour = _slot(key)
        return hour is None or self.sensors[sensor_id].total.sensor.past_us >= hour * HOUR_US

    def _find_past(self, keys: Sequence[RowKey]) -> Steps[dict[RowKey, int]]:
        """Until when parents counted readings: as their rows say, which are final; else as the latest packs of others do.

        A parent that has no row may have had none of a sensor that its own parents had.
        """
        past_us: dict[RowKey, int] = {}
        for parent in self._shard.parents:
            for chunk in batched(keys, _KEYS_AT_ONCE, strict=False):
                rows = yield from load_rows(parent, chunk)
                past_us |= {key: max(row.newest_us, past_us.get(key, -1)) for key, row in rows.items()}
        for chunk in batched([key for key in keys if key not in past_us], _QUERIES_AT_ONCE, strict=False):
            past_us |= yield from ask(partial(_find_newest, chunk, self._shard.shard_id))
        return past_us


def slots(decisions: Decisions) -> Iterator[Slot]:
    """The rows that decisions are written to."""
    for sensor_id, decided in decisions.sensors.items():
        yield sensor_id, None
        yield from ((sensor_id, hour) for hour in decided.hours)


def _key(slot: Slot) -> RowKey:
    sensor_id, hour = slot
    return sensor_total(sensor_id) if hour is None else RowKey(sensor_scope(sensor_id), hour_window(hour))


def _slot(key: RowKey) -> Slot:
    return sensor_of(key), None if key.window == TOTAL else hour_of(key.window)


def _store(shard_id: str, pairs: Sequence[tuple[Row, Row]], stores: Stores) -> Collection[RowKey]:
    return stores.store_rows(shard_id, pairs)


def _find_newest(keys: Collection[RowKey], besides: str, stores: Stores) -> Mapping[RowKey, int]:
    return stores.find_newest(keys, besides=besides)
