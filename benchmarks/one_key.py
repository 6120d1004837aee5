"""P20: what many shards ask of one partition key, which takes 1,000 write units a second whatever the table may. Counted."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from benchmarks.consuming import SHARD
from benchmarks.figures import Figure
from benchmarks.fleet import DELIVERY_S, NOON_S, day_sheet, project, sensor_id
from benchmarks.item_sizes import write_units_of
from benchmarks.rig import Rig
from projections.items import row_item
from projections.memory import MemoryStores
from projections.packs import Pack
from projections.policy import FlushPolicy
from projections.rows import FLEET, PROGRESS, Row, RowKey, directory_scope, seen_hour_s
from projections.sheets import CELLS

KEY_UNITS_S = 1000
SENSORS_A_SHARD = 500
"""Enough for every minute of the last hour to have late ones every 5 s; more bring no more fleet rows."""
_MEASURED_S = 60
SENSORS = 1_000_000
_INDEX_UNITS = 2
"""In the index a sensor that moves is an entry that goes and one that comes."""


def of_fleet_rows(_: Rig) -> Iterator[Figure]:
    """P20: the number of shards up to which the fleet's rows stay within what their one partition key takes."""
    for late, reach, then in ((False, 200, 500), (True, 50, 200)):
        shards, units = shards_that_fit(late=late)
        beside = {f"{name}, units/s a shard": each for name, each in sorted(units.items())}
        total = sum(units.values())
        beside |= {"units/s a shard": total, "units/s of all": total * shards}
        what = f"shards at which the key of the fleet's rows meets {KEY_UNITS_S:,} units/s, " + (
            "a tenth up to an hour late" if late else "in time"
        )
        note = f"ids of 32 bytes, {SENSORS_A_SHARD} readings/s a shard, day sheets full"
        yield Figure("P20", what, "shards", reach, then, [shards], beside, note=note)


def of_the_index(_: Rig) -> Iterator[Figure]:
    """P20: a million sensors that report all the time turn the hour in the directory, each at a second of its own."""
    seconds = turning_sensors(SENSORS)
    beside = {"sensors that turn in it": float(max(seconds.values())), "key-seconds with a turn": float(len(seconds))}
    what = f"index write units/s on one key, busiest second of an hour, {SENSORS:,} sensors"
    yield Figure("P20", what, "units/s", 1000, None, [_INDEX_UNITS * max(seconds.values())], beside, smaller_is_better=True)


def shards_that_fit(*, late: bool) -> tuple[int, dict[str, float]]:
    """So many that their fleet rows, and those of any smaller number, take 1,000 units/s at most; one's units/s by kind.

    A shard's units depend on how many there are only by how many deliveries share a write of the total, so there is one run for
    each number of deliveries.
    """
    deliveries, fit, found = 0, 0, dict[str, float]()
    while True:
        deliveries += 1
        most = most_shards(deliveries)
        units = units_a_second(FlushPolicy.for_shards(most), late=late)
        within = int(KEY_UNITS_S / sum(units.values()))
        if within > fit:
            found = units
        if within < most:
            return max(within, fit), found
        fit = most


def most_shards(deliveries: int) -> int:
    """The most shards with which a total is written with each so-manieth delivery."""
    shards = 1
    while FlushPolicy.for_shards(shards + 1).totals_every_s <= deliveries * DELIVERY_S:
        shards += 1
    return shards


class FleetRows(MemoryStores):
    """Counts the write units of the fleet's rows by kind. Keeps no packs: where no reading comes twice, none would be found."""

    def __init__(self) -> None:
        super().__init__()
        self.units: Counter[str] = Counter()

    def store_packs(self, packs: Sequence[Pack]) -> None:
        """Pass over them."""

    def store_rows(self, shard_id: str, rows: Sequence[tuple[Row, Row]]) -> Collection[RowKey]:
        """Write rows, and count."""
        for row, _ in rows:
            if row.key.scope == FLEET:
                self.units[_kind_of(row.key)] += write_units_of(row_item(shard_id, row))
        return super().store_rows(shard_id, rows)


def _kind_of(key: RowKey) -> str:
    return "totals" if key == PROGRESS else "sheets" if key.is_sheet else "windows"


def units_a_second(policy: FlushPolicy, *, late: bool, sensors: int = SENSORS_A_SHARD) -> dict[str, float]:
    """Units/s of one busy shard's fleet rows by kind, over two full flushes' periods and one turn of the minute."""
    stores = FleetRows()
    sheet = day_sheet(sensors, CELLS)
    stores.rows[SHARD, sheet.key] = sheet
    begun: tuple[float, Counter[str]] | None = None
    flushes = 0
    for moment in project(stores, policy, sensors, _MEASURED_S + 60, late=late):
        flushes += moment.flushed
        if flushes == 2 and begun is None:
            begun = moment.at_s, stores.units.copy()
        if begun and moment.at_s >= begun[0] + _MEASURED_S:
            break
    assert begun, "two full flushes at least"
    units = stores.units - begun[1]
    return {name: count / _MEASURED_S for name, count in units.items()}


def turning_sensors(sensors: int) -> Counter[tuple[str, int]]:
    """How many sensors move in each second and key of the index, in the hour before noon."""
    ids = map(sensor_id, range(sensors))
    return Counter((directory_scope(one), seen_hour_s(one, NOON_S * 1_000_000)) for one in ids)
