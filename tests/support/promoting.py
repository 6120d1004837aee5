"""A pointer, a stream and progress rows in memory, as a promote sees them; and what clients may not see of one."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import NamedTuple

from operations.lacking import Progress
from operations.promoting import Asked
from producer_api.shared import SHARED_AGE_S_MAX
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


def asked(generation: int = 2, whose: str = "ours", *, forget_unarchived: bool = False, forget_before: bool = False) -> Asked:
    """What was typed."""
    marked = Next(generation, "2026-11-26T12:00:00Z", whose)
    return Asked(marked, forget_unarchived=forget_unarchived, forget_before=forget_before)


class Answer(NamedTuple):
    """What a client was told by a process of the API."""

    process: int
    asked_s: float
    answered_s: float
    generation: int
    counted: int


def went_back(answers: Collection[Answer]) -> list[tuple[Answer, Answer]]:
    """Each answer that counts less than one that was there before it was asked for, with that one.

    Two processes share what they read for a moment, so answers of one generation may cross by as much.
    """
    found: list[tuple[Answer, Answer]] = []
    before = sorted(answers, key=lambda one: one.answered_s)
    for lag_s in (0.0, SHARED_AGE_S_MAX):
        most: dict[tuple[int, int], Answer] = {}
        known = 0
        for one in sorted(answers, key=lambda one: one.asked_s):
            while known < len(before) and before[known].answered_s <= one.asked_s - lag_s:
                whose = before[known].process, before[known].generation
                most[whose] = max(most.get(whose, before[known]), before[known], key=lambda answer: answer.counted)
                known += 1
            for (process, generation), other in most.items():
                if other.counted > one.counted and (lag_s or process == one.process or generation != one.generation):
                    found.append((other, one))
    return found


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
