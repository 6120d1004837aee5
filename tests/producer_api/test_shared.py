"""One read for many: who gets which, and who waits for the next."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from producer_api import shared
from producer_api.shared import Shared
from telemetry.errors import StoreUnavailable


class Reading:
    """Reads that a test lets end: each answers with its number, and those from `passing` on pass."""

    def __init__(self, *, passing: int = 99) -> None:
        self.began = 0
        self._passing = passing
        self._started = [threading.Event() for _ in range(9)]
        self._goes_on = [threading.Event() for _ in range(9)]

    def __call__(self) -> int:
        self.began += 1
        number = self.began
        self._started[number].set()
        assert self._goes_on[number].wait(10)
        return number

    def passes(self, number: int) -> bool:
        return number >= self._passing

    def end(self, *numbers: int) -> None:
        for number in numbers:
            self._goes_on[number].set()

    async def has_begun(self, number: int) -> None:
        assert await asyncio.to_thread(self._started[number].wait, 10)


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that says when something was asked, and when it began to be read."""
    made = Clock()
    monkeypatch.setattr(shared, "monotonic", made)
    return made


def on_loop[T](steps: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(steps())


def test_all_who_ask_while_it_runs_get_what_it_read(clock: Clock) -> None:
    """And those within the time for which it is shared; then another begins."""
    reading = Reading()
    reading.end(1, 2)

    async def steps() -> list[int]:
        read = Shared(reading, 0.05)
        answers = await asyncio.gather(*(read.get() for _ in range(5)))
        for passed_s in (0.04, 0.02):
            clock.now_s += passed_s
            answers.append(await read.get())
        return answers

    assert on_loop(steps) == [1] * 6 + [2]


def test_while_a_promote_is_under_way_nobody_gets_what_was_read_before_he_asked(clock: Clock) -> None:
    """Neither of a read that has ended nor of one that is under way; all who wait share the next."""
    reading = Reading(passing=1)

    async def steps() -> list[int]:
        read = Shared(reading, 60, reading.passes)
        first = asyncio.create_task(read.get())
        await reading.has_begun(1)
        clock.now_s += 0.01
        others = [asyncio.create_task(read.get()) for _ in range(3)]
        await asyncio.sleep(0)
        reading.end(1, 2, 3)
        answers = [await first, *[await other for other in others]]
        clock.now_s += 0.01
        return [*answers, await read.get()]

    assert on_loop(steps) == [1, 2, 2, 2, 3]


def test_what_is_read_for_longer_answers_no_later_question(clock: Clock) -> None:
    """A promote might have begun and ended since it began; one that is asked in time may have it."""
    reading = Reading()

    async def steps() -> tuple[int, int, int]:
        read = Shared(reading, 0.05)
        first = asyncio.create_task(read.get())
        await reading.has_begun(1)
        clock.now_s += 0.9
        second = asyncio.create_task(read.get())
        await asyncio.sleep(0)
        clock.now_s += 0.1
        late = asyncio.create_task(read.get())
        await asyncio.sleep(0)
        reading.end(1, 2)
        return await first, await second, await late

    assert on_loop(steps) == (1, 1, 2)


def test_a_read_that_hangs_is_asked_once_and_serves_nobody_who_came_later(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is told in time; what it says in the end is too old."""
    monkeypatch.setattr(shared, "READ_S_MAX", 0.05)
    reading = Reading()

    async def steps() -> int:
        read = Shared(reading, 0.01)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await read.get()
            clock.now_s += 2
        assert reading.began == 1
        later = asyncio.create_task(read.get())
        await asyncio.sleep(0)
        reading.end(1, 2)
        return await later

    assert on_loop(steps) == 2


def test_what_it_raises_is_raised_to_all_and_soon_tried_again(clock: Clock) -> None:
    """Under the same rule of time."""
    times = []

    def fail() -> int:
        times.append(1)
        if len(times) == 1:
            raise StoreUnavailable("away")
        return len(times)

    async def steps() -> tuple[list[bool], int]:
        read = Shared(fail, 0.05, lambda _: True)
        answers = await asyncio.gather(*(read.get() for _ in range(3)), return_exceptions=True)
        clock.now_s += 0.06
        return [isinstance(one, StoreUnavailable) for one in answers], await read.get()

    assert on_loop(steps) == ([True] * 3, 2)
