"""Makes another generation live so that no client sees a count go back: the steps of `telemetry promote`. Pure.

The pointer gets `next`, and whoever fills the live generation writes nothing any more, SEEN_S later at most. When its progress
rows stood still for STILL_S, and everything of the other generation is written as far as each of them, one conditional write
makes that the live one. After PATIENCE_S without success `next` is taken back, and the consumers go on. `docs/how-it-works.md`,
"Promote", says why nobody is told less than before. A promote that dies on its way leaves `next`, which any supervisor, the
next promote, or `telemetry promote --take-back` takes away; whatever it does later is refused, because the pointer has another
`next` by then.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final, Protocol

from operations.lacking import Lacking, Progress, furthest_behind, lacking, shards_named
from projections.effects import Steps
from projections.generations import Next, Pointer
from telemetry.limits import MICRO

SEEN_S: Final = 1.0
"""How old a pointer may be by which a consumer still writes (`consumer/following.py`)."""
STILL_S: Final = 2.0
"""For how long the live rows must not have moved. No call takes longer before it is given up (`telemetry/aws.py`)."""
PATIENCE_S: Final = 10.0
LEFT_AFTER_S: Final = 15.0
"""A `next` that stands for longer was left behind by a promote that died."""
LOOK_S: Final = 0.25
BEHIND_S_MAX: Final = 15.0
"""A generation that is further behind is not tried: the live one would stand still for nothing. Idle shards are up to ten."""


class World(Protocol):
    """What a promote sees and does. All reads are strongly consistent."""

    def pointer(self) -> Pointer:
        """The pointer as it is."""

    def replace(self, known: Pointer, pointer: Pointer) -> bool:
        """Put a pointer in place of the one that is known, its `next` included; whether that still was the one."""

    def progress(self, generation: int) -> Progress | None:
        """A generation's progress rows; None when it has no tables, or was dropped. What is `next` is not dropped any more."""

    def listed(self) -> Collection[str]:
        """The shards that the stream lists, by the log's names."""

    def now_s(self) -> float:
        """By a clock that nobody sets."""

    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def say(self, text: str) -> None:
        """Tell who waits."""


class Standing:
    """Tells from one look at the pointer after another whether a promote has left its mark behind, by the watcher's clock."""

    def __init__(self) -> None:
        self._coming: Next | None = None
        self._since_s = 0.0

    def left(self, coming: Next | None, now_s: float) -> bool:
        """Whether there is a mark that stands for longer than a promote lasts. `now_s` is by a clock that nobody sets."""
        if coming != self._coming:
            self._coming, self._since_s = coming, now_s
        return coming is not None and now_s - self._since_s >= LEFT_AFTER_S


type PromoteSteps[T] = Steps[T, World]


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operator typed, and the `next` that this promote, and no other, writes."""

    next: Next
    unproved: str = ""
    """Why the generation is not known to be equal to the log; empty when it is, or when that may be so."""
    forget_unarchived: bool = False
    """Readings may go that the log has lost behind the end of a shard."""
    forget_before: bool = False
    """And those that it has lost before or in what it holds of a shard."""


class Ending(Enum):
    """What came of it."""

    LIVE = auto()
    """The generation is live, perhaps by somebody else's doing, perhaps since long."""
    REFUSED = auto()
    """Nothing was changed."""
    TAKEN_BACK = auto()
    """The live generation is the one that it was."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An ending, why it came to that, and how many readings fewer are counted than before."""

    ending: Ending
    why: str = ""
    """In sentences for who typed it."""
    forgotten: int = 0


def promote(asked: Asked) -> PromoteSteps[Outcome]:
    """Make a generation live, if that can be done. What is raised in between leaves `next` to be taken back (`take_back`)."""
    wanted = asked.next.generation
    pointer = yield from _undisputed()
    if pointer.generation == wanted:
        return Outcome(Ending.LIVE)
    live, other = yield from _both(pointer, wanted)
    if live is None or other is None:
        name = wanted if other is None else pointer.generation
        why = f"g{name} has no tables here, or was dropped: telemetry generations shows which there are."
        return Outcome(Ending.REFUSED, why)
    found = lacking(live, other, (yield from _ask(lambda world: world.listed())))
    if why := asked.unproved or _lost(found, asked) or _far_behind(live, other, wanted):
        return Outcome(Ending.REFUSED, why)
    marked = replace(pointer, next=asked.next)
    if not (yield from _replaced(pointer, marked)):
        return Outcome(Ending.REFUSED, "Somebody else has moved the pointer meanwhile: see telemetry doctor, and try again.")
    yield from _say(f"g{pointer.generation} stands still until g{wanted} is as far: {PATIENCE_S:g} s at most.")
    return (yield from _switch(asked, marked))


def take_back(ours: Next | None = None) -> PromoteSteps[Outcome]:
    """Take `next` away, whoever wrote it; or only if it is ours, of a promote of which nobody knows how it ended."""
    while True:
        pointer = yield from _ask(lambda world: world.pointer())
        if ours and pointer.generation == ours.generation:
            return Outcome(Ending.LIVE)
        if pointer.next is None or (ours and pointer.next != ours):
            return Outcome(Ending.REFUSED, f"No promote is under way: generation {pointer.generation} is live.")
        if (yield from _replaced(pointer, replace(pointer, next=None))):
            why = f"The promote of g{pointer.next.generation} that began at {pointer.next.since} is taken back."
            return Outcome(Ending.TAKEN_BACK, f"{why} g{pointer.generation} is live, and its consumers go on.")
        yield from _wait()


