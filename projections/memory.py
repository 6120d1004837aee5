"""The stores in memory: the twin of `dynamodb.py` under the same contract tests, for speed and for simulation."""

from collections.abc import Collection, Mapping, Sequence

from projections.effects import DeadLetter, Origin
from projections.rows import FLEET, TOTAL, Row, RowKey
from telemetry.reading import Reading


class MemoryStores:
    """Everything the projection writes, in dictionaries that tests may look into."""

    def __init__(self) -> None:
        self.readings: dict[Reading, Origin] = {}
        self.rows: dict[tuple[str, RowKey], Row] = {}
        self.dead_letters: dict[Origin, DeadLetter] = {}
        self.appended: list[tuple[str, bytes]] = []

    def find_readings(self, readings: Collection[Reading]) -> Mapping[Reading, Origin]:
        """The origin of each of these that is stored."""
        return {reading: self.readings[reading] for reading in readings if reading in self.readings}

    def store_readings(self, readings: Mapping[Reading, Origin]) -> None:
        """Write raw readings."""
        self.readings.update(readings)

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
