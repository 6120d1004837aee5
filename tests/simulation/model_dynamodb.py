"""A model of the tables, and of AwsStores: the client that retries what an answer leaves undone.

A call may end halfway: of the items it names, some were not reached or were throttled, some took effect without an answer,
and the rest are answered. The same question, asked again at a later step, goes on from there, as AwsStores' loops do: so two
workers also cross inside a question, and a conditional put whose answer was lost is refused when tried again.
"""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random

from projections import packs as packing
from projections.effects import Believed, DeadLetter, Sighting
from projections.items import pack_item, read_pack, read_row, row_item
from projections.packs import Bounds, Bucket, Pack, Search
from projections.rows import PROGRESS, Row, RowKey, sensor_of, time_prefix
from telemetry.letter_marks import LetterMark
from telemetry.reading import Reading
from tests.simulation.bugs import Bug, Bugs
from tests.simulation.model_kinesis import NO_EVENT, ModelKinesis
from tests.simulation.violation import Violation


class Halfway(Exception):
    """The client is still retrying: ask the same question again."""


class ModelTables:
    """What is durable: everything passes through the real items. Fails as soon as a position or a mark goes back."""

    def __init__(self, progress_moved: Callable[[str, Row], None]) -> None:
        self.packs: dict[Bounds, Pack] = {}
        self.readings: set[Reading] = set()
        """The union of all packs."""
        self.rows: dict[tuple[str, RowKey], Row] = {}
        self.directory: dict[str, tuple[int, frozenset[str]]] = {}
        """When a sensor was last seen, and its shards."""
        self.moved: list[Row] = []
        """What a bug keeps elsewhere."""
        self.changes = 0
        """Goes up with every one that readers can see."""
        self._progress_moved = progress_moved

    def put_pack(self, pack: Pack) -> None:
        """PutItem. Whoever writes a pack of these bounds must write the same."""
        stored = read_pack(pack_item(pack))
        self.changes += 1
        if stored != self.packs.setdefault(packing.bounds(pack), stored):
            raise Violation(f"two packs of the same bounds: {self.packs[packing.bounds(pack)]} and {pack}")
        self.readings.update(stored.readings)

    def put_row(self, shard_id: str, row: Row, known: Row, *, conditional: bool) -> bool:
        """PutItem on condition that the version is the one known; False when refused."""
        stored = self.row(shard_id, row.key)
        if conditional and stored.version != known.version:
            return False
        self._check_move(shard_id, stored, row)
        self._keep(shard_id, row)
        if row.key == PROGRESS:
            self._progress_moved(shard_id, row)
        return True

    def add_row(self, shard_id: str, row: Row, known: Row) -> bool:
        """UpdateItem ADD, as hazard H17 warns of: what is new is added to whatever is stored."""
        stored = self.row(shard_id, row.key)
        stats = replace(
            row.stats,
            count=stored.stats.count + row.stats.count - known.stats.count,
            sum_micro=stored.stats.sum_micro + row.stats.sum_micro - known.stats.sum_micro,
            sum_squares=stored.stats.sum_squares + row.stats.sum_squares - known.stats.sum_squares,
        )
        self._keep(shard_id, replace(row, stats=stats, position=max(row.position, stored.position)))
        return True

    def row(self, shard_id: str, key: RowKey) -> Row:
        """A row, or what stands for one that is not there."""
        return self.rows.get((shard_id, key)) or Row(key)

    def sight(self, shard_id: str, sighting: Sighting, *, lowering: bool) -> None:
        """Raise a sensor's time, and add a shard to its shards."""
        seen_s, shards = self.directory.get(sighting.sensor_id, (sighting.seen_s, frozenset()))
        self.changes += 1
        latest_s = sighting.seen_s if lowering else max(seen_s, sighting.seen_s)
        self.directory[sighting.sensor_id] = latest_s, shards | {shard_id}
        if latest_s < seen_s:
            raise Violation(f"{sighting.sensor_id} was seen at {seen_s} and now at {latest_s}")

    def _keep(self, shard_id: str, row: Row) -> None:
        self.changes += self.rows.get((shard_id, row.key)) != row  # but for a beat
        again = read_row(row_item(shard_id, row))
        if again != (shard_id, row):
            raise Violation(f"{row} is read as {again}")
        self.rows[shard_id, row.key] = again[1]

    def _check_move(self, shard_id: str, stored: Row, row: Row) -> None:
        old, new = stored.progress, row.progress
        marks = [(stored.mark, row.mark), (old.windows, new.windows), (old.flushed, new.flushed)]
        if any(before.position > after.position for before, after in marks):
            raise Violation(f"{shard_id} {row.key}: position goes back, {stored} to {row}")
        if row.key == PROGRESS and any(before.as_of_us > after.as_of_us for before, after in marks):
            raise Violation(f"{shard_id} {row.key}: time goes back, {stored} to {row}")
        if old.ended and (row != stored):
            raise Violation(f"{shard_id}: a final row moves, {stored} to {row}")
        if row.sensor.seen_s is not None:
            seen_s, shards = self.directory.get(sensor_of(row.key), (-(10**12), frozenset()))
            if seen_s < row.sensor.seen_s or shard_id not in shards:
                raise Violation(f"{shard_id} {row.key}: seen at {row.sensor.seen_s}, but the directory says {seen_s}, {shards}")


