"""Rounds of a hub: a burst of clients, topics that fail, and a process that is asked to stop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from producer_api.live.hub import TOPICS_MAX, Hub
from producer_api.live.topics import Topic
from projections.calendar import Interval
from projections.zones import UTC_ZONE
from telemetry.errors import StoreUnavailable, TooManyStreams, Unanswerable
from tests.producer_api.test_live_hub import FLEET, Tables, looked, state


def test_a_burst_is_held_to_the_bounds_too() -> None:
    """As after a restart: all ask before any of them is told something."""

    class Slow(Hub):
        async def _begin(self, topic: Topic) -> object:  # type: ignore[override]
            from producer_api.live.hub import _Told

            await asyncio.sleep(0)
            return _Told(set(), cast("Any", SimpleNamespace(snapshot=state())), 0)

        async def _look_on(self) -> None:
            """Nothing changes."""

    async def burst(streams_max: int, points: Sequence[int]) -> tuple[int, int]:
        hub = Slow(None, streams_max)  # type: ignore[arg-type]  # nothing is asked
        listening = [hub.listen(Topic((), Interval.MINUTE, one, UTC_ZONE), bool) for one in points]
        found = await asyncio.gather(*listening, return_exceptions=True)
        return hub.streams, sum(isinstance(one, TooManyStreams) for one in found)

    assert asyncio.run(burst(10, [1] * 30)) == (10, 20)
    assert asyncio.run(burst(1_000, range(1, TOPICS_MAX + 31))) == (TOPICS_MAX, 30)


class Listeners:
    """Streams of a hub whose rounds are as long as an event loop takes, and what they were told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tables: Tables) -> None:
        monkeypatch.setattr("producer_api.live.hub._LOOK_S", 0.001)
        monkeypatch.setattr("producer_api.live.hub._CLOSING_S", 0.002)
        self.hub = Hub(cast("Any", tables), 10)
        self.told: list[list[bytes]] = []
        self.over: list[bool] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._heard = asyncio.Event()

    async def add(self, topic: Topic, stopping: Callable[[], bool] = bool) -> int:
        """One more; its number."""
        stream, number = await self.hub.listen(topic, stopping), len(self.told)
        self.told.append([])
        self.over.append(False)
        self._tasks.append(asyncio.create_task(self._hear(stream, number)))
        return number

    async def until(self, seen: Callable[[], bool]) -> None:
        """Until this is seen, which is looked at whenever something was heard."""
        async with asyncio.timeout(10):
            while not seen():
                self._heard.clear()
                await self._heard.wait()

    async def leave(self) -> None:
        """All of them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _hear(self, stream: AsyncIterator[bytes], number: int) -> None:
        async for message in stream:
            self.told[number].append(message)
            self._heard.set()
        self.over[number] = True
        self._heard.set()


def test_a_topic_that_fails_silences_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot be answered any more ends; one whose rows are away waits; the others are told what moved."""

    async def fail() -> None:
        tables = Tables(looked(1, 1))
        listeners = Listeners(monkeypatch, tables)
        unanswerable, away, well = [await listeners.add(Topic((), Interval.MINUTE, points, UTC_ZONE)) for points in (1, 2, 3)]
        tables.faults = {1: Unanswerable("question-too-large", {}), 2: StoreUnavailable("away")}
        tables.now = looked(2, 2)
        await listeners.until(lambda: any(b"event: window" in one for one in listeners.told[well]))
        await listeners.until(lambda: listeners.over[unanswerable])
        assert not any(b"event: window" in one for one in listeners.told[away])
        tables.faults = {}
        await listeners.until(lambda: any(b"event: window" in one for one in listeners.told[away]))
        assert listeners.over == [True, False, False]
        await listeners.leave()

    asyncio.run(fail())


def test_streams_close_though_the_tables_are_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is asked to stop looks at nothing first."""

    async def stop() -> None:
        tables, asked = Tables(looked(1, 1)), False
        listeners = Listeners(monkeypatch, tables)
        await listeners.add(FLEET, lambda: asked)
        tables.away = True
        asked = True
        await listeners.until(lambda: listeners.over[0])

    asyncio.run(stop())


def test_freshness_is_told_by_the_clock() -> None:
    """Every five seconds, however many looks that are."""

    async def follow() -> list[int]:
        clock_s = [0.0]
        hub = Hub(cast("Any", Tables(looked(1, 1))), 1, lambda: clock_s[0])
        stream = await hub.listen(FLEET, bool)
        told = []
        for now_s in (1.0, 2.0, 5.0, 6.0, 9.0, 10.0, 21.0, 22.0):
            clock_s[0] = now_s
            await hub._tell_all()
            (listening,) = hub._topics[FLEET].streams
            told.append(listening.unsent.qsize())
        await stream.aclose()  # type: ignore[attr-defined]
        return told

    assert asyncio.run(follow()) == [1, 1, 2, 2, 2, 3, 4, 4]
