"""The stores in memory: the twin of `dynamodb.py` under the same contract tests, for speed and for simulation."""

from collections.abc import Collection, Mapping, Sequence

from projections.effects import DeadLetter, Origin
from projections.packs import Bounds, Bucket, Pack, bounds
from projections.rows import FLEET, TOTAL, Row, RowKey
from telemetry.reading import Reading


class MemoryStores:
    """Everything the projection writes, in dictionaries that tests may look into."""

    def __init__(self) -> None:
        self.packs: dict[Bounds, Pack] = {}
        self.rows: dict[tuple[str, RowKey], Row] = {}
        self.dead_letters: dict[Origin, DeadLetter] = {}
        self.appended: list[tuple[str, bytes]] = []

    @property
    def readings(self) -> set[Reading]:
        """The union of all packs."""
        return {reading for pack in self.packs.values() for reading in pack.readings}

    def find_packs(self, buckets: Collection[Bucket]) -> Sequence[Pack]:
        """Every pack of these buckets."""
        return [pack for pack in self.packs.values() if pack.bucket in buckets]

    def find_newest(self, sensor_ids: Collection[str]) -> Mapping[str, int]:
        """The end of each sensor's latest bucket."""
        newest: dict[str, int] = {}
        for pack in self.packs.values():
            if (sensor_id := pack.bucket.sensor_id) in sensor_ids:
                newest[sensor_id] = max(newest.get(sensor_id, 0), pack.bucket.last_us)
        return newest

    def store_packs(self, packs: Sequence[Pack]) -> None:
        """Write packs."""
        self.packs.update({bounds(pack): pack for pack in packs})

    def load_rows(self, shard_id: str, keys: Collection[RowKey]) -> Mapping[RowKey, Row]:
        """Those rows that exist."""
        return {key: self.rows[shard_id, key] for key in keys if (shard_id, key) in self.rows}

    def store_rows(self, shard_id: str, rows: Sequence[tuple[Row, Row]]) -> Collection[RowKey]:
        """Write each row if what is stored still has the mark of the one known; the keys of those refused."""
        refused = []
        for row, known in rows:
            stored = self.rows.get((shard_id, row.key)) or Row(row.key)
            if stored.mark == known.mark:
                self.rows[shard_id, row.key] = row
            else:
                refused.append(row.key)
        return refused

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Keep what could not be applied."""
        self.dead_letters.update({letter.origin: letter for letter in letters})

    def append_again(self, events: Sequence[tuple[str, bytes]]) -> None:
        """Note what would go to the stream once more."""
        self.appended.extend(events)

    def total_rows(self, scope: str = FLEET) -> Mapping[str, Row]:
        """The total row of each shard."""
        return {shard: row for (shard, key), row in self.rows.items() if key == RowKey(scope, TOTAL)}
