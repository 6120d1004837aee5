"""What the read model asks of the world: a protocol of reads, and steps that ask it one question at a time.

The read model is generators as the batch algorithm is (`effects.py`): the same steps run against DynamoDB, in memory, and under
a scheduler that lets workers go on between two of their questions. Pure.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from projections.effects import Steps
from projections.packs import Pack
from projections.rows import Row, RowKey

ROWS_MAX: Final = 20_000
"""Rows that one question reads at most, beside the marks (contract, "Reading")."""
ROWS_WITH_PERCENTILES_MAX: Final = 5_000
"""Whose histograms are merged, which takes longer."""
PACKED_READINGS_MAX: Final = 100_000
"""And readings out of packs."""


class Listing(NamedTuple):
    """A sensor in the directory."""

    sensor_id: str
    seen_s: int
    """When it was last seen (`rows.seen_hour_s`)."""
    shards: frozenset[str]
    """Those it has rows in, or is about to."""


class Silence(NamedTuple):
    """A sensor by when it was last seen: what the directory's index is ordered by."""

    seen_s: int
    sensor_id: str


class Page[T](NamedTuple):
    """Some of a list, in its order."""

    items: Sequence[T]
    more: bool
    """Whether there may be others after these, which are not none then."""


class Reads(Protocol):
    """The tables as readers see them, strongly consistent but for `silent`. Methods raise StoreUnavailable or boto3's errors.

    A question is not a snapshot: what it finds may be of different moments, each at or after the one it was asked.
    """

    def rows(self, keys: Collection[tuple[str, RowKey]]) -> Mapping[tuple[str, RowKey], Row]:
        """Those rows that exist; the shard first."""

    def rows_between(self, scope: str, first: str, last: str, most: int | None = None) -> Sequence[tuple[str, Row]]:
        """The rows of a scope whose windows lie from `first` to `last`, both included, in the order of text, with their shards.

        Only the first `most` of them, when it says how many.
        """

    def packs_between(self, sensor_id: str, first: str, last: str, most: int, *, newest_first: bool = False) -> Sequence[Pack]:
        """A sensor's packs of the buckets from `first` to `last`, both included (`Bucket.time`), by time or against it.

        Once they hold more than `most` readings, those that follow may be left out.
        """

    def sensors(self, scope: str, after: str, prefix: str, limit: int) -> Page[Listing]:
        """Sensors of one of DIRECTORY_SCOPES by id, at most `limit`: those after `after` that begin with `prefix`."""

    def silent(self, scope: str, after: Silence | None, limit: int) -> Page[Silence]:
        """Sensors of one of DIRECTORY_SCOPES, those first that were seen longest ago, then by id; eventually consistent.

        About `limit` of them: never some of those seen at one moment and some not.
        """

    def listings(self, sensor_ids: Collection[str]) -> Mapping[str, Listing]:
        """What the directory says of these sensors; those it does not know are left out."""

    def at_once[T](self, questions: Sequence[Callable[["Reads"], T]]) -> Sequence[T]:
        """The answers to several questions, in their order, none of which waits for another: each is of a moment of its own.

        One that fails fails them all. None may ask several at once itself.
        """


type ReadSteps[T] = Steps[T, Reads]


def look[T](question: Callable[[Reads], T]) -> ReadSteps[T]:
    """Yield one question and return its answer: `rows = yield from look(lambda reads: reads.rows(keys))`."""
    answer: T = yield question
    return answer


def look_at_once[T](questions: Sequence[Callable[[Reads], T]]) -> ReadSteps[Sequence[T]]:
    """Yield several questions as one, of which none needs another's answer, and return the answers in their order."""
    return (yield from look(lambda reads: reads.at_once(questions)))
