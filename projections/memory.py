"""The stores in memory: the twin of `dynamodb.py` under the same contract tests, for speed and for simulation."""

from collections.abc import Collection, Mapping, Sequence

from projections.effects import Believed, DeadLetter, Origin, Sighting
from projections.packs import Bounds, Bucket, Pack, Search, bounds, search
from projections.rows import FLEET, PROGRESS, TOTAL, Row, RowKey, sensor_of, time_prefix
from telemetry.letter_marks import LetterMark
from telemetry.reading import Reading


class MemoryStores:
    """Everything the projection writes, in dictionaries that tests may look into."""

    def __init__(self) -> None:
        self.packs: dict[Bounds, Pack] = {}
        self.rows: dict[tuple[str, RowKey], Row] = {}
        self.directory: dict[str, tuple[int, frozenset[str]]] = {}
        """When each sensor was last seen, and the shards it has rows in."""
        self.dead_letters: dict[Origin, DeadLetter] = {}
        self.marks: dict[Origin, LetterMark] = {}
        """What was decided about dead letters."""
        self.appended: list[tuple[str, bytes]] = []
        self.live: MemoryStores | None = self
        """The generation that is live; None while nobody knows."""

    @property
    def readings(self) -> set[Reading]:
        """The union of all packs."""
        return {reading for pack in self.packs.values() for reading in pack.readings}

    def search_packs(
        self, wanted: Mapping[Bucket, Collection[str]], believed: Believed, text_chars_max: int
    ) -> Mapping[Bucket, Search]:
        """Which readings lie in believed packs of their buckets."""
        packs = [pack for pack in self.packs.values() if believed(pack.shard_id, pack.last.sequence_number)]
        return {
            bucket: search(tokens, (pack.text for pack in packs if pack.bucket == bucket), text_chars_max)
            for bucket, tokens in wanted.items()
        }

    def find_newest(self, keys: Collection[RowKey], *, besides: str) -> Mapping[RowKey, int]:
        """The end of the latest bucket in each sensor's total or hour, in other shards."""
        newest: dict[RowKey, int] = {}
        for key in keys:
            sensor_id, begin = sensor_of(key), time_prefix(key)
            packs = [pack for pack in self.packs.values() if pack.bucket.sensor_id == sensor_id and pack.shard_id != besides]
            if times := [pack.bucket.time for pack in packs if pack.bucket.time.startswith(begin)]:
                newest[key] = Bucket(sensor_id, max(times)).last_us
        return newest

    def store_packs(self, packs: Sequence[Pack]) -> None:
        """Write packs."""
        self.packs.update({bounds(pack): pack for pack in packs})

    def load_rows(self, shard_id: str, keys: Collection[RowKey]) -> Mapping[RowKey, Row]:
        """Those rows that exist."""
        return {key: self.rows[shard_id, key] for key in keys if (shard_id, key) in self.rows}

    def store_rows(self, shard_id: str, rows: Sequence[tuple[Row, Row]]) -> Collection[RowKey]:
        """Write each row if what is stored still has the version of the one known; the keys of those refused."""
        refused = []
        for row, known in rows:
            stored = self.rows.get((shard_id, row.key)) or Row(row.key)
            if stored.version == known.version:
                self.rows[shard_id, row.key] = row
            else:
                refused.append(row.key)
        return refused

    def sight(self, shard_id: str, sightings: Sequence[Sighting]) -> None:
        """Tell the directory of sensors."""
        for one in sightings:
            seen_s, shards = self.directory.get(one.sensor_id, (one.seen_s, frozenset()))
            self.directory[one.sensor_id] = max(one.seen_s, seen_s), shards | {shard_id}

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Keep what could not be applied."""
        self.dead_letters.update({letter.origin: letter for letter in letters})

    def mark_letters(self, marks: Sequence[LetterMark]) -> None:
        """Keep what was decided about dead letters."""
        for mark in marks:
            origin = Origin(*mark.letter)
            if origin not in self.marks or self.marks[origin].order < mark.order:
                self.marks[origin] = mark

    def load_live_progress(self, shard_id: str) -> Row | None:
        """The progress row in the live generation."""
        return self.live.rows.get((shard_id, PROGRESS)) if self.live else None

    def append_again(self, events: Sequence[tuple[str, bytes]]) -> None:
        """Note what would go to the stream once more."""
        self.appended.extend(events)

    def total_rows(self, scope: str = FLEET) -> Mapping[str, Row]:
        """The total row of each shard."""
        return {shard: row for (shard, key), row in self.rows.items() if key == RowKey(scope, TOTAL)}