def _undisputed() -> PromoteSteps[Pointer]:
    """The pointer, once no other promote is under way; what one left behind is taken away."""
    known, standing = None, Standing()
    while coming := (pointer := (yield from _ask(lambda world: world.pointer()))).next:
        now_s = yield from _ask(lambda world: world.now_s())
        if coming != known:
            known = coming
            yield from _say(f"A promote of g{coming.generation} is under way since {coming.since}: waiting for it.")
        if standing.left(coming, now_s):
            yield from _replaced(pointer, replace(pointer, next=None))
        yield from _wait()
    return pointer


def _switch(asked: Asked, marked: Pointer) -> PromoteSteps[Outcome]:
    """Wait until nothing moves and nothing is behind, and move the pointer; or take back what marks it."""
    began_s = yield from _ask(lambda world: world.now_s())
    seen, since_s = None, began_s + SEEN_S
    while True:
        look_s = yield from _ask(lambda world: world.now_s())
        live, other = yield from _both(marked, asked.next.generation)
        if live is None or other is None:
            return (yield from _given_up(asked, "The tables are gone."))
        moved = {shard_id: (row.position, row.progress.beat) for shard_id, row in live.items()}
        if moved != seen:
            seen, since_s = moved, max(since_s, (yield from _ask(lambda world: world.now_s())))
        found = lacking(live, other, (yield from _ask(lambda world: world.listed())))
        if why := _lost(found, asked):
            return (yield from _given_up(asked, why))
        if look_s - since_s >= STILL_S and not found.behind:
            return (yield from _made_live(asked, marked, found))
        if look_s - began_s >= PATIENCE_S:
            return (yield from _given_up(asked, _too_slow(found, marked.generation, asked.next.generation)))
        yield from _wait()


def _made_live(asked: Asked, marked: Pointer, found: Lacking) -> PromoteSteps[Outcome]:
    if (yield from _replaced(marked, replace(marked, generation=asked.next.generation, next=None))):
        old = marked.generation
        why = f"g{old} is filled by nobody now. The way back: telemetry rebuild --generation {old}, telemetry promote g{old}."
        return Outcome(Ending.LIVE, why, found.readings)
    return Outcome(Ending.TAKEN_BACK, "Somebody else has moved the pointer, or taken this promote back.")


def _given_up(asked: Asked, why: str) -> PromoteSteps[Outcome]:
    outcome = yield from take_back(asked.next)
    return outcome if outcome.ending is Ending.LIVE else Outcome(Ending.TAKEN_BACK, why)


def _lost(found: Lacking, asked: Asked) -> str:
    """What would be forgotten, where nobody has said that it may be; else nothing."""
    name, fewer = f"g{asked.next.generation}", f"{found.readings:,} readings fewer"
    if found.unarchived and not asked.forget_unarchived:
        shards = shards_named(found.unarchived)
        return (
            f"{name} counts {fewer}: the log has lost the end of {shards}. If they may be forgotten, say --forget-unarchived."
        )
    if found.before and not asked.forget_before:
        return (
            f"{name} counts {fewer}, or more than that: the log does not hold {shards_named(found.before)} from the beginning, "
            "or has a gap there. If that may be forgotten, say --forget-before."
        )
    return ""


def _far_behind(live: Progress, other: Progress, generation: int) -> str:
    """Why it is of no use to stop the live generation; nothing when it may be."""
    behind_us, shard_id = furthest_behind(live, other)
    if behind_us <= BEHIND_S_MAX * MICRO:
        return ""
    return (
        f"g{generation} is {behind_us / MICRO:,.0f} s behind in {shard_id}: wait until it is ready (telemetry generations). "
        f"If nobody fills it: telemetry rebuild --generation {generation}."
    )


def _too_slow(found: Lacking, live: int, generation: int) -> str:
    """Why it did not come to an end in time."""
    if found.behind:
        why = f"g{generation} had not written all of {shards_named(found.behind)} as far as g{live} counts"
    else:
        why = f"The consumers of g{live} went on writing"
    return f"{why} after {PATIENCE_S:g} s: taken back, g{live} goes on. Try again; telemetry leases shows who reads what."


def _both(pointer: Pointer, generation: int) -> PromoteSteps[tuple[Progress | None, Progress | None]]:
    """The live rows, then the other ones, which are further by then."""
    live = yield from _ask(lambda world: world.progress(pointer.generation))
    return live, (yield from _ask(lambda world: world.progress(generation)))


def _replaced(known: Pointer, pointer: Pointer) -> PromoteSteps[bool]:
    """Whether the pointer is the one that it was to become, also where the first try's answer was lost."""
    if (yield from _ask(lambda world: world.replace(known, pointer))):
        return True
    found = yield from _ask(lambda world: world.pointer())
    return found == pointer and found.next == pointer.next


def _say(text: str) -> PromoteSteps[None]:
    yield from _ask(lambda world: world.say(text))


def _wait() -> PromoteSteps[None]:
    yield from _ask(lambda world: world.wait(LOOK_S))


def _ask[T](question: Callable[[World], T]) -> PromoteSteps[T]:
    answer: T = yield question
    return answer
