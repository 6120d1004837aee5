"""What the projection asks of the world: a protocol of stores, and steps that ask it one question at a time.

The batch algorithm is a generator that yields questions and is sent the answers, so it holds no client, clock or thread. The
same steps run against DynamoDB, in memory, and under a scheduler that stops, repeats and crosses them.
"""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from projections.packs import Bucket, Pack, Search
from projections.rows import Row, RowKey
from telemetry.errors import ReasonCode
from telemetry.letter_marks import LetterMark

ITEMS_AT_ONCE = 200
"""Items that one question writes at most: one round of calls (`dynamodb.py`). What is more takes several questions, so that the
shard can show a sign of life between them, however slow the core is."""


CHUNK_ITEMS = 50
"""And so many, of a flush that is spread over deliveries: what the next delivery waits for at most."""


class Origin(NamedTuple):
    """The place in the log that first brought a reading: shard, record, line in the record."""

    shard_id: str
    sequence_number: int
    line: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Bytes that could not be applied, where they stood, and why."""

    origin: Origin
    data: bytes
    code: ReasonCode
    reason: str
    arrived_at_ms: int
    """When Kinesis took the record: milliseconds since 1970."""
    lines: tuple[tuple[int, int], ...] = ()
    """Of a whole record's: the first and the last of each run of lines that it is for; none where they are too many runs."""


class Sighting(NamedTuple):
    """What the directory of sensors is told of one, before the shard's total row of it says so."""

    sensor_id: str
    seen_s: int
    """When it was last seen (`rows.seen_hour_s`). The directory keeps the latest it was told."""
    new: bool
    """Whether the shard has told nothing of this sensor yet."""


class Believed(NamedTuple):
    """Which packs are believed: those of other shards, and of this one that end no later than a record."""

    shard_id: str
    flushed: int

    def __call__(self, shard_id: str, last: int) -> bool:
        """Whether a pack of a shard is, which ends with a record."""
        return shard_id != self.shard_id or last <= self.flushed


class Stores(Protocol):
    """The tables, and the log's tail, as the projection sees them.

    Every method is safe to repeat. It returns when its work is durable, or raises StoreUnavailable.
    """

    def search_packs(
        self, wanted: Mapping[Bucket, Collection[str]], believed: Believed, text_chars_max: int
    ) -> Mapping[Bucket, Search]:
        """Which of the readings wanted of each bucket lie in packs that are believed; strongly consistent.

        With all that those packs hold, where it is no longer than so many characters.
        """

    def find_newest(self, keys: Collection[RowKey], *, besides: str) -> Mapping[RowKey, int]:
        """For each of these sensors' totals and hours that packs of other shards lie in: the end of the latest bucket in it.

        In microseconds since 1970; strongly consistent.
        """

    def store_packs(self, packs: Sequence[Pack]) -> None:
        """Write packs. A pack of the same bounds always holds the same readings."""

    def load_rows(self, shard_id: str, keys: Collection[RowKey]) -> Mapping[RowKey, Row]:
        """Those rows that exist; strongly consistent."""

    def store_rows(self, shard_id: str, rows: Sequence[tuple[Row, Row]]) -> Collection[RowKey]:
        """Write each row (first) if what is stored still has the version of the one known (second).

        Returns the keys of the rows refused.
        """

    def sight(self, shard_id: str, sightings: Sequence[Sighting]) -> None:
        """Tell the directory of sensors, each once: the latest time stays, and the shard is one the sensor has rows in."""

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Keep what could not be applied."""

    def mark_letters(self, marks: Sequence[LetterMark]) -> None:
        """Keep what was decided about dead letters, whether these are there or not: of each letter the latest mark stays."""

    def load_live_progress(self, shard_id: str) -> Row | None:
        """The progress row that the live generation, perhaps another one, has of a shard; strongly consistent.

        None when there is none, and of a stream that the log has lost: what was sent home there may be lost with it.
        """

    def append_again(self, events: Sequence[tuple[str, bytes]]) -> None:
        """Put events (partition key, line) on the stream once more, each under its own key."""


type Question[S = Stores] = Callable[[S], Any]
type Steps[T, S = Stores] = Generator[Question[S], Any, T]
"""Questions to stores of the protocol `S`, and in the end a T."""


def ask[T](question: Callable[[Stores], T]) -> Steps[T]:
    """Yield one question and return its answer: `found = yield from ask(lambda stores: stores.find_readings(wanted))`."""
    answer: T = yield question
    return answer


def load_rows(shard_id: str, keys: Collection[RowKey]) -> Steps[Mapping[RowKey, Row]]:
    """Those rows of a shard that exist."""
    return (yield from ask(lambda stores: stores.load_rows(shard_id, keys)))


def run[T, S](steps: Steps[T, S], stores: S, answered: Callable[[], object] = lambda: None) -> T:
    """Answer every question from `stores`, in order, and return what the steps return. `answered` is called after each."""
    try:
        question = next(steps)
        while True:
            question = steps.send(question(stores))
            answered()
    except StopIteration as done:
        result: T = done.value
        return result
