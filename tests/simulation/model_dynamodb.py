"""A model of the tables, and of AwsStores: the client that retries what an answer leaves undone.

A call may end halfway: of the items it names, some were not reached or were throttled, some took effect without an answer,
and the rest are answered. The same question, asked again at a later step, goes on from there, as AwsStores' loops do: so two
workers also cross inside a question, and a conditional put whose answer was lost is refused when tried again.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from random import Random

from projections import packs as packing
from projections.effects import DeadLetter
from projections.fold import Stats
from projections.packs import Bounds, Bucket, Pack
from projections.rows import PROGRESS, Row, RowKey
from telemetry.reading import Reading
from tests.simulation.bugs import Bug, Bugs
from tests.simulation.model_kinesis import ModelKinesis
from tests.simulation.violation import Violation


class Halfway(Exception):
    """The client is still retrying: ask the same question again."""


class ModelTables:
    """What is durable. Fails as soon as a position goes back."""

    def __init__(self, progress_moved: Callable[[str, Row], None]) -> None:
        self.packs: dict[Bounds, Pack] = {}
        self.readings: set[Reading] = set()
        """The union of all packs."""
        self.rows: dict[tuple[str, RowKey], Row] = {}
        self._progress_moved = progress_moved

    def put_pack(self, pack: Pack) -> None:
        """PutItem. Whoever writes a pack of these bounds must write the same."""
        stored = self.packs.setdefault(packing.bounds(pack), pack)
        if stored != pack:
            raise Violation(f"two packs of the same bounds: {stored} and {pack}")
        self.readings.update(pack.readings)

    def put_row(self, shard_id: str, row: Row, known: Row, *, conditional: bool) -> bool:
        """PutItem on condition that the mark is the one known; False when refused."""
        stored = self.rows.get((shard_id, row.key)) or Row(row.key)
        if conditional and stored.mark != known.mark:
            return False
        if row.position < stored.position or row.flushed_position < stored.flushed_position:
            raise Violation(f"{shard_id} {row.key}: position goes back")
        if stored.ended and not row.ended:
            raise Violation(f"{shard_id}: its end is forgotten")
        self.rows[shard_id, row.key] = row
        if row.key == PROGRESS:
            self._progress_moved(shard_id, row)
        return True

    def add_row(self, shard_id: str, row: Row, known: Row) -> bool:
        """UpdateItem ADD, as hazard H17 warns of: what is new is added to whatever is stored."""
        stored = self.rows.get((shard_id, row.key)) or Row(row.key)
        stats = replace(
            row.stats,
            count=stored.stats.count + row.stats.count - known.stats.count,
            sum_micro=stored.stats.sum_micro + row.stats.sum_micro - known.stats.sum_micro,
            sum_squares=stored.stats.sum_squares + row.stats.sum_squares - known.stats.sum_squares,
        )
        position = max(row.position, stored.position)
        flushed = max(row.flushed_position, stored.flushed_position)
        self.rows[shard_id, row.key] = replace(row, stats=stats, position=position, flushed_position=flushed)
        return True

    def merged(self) -> dict[RowKey, list[Stats]]:
        """The stats of every key, one for each shard that has a row of it."""
        found: dict[RowKey, list[Stats]] = {}
        for (_, key), row in self.rows.items():
            found.setdefault(key, []).append(row.stats)
        return found


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

    def find_packs(self, buckets: Collection[Bucket]) -> Sequence[Pack]:
        """A query for each bucket."""
        if Bug.NO_LOOK_UP in self._bugs:
            return []
        packs = self._tables.packs.values()
        try:
            found = self._each(sorted(buckets), lambda bucket: [pack for pack in packs if pack.bucket == bucket])
        except Halfway:
            if Bug.UNANSWERED_LOOK_UPS_ARE_EMPTY not in self._bugs:
                raise
            found, self._answers = {bucket: self._answers.get(bucket) for bucket in buckets}, {}
        return [pack for bucket in found.values() if isinstance(bucket, list) for pack in bucket]

    def find_newest(self, sensor_ids: Collection[str]) -> Mapping[str, int]:
        """A query for each sensor."""
        if Bug.THE_PAST_IN_PARENTS_IS_NOT_ASKED_FOR in self._bugs:
            return {}

        def newest(sensor_id: str) -> int | None:
            packs = [pack.bucket for pack in self._tables.packs.values() if pack.bucket.sensor_id == sensor_id]
            return max(packs).last_us if packs else None

        found = self._each(sorted(sensor_ids), newest)
        return {sensor_id: us for sensor_id, us in found.items() if isinstance(us, int)}

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

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Nothing in a simulated log is undecodable."""
        raise Violation(f"dead letters: {letters}")

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
