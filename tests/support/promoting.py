"""A pointer, a stream and progress rows in memory, as a promote sees them; and what happens while it waits."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from operations.lacking import Progress
from operations.promoting import Asked, World
from projections.effects import Question
from projections.fold import Stats
from projections.generations import LogStream, Next, Pointer
from projections.retention import Gap
from projections.rows import PROGRESS, Mark, Row
from projections.rows import Progress as Told

LIVE, OTHER = "shardId-000000000000", "shardId-000000000001"
POINTER = Pointer(1, (LogStream("s", "1700000000.000"),))


def row(
    position: int, count: int | None = None, *, flushed: int | None = None, ended: bool = False, gap: Gap | None = None
) -> Row:
    """A progress row at a position; of as many readings, and durable as far, unless the test says otherwise."""
    mark = Mark(position if flushed is None else flushed)
    return Row(
        PROGRESS, position, Stats(position if count is None else count), progress=Told(flushed=mark, ended=ended, gap=gap)
    )


def asked(generation: int = 2, whose: str = "ours", **forget: bool) -> Asked:
    """What was typed."""
    return Asked(Next(generation, "2026-11-26T12:00:00Z", whose), **forget)


class MemoryWorld:
    """Time passes where a promote waits, and `meanwhile` is called then."""

    def __init__(self, live: Progress, other: Progress | None, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.at = POINTER
        self.tables: dict[int, Progress] = {1: live} | ({} if other is None else {2: other})
        self.shards: Collection[str] = {LIVE, OTHER}
        self.meanwhile = meanwhile
        self.clock_s = 100.0
        self.said: list[str] = []

    def pointer(self) -> Pointer:
        """The pointer as it is."""
        return self.at

    def replace(self, known: Pointer, pointer: Pointer) -> bool:
        """Put a pointer in place of the one that is known."""
        if (self.at, self.at.next) != (known, known.next):
            return False
        self.at = pointer
        return True

    def progress(self, generation: int) -> Progress | None:
        """A generation's progress rows."""
        return self.tables.get(generation)

    def listed(self) -> Collection[str]:
        """The shards that the stream lists."""
        return self.shards

    def now_s(self) -> float:
        """The time that has passed."""
        return self.clock_s

    def wait(self, seconds: float) -> None:
        """Let it pass."""
        self.clock_s += seconds
        self.meanwhile()

    def say(self, text: str) -> None:
        """Keep what was said."""
        self.said.append(text)

    def move(self, generation: int, shard_id: str = LIVE, by: int = 1) -> None:
        """A generation's consumer counts some more."""
        rows = self.tables[generation]
        known = rows.get(shard_id) or Row(PROGRESS)
        beat = known.progress.beat + 1
        moved = row(known.position + by)
        self.tables[generation] = {**rows, shard_id: replace(moved, progress=replace(moved.progress, beat=beat))}


class Interrupted(MemoryWorld):
    """Where every question from some number on is answered by an error, or none is but the first so many."""

    def __init__(self, live: Progress, other: Progress, error: BaseException, at: int, times: int = 1) -> None:
        super().__init__(live, other)
        self._errors: Iterator[BaseException | None] = iter([None] * at + [error] * times)

    def pointer(self) -> Pointer:
        """Or the error."""
        self._ask()
        return super().pointer()

    def replace(self, known: Pointer, pointer: Pointer) -> bool:
        """Or the error, once it is done: whoever asked does not know."""
        done = super().replace(known, pointer)
        self._ask()
        return done

    def progress(self, generation: int) -> Progress | None:
        """Or the error."""
        self._ask()
        return super().progress(generation)

    def wait(self, seconds: float) -> None:
        """Or the error."""
        super().wait(seconds)
        self._ask()

    def _ask(self) -> None:
        if error := next(self._errors, None):
            raise error


type Asking = Question[World]