class ModelStores:
    """One worker's client of the tables and the stream."""

    def __init__(
        self, tables: ModelTables, kinesis: ModelKinesis, rng: Random, bugs: Bugs, has_lease: Callable[[], bool]
    ) -> None:
        self._tables = tables
        self._kinesis = kinesis
        self._rng = rng
        self._bugs = bugs
        self._has_lease = has_lease
        self._answers: dict[Hashable, object] = {}
        self.troubled = False
        """The next call ends halfway."""

    def search_packs(
        self, wanted: Mapping[Bucket, Collection[str]], believed: Believed, text_chars_max: int
    ) -> Mapping[Bucket, Search]:
        """A query for each bucket."""
        if Bug.NO_LOOK_UP in self._bugs:
            return dict.fromkeys(wanted, Search(frozenset(), ""))

        def texts(bucket: Bucket) -> Iterator[str]:
            for pack in self._tables.packs.values():
                if pack.bucket == bucket and believed(pack.shard_id, pack.last.sequence_number):
                    yield pack.text

        try:
            found = self._each(sorted(wanted), lambda bucket: packing.search(wanted[bucket], texts(bucket), text_chars_max))
        except Halfway:
            if Bug.UNANSWERED_LOOK_UPS_ARE_EMPTY not in self._bugs:
                raise
            found, self._answers = {bucket: self._answers.get(bucket) for bucket in wanted}, {}
        answers = {bucket: answer for bucket, answer in found.items() if isinstance(answer, Search)}
        return {bucket: answers.get(bucket, Search(frozenset(), None)) for bucket in wanted}

    def find_newest(self, keys: Collection[RowKey], *, besides: str) -> Mapping[RowKey, int]:
        """A query for each row."""
        if Bug.THE_PAST_IN_PARENTS_IS_NOT_ASKED_FOR in self._bugs:
            return {}
        own = "" if Bug.OWN_PACKS_ARE_TAKEN_FOR_THE_PARENTS in self._bugs else besides

        def newest(key: RowKey) -> int | None:
            sensor_id, begin = sensor_of(key), time_prefix(key)
            packs = [
                pack for pack in self._tables.packs.values() if pack.bucket.sensor_id == sensor_id and pack.shard_id != own
            ]
            buckets = [pack.bucket for pack in packs if pack.bucket.time.startswith(begin)]
            return max(buckets).last_us if buckets else None

        found = self._each(sorted(keys), newest)
        return {key: us for key, us in found.items() if isinstance(us, int)}

    def store_packs(self, packs: Sequence[Pack]) -> None:
        """BatchWriteItem; items left unprocessed are sent again."""
        by_bounds = {packing.bounds(pack): pack for pack in packs}
        try:
            self._each(sorted(by_bounds), lambda key: self._tables.put_pack(by_bounds[key]))
        except Halfway:
            if Bug.UNPROCESSED_ITEMS_ARE_DONE not in self._bugs:
                raise
            self._answers = {}

    def load_rows(self, shard_id: str, keys: Collection[RowKey]) -> Mapping[RowKey, Row]:
        """BatchGetItem of rows."""
        found = self._each(sorted(keys), lambda key: self._tables.rows.get((shard_id, key)))
        return {key: row for key, row in found.items() if isinstance(row, Row)}

    def store_rows(self, shard_id: str, rows: Sequence[tuple[Row, Row]]) -> Collection[RowKey]:
        """A conditional PutItem for each row."""
        pairs = {row.key: (row, known) for row, known in rows}
        fenced = Bug.ZOMBIES_ARE_NOT_FENCED not in self._bugs or self._has_lease()
        conditional = fenced and Bug.NO_CONDITION_ON_POSITION not in self._bugs

        def put(key: RowKey) -> bool:
            row, known = pairs[key]
            if Bug.ADD_INSTEAD_OF_WHOLE_ROWS in self._bugs:
                return self._tables.add_row(shard_id, row, known)
            return self._tables.put_row(shard_id, row, known, conditional=conditional)

        return [key for key, done in self._each(sorted(pairs), put).items() if not done]

    def sight(self, shard_id: str, sightings: Sequence[Sighting]) -> None:
        """UpdateItem on condition that the time is later."""
        by_sensor = {one.sensor_id: one for one in sightings}
        lowering = Bug.THE_DIRECTORY_IS_LOWERED in self._bugs
        self._each(sorted(by_sensor), lambda key: self._tables.sight(shard_id, by_sensor[key], lowering=lowering))

    def move_away(self, shard_id: str) -> None:
        """Keep the total of a shard that has ended under another key, so that readers find fewer rows."""
        if row := self._tables.rows.pop((shard_id, PROGRESS), None):
            self._tables.moved.append(row)

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Only what the writers of this log put there on purpose is undecodable."""
        if any(letter.data != NO_EVENT for letter in letters):
            raise Violation(f"dead letters: {letters}")

    def mark_letters(self, marks: Sequence[LetterMark]) -> None:
        """No operator is at work here."""
        raise Violation(f"marks: {marks}")

    def load_live_progress(self, shard_id: str) -> Row | None:
        """Of the only generation."""
        return self._tables.rows.get((shard_id, PROGRESS))

    def append_again(self, events: Sequence[tuple[str, bytes]]) -> None:
        """PutRecords of strays; entries that failed are sent again."""
        if Bug.STRAYS_ARE_DROPPED in self._bugs:
            return

        def put(number: int) -> None:
            key, line = events[number]
            self._kinesis.put(key, None, line + b"\n")

        self._each(range(len(events)), put)

    def _each[K: Hashable](self, keys: Collection[K], call: Callable[[K], object]) -> dict[K, object]:
        """Ask for each key until it is answered. Keys come in an order that does not depend on hashes."""
        for key in keys:
            if key in self._answers:
                continue
            fate = self._rng.random() if self.troubled else 1
            if fate < 0.4:
                continue
            answer = call(key)
            if fate >= 0.7:
                self._answers[key] = answer
        if self.troubled:
            raise Halfway
        answers, self._answers = self._answers, {}
        return {key: answers[key] for key in keys}
