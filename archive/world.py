"""What archiving a shard asks of the world: of the stream, and of the place where its chain lies.

The steps are a generator that yields questions and is sent the answers, so it holds no client, clock or thread. The same steps
run against Kinesis and S3, and under a scheduler that stops, repeats and crosses them.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from archive.meta import Gap, State, Tail
from archive.names import Place
from archive.wholeness import Stretch
from telemetry.log import LogRecord


class Reached(NamedTuple):
    """How far a shard's chain reaches, as its last object and the shard's state tell."""

    stretch: Stretch
    key: str | None = None
    """The chain's last object; None when there is none."""
    ended: bool = False
    """The last object says that the shard has ended."""
    unknown_parents: tuple[str, ...] = ()
    """Of a shard whose chain has yet to begin: parents that neither the stream nor the archive knows."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of GetRecords. Times are milliseconds since 1970 by our clock, before the call and after the answer."""

    records: Sequence[LogRecord]
    over: bool
    """Nothing will ever follow, as the answer has it: there is no next iterator."""
    behind_ms: int
    asked_ms: int
    answered_ms: int
    retention_ms: int
    """How long the stream keeps a record."""


@dataclass(frozen=True, slots=True)
class Finished:
    """An object that is to be put."""

    key: str
    data: bytes
    tail: Tail
    gap: Gap | None


class World(Protocol):
    """One shard's part of the stream, and its chain. Each method is one question, and safe to repeat.

    Raises StoreUnavailable when the world stays away, WrongStream when another stream has come in the place of this one, and
    ArchiveUnreadable.
    """

    def reached(self) -> Reached:
        """The chain's end, strongly consistent."""

    def read(self, after: Place) -> Page:
        """The next page behind a place, when it is time for it."""

    def oldest(self) -> int | None:
        """The sequence number of the oldest record that the stream keeps of the shard; None when none is seen."""

    def is_closed(self) -> bool:
        """Whether nothing will ever be written to the shard: ListShards shows it closed, or no longer knows it."""

    def put(self, finished: Finished) -> bool:
        """Put an object in its place in the chain; False when that is taken."""

    def reached_from(self, key: str) -> tuple[str, Tail]:
        """The chain's last object and its last line, where this object is in the chain; strongly consistent."""

    def note(self, state: State) -> None:
        """Write down what was seen of the shard."""


type Question = Callable[[World], Any]
type Steps[T] = Generator[Question, Any, T]


def ask[T](question: Callable[[World], T]) -> Steps[T]:
    """Ask one question: `answer = yield from ask(...)`."""
    answer: T = yield question
    return answer


def answered[T](steps: Steps[T], world: World) -> T:
    """Have the world answer all that the steps ask, to their end."""
    try:
        question = next(steps)
        while True:
            question = steps.send(question(world))
    except StopIteration as end:
        result: T = end.value
        return result
