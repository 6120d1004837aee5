"""A promote, step by step: what it waits for, what it refuses, and what it leaves behind however it ends."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from operations.promoting import (
    LEFT_AFTER_S,
    LOOK_S,
    PATIENCE_S,
    SEEN_S,
    STILL_S,
    Asked,
    Ending,
    Outcome,
    PromoteSteps,
    promote,
    take_back,
)
from operations.switching import promote_or_take_back
from projections.effects import run
from projections.generations import Next, Pointer
from projections.rows import Row
from telemetry.errors import StoreUnavailable
from tests.support.promoting import LIVE, OTHER, POINTER, Interrupted, MemoryWorld, asked, row

SWITCHED = replace(POINTER, generation=2)


def promoted(world: MemoryWorld, what: Asked | None = None) -> Outcome:
    """What comes of a promote."""
    return run(promote(what or asked()), world)


def is_as_before(world: MemoryWorld) -> bool:
    """Whether the live generation is the old one, and its consumers may write."""
    return (world.at, world.at.next) == (POINTER, None)


def test_a_generation_becomes_live_once_nothing_moved_for_a_while() -> None:
    """As long after the last write that was seen, and after the time that a consumer may take to see the pointer."""
    world = MemoryWorld({LIVE: row(5)}, {LIVE: row(9)})
    outcome = promoted(world)
    assert (outcome.ending, outcome.forgotten, world.at, world.at.next) == (Ending.LIVE, 0, SWITCHED, None)
    assert "rebuild --generation 1" in outcome.why
    assert SEEN_S + STILL_S <= world.clock_s - 100 < SEEN_S + STILL_S + 2 * LOOK_S


@pytest.mark.parametrize("moves", ["position", "beat", "shard"])
def test_whatever_moves_is_waited_for(moves: str) -> None:
    """A record, a sign of life, or a shard that is new."""
    until_s = 104.0

    def live() -> None:
        if world.clock_s <= until_s:
            if moves == "beat":
                known = world.tables[1][LIVE]
                renewed = replace(known, progress=replace(known.progress, beat=known.progress.beat + 1))
                world.tables[1] = {LIVE: renewed}
            else:
                world.move(1, LIVE if moves == "position" else OTHER)

    world = MemoryWorld({LIVE: row(5)}, {LIVE: row(900), OTHER: row(900)}, live)
    assert promoted(world).ending is Ending.LIVE
    assert until_s + STILL_S <= world.clock_s < until_s + STILL_S + 2 * LOOK_S


def test_a_generation_that_does_not_get_as_far_is_not_made_live() -> None:
    """Ten seconds later the live one goes on, and it is said which shard was not durable as far."""
    world = MemoryWorld({LIVE: row(5), OTHER: row(3)}, {LIVE: row(9), OTHER: row(4, flushed=2)})
    outcome = promoted(world)
    assert (outcome.ending, is_as_before(world)) == (Ending.TAKEN_BACK, True)
    assert f"g2 had not written all of {OTHER} as far as g1 counts after 10 s" in outcome.why
    assert PATIENCE_S <= world.clock_s - 100 < PATIENCE_S + 2 * LOOK_S


def test_consumers_that_do_not_stop_keep_their_generation_live() -> None:
    """They may be of an older version, or not see the pointer."""
    world = MemoryWorld({LIVE: row(5)}, {LIVE: row(900)}, lambda: world.move(1))
    outcome = promoted(world)
    assert (outcome.ending, is_as_before(world)) == (Ending.TAKEN_BACK, True)
    assert "The consumers of g1 went on writing" in outcome.why


def test_one_that_catches_up_in_time_is_made_live() -> None:
    """It counts on while the live one stands still, a shard that is new to it included."""

    def goes_on() -> None:
        world.move(2)
        world.move(2, OTHER)

    world = MemoryWorld({LIVE: row(5), OTHER: row(3)}, {LIVE: row(1)}, goes_on)
    assert promoted(world).ending is Ending.LIVE
    assert 100 + 5 * LOOK_S <= world.clock_s < 105


@pytest.mark.parametrize(
    ("live", "other", "flag"),
    [
        (row(5, ended=True), row(3, ended=True), "forget_unarchived"),
        (row(5), row(9, 3), "forget_before"),
    ],
)
def test_what_would_be_forgotten_has_to_be_typed(live: Row, other: Row, flag: str) -> None:
    """It says by how many fewer; the other word does not do."""
    word, unarchived = "--" + flag.replace("_", "-"), flag == "forget_unarchived"
    for what in (asked(), asked(forget_unarchived=not unarchived, forget_before=unarchived)):
        world = MemoryWorld({LIVE: live}, {LIVE: other})
        outcome = promoted(world, what)
        assert (outcome.ending, is_as_before(world), world.clock_s) == (Ending.REFUSED, True, 100)
        assert "g2 counts 2 readings fewer" in outcome.why
        assert word in outcome.why
    world = MemoryWorld({LIVE: live}, {LIVE: other})
    permitted = asked(forget_unarchived=unarchived, forget_before=not unarchived)
    assert promoted(world, permitted) == Outcome(Ending.LIVE, promoted_why(), 2)


def promoted_why() -> str:
    """What is said of the generation before."""
    return promoted(MemoryWorld({}, {})).why


def test_what_turns_out_to_be_lost_while_it_waits_is_not_forgotten() -> None:
    """It had not been read as far before."""
    world = MemoryWorld({LIVE: row(5)}, {LIVE: row(4)}, lambda: world.tables.update({2: {LIVE: row(9, 4)}}))
    outcome = promoted(world)
    assert (outcome.ending, is_as_before(world), "--forget-before" in outcome.why) == (Ending.TAKEN_BACK, True, True)


def test_what_cannot_be_is_refused_before_anybody_stands_still() -> None:
    """No tables, no proof, or far behind."""

    def until(as_of_s: int) -> Row:
        return replace(row(5), as_of_us=as_of_s * 10**6)

    worlds = {
        "g2 has no tables here": (MemoryWorld({LIVE: row(5)}, None), asked()),
        "nobody knows": (MemoryWorld({}, {}), replace(asked(), unproved="nobody knows")),
        f"g2 is 16 s behind in {LIVE}": (MemoryWorld({LIVE: until(100)}, {LIVE: until(84)}), asked()),
    }
    for why, (world, what) in worlds.items():
        outcome = promoted(world, what)
        assert (outcome.ending, is_as_before(world), world.clock_s, world.said) == (Ending.REFUSED, True, 100, [])
        assert why in outcome.why


def test_what_is_live_already_stays_so() -> None:
    """Whoever types it twice is told the same."""
    world = MemoryWorld({}, None)
    assert promoted(world, asked(1)) == Outcome(Ending.LIVE)
    assert is_as_before(world)


def test_a_promote_waits_for_another_one() -> None:
    """That has come to its end: then there is nothing left to do."""
    theirs = Next(2, "earlier", "theirs")

    def ends() -> None:
        if world.clock_s >= 103:
            world.at = SWITCHED

    world = MemoryWorld({}, {}, ends)
    world.at = replace(POINTER, next=theirs)
    assert promoted(world) == Outcome(Ending.LIVE)
    assert world.said == ["A promote of g2 is under way since earlier: waiting for it."]


def test_what_a_promote_left_that_died_is_taken_away_by_the_next() -> None:
    """Once it has stood for longer than any that is alive."""
    world = MemoryWorld({LIVE: row(5)}, {LIVE: row(9)})
    world.at = replace(POINTER, next=Next(2, "earlier", "theirs"))
    assert promoted(world).ending is Ending.LIVE
    assert world.clock_s - 100 >= LEFT_AFTER_S + SEEN_S + STILL_S


def _killed(world: MemoryWorld, steps: PromoteSteps[Outcome], questions: int) -> bool:
    """Let it ask so many questions, and be gone, the last one carried out; whether it had not come to its end before."""
    try:
        question = next(steps)
        for _ in range(questions):
            question = steps.send(question(world))
    except StopIteration:
        return False
    question(world)
    return True


@pytest.mark.parametrize("mend", ["promote", "take-back"])
def test_one_that_was_killed_at_any_step_is_mended(mend: str) -> None:
    """By the next one, whatever that promotes, or by hand."""
    questions, marked = 0, 0
    while True:
        world = MemoryWorld({LIVE: row(5)}, {LIVE: row(9)})
        if not _killed(world, promote(asked()), questions):
            break
        marked += world.at.next is not None
        if mend == "promote":
            assert promoted(world, asked(whose="another")).ending is Ending.LIVE
            assert (world.at, world.at.next) == (SWITCHED, None)
        else:
            generation = world.at.generation
            outcome = run(take_back(), world)
            assert outcome.ending in (Ending.TAKEN_BACK, Ending.REFUSED)
            assert (world.at.generation, world.at.next) == (generation, None)
            assert f"generation {generation} is live" in outcome.why or f"g{generation} is live" in outcome.why
        questions += 1
    assert (questions > 60, marked > 50) == (True, True)


@pytest.mark.parametrize("again", [False, True])
def test_one_that_slept_moves_nothing_once_others_have_gone_on(*, again: bool) -> None:
    """Wherever it fell asleep: its mark was taken back, the consumers counted on, and somebody may promote once more."""
    questions, slept = 0, 0
    while True:
        world = MemoryWorld({LIVE: row(5)}, {LIVE: row(9)})
        steps = promote(asked())
        try:
            question = next(steps)
            for _ in range(questions):
                question = steps.send(question(world))
        except StopIteration:
            break
        questions += 1
        if world.at.next is None:
            continue
        run(take_back(), world)
        world.move(1, by=50)
        if again:
            world.at = replace(POINTER, next=Next(2, "later", "another"))
        marked = world.at.next
        assert _rest(steps, question, world).ending is Ending.TAKEN_BACK
        assert (world.at, world.at.next) == (POINTER, marked)
        slept += 1
    assert slept > 50


def _rest(steps: PromoteSteps[Outcome], question: Callable[..., object], world: MemoryWorld) -> Outcome:
    try:
        while True:
            question = steps.send(question(world))
    except StopIteration as done:
        outcome: Outcome = done.value
        return outcome


def test_an_answer_that_was_lost_is_found_out() -> None:
    """The client tries again by itself, and the second try is refused because the first was carried out."""

    class Lossy(MemoryWorld):
        def replace(self, known: Pointer, pointer: Pointer) -> bool:
            super().replace(known, pointer)
            return super().replace(known, pointer)

    world = Lossy({LIVE: row(5)}, {LIVE: row(9)})
    assert promoted(world).ending is Ending.LIVE
    world = Lossy({LIVE: row(5)}, {LIVE: row(4)})
    assert (promoted(world).ending, is_as_before(world)) == (Ending.TAKEN_BACK, True)


@pytest.mark.parametrize("error", [StoreUnavailable("away"), KeyboardInterrupt()])
def test_one_that_is_interrupted_leaves_nothing_behind(error: BaseException) -> None:
    """At whatever question, once it is carried out; where that was the last one, the generation is live."""
    for at in range(80):
        world = Interrupted({LIVE: row(5)}, {LIVE: row(9)}, error, at)
        try:
            outcome = promote_or_take_back(world, asked())
        except type(error):
            assert is_as_before(world)
        else:
            assert (outcome.ending, world.at, world.at.next) == (Ending.LIVE, SWITCHED, None)
            if world.clock_s >= 100 + SEEN_S + STILL_S:
                return
    raise AssertionError("it never came to its end")


def test_to_take_back_is_to_be_on_the_safe_side() -> None:
    """Whoever's it is; where none is under way, that is said."""
    world = MemoryWorld({}, {})
    assert run(take_back(), world).why == "No promote is under way: generation 1 is live."
    world.at = replace(POINTER, next=Next(2, "at noon", "theirs"))
    outcome = run(take_back(), world)
    assert (outcome.ending, is_as_before(world)) == (Ending.TAKEN_BACK, True)
    assert outcome.why == "The promote of g2 that began at at noon is taken back. g1 is live, and its consumers go on."
    world.at = replace(POINTER, next=Next(2, "", "theirs"))
    assert run(take_back(asked().next), world).ending is Ending.REFUSED
    assert world.at.next
