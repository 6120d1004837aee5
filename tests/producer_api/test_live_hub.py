"""Who listens and who is left: streams of one process, without a server."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from producer_api.live.hub import UNSENT_BYTES_MAX, Hub, Stream
from producer_api.live.topics import Snapshot, State, Topic, differences, state_of
from producer_api.reading.asking import Told
from producer_api.reading.shapes import DetailShape, WindowShape
from projections.calendar import Interval, Window
from projections.dynamodb_reads import LiveLook
from projections.fleet import FleetStats
from projections.fold import Fold, Stats
from projections.generations import LogStream, Pointer
from projections.history import Measured
from projections.marks import Answer, Which
from projections.rows import PROGRESS, Mark, Progress, Row
from projections.sheets import Cell
from projections.zones import UTC_ZONE
from telemetry.errors import StoreUnavailable, TelemetryError, TooManyStreams
from telemetry.limits import HASH_KEY_MAX
from telemetry.reading import Reading


def test_one_who_takes_nothing_is_left() -> None:
    """What was told is kept up to a bound; then the stream ends, and the others go on."""

    async def unread() -> list[bytes]:
        stream = Stream(bool)
        for _ in range(10):
            stream.tell(b"x" * (UNSENT_BYTES_MAX // 4))
        return [message async for message in stream.messages()]

    assert len(asyncio.run(unread())) == 4


def test_a_state_larger_than_what_may_be_left_unread_is_told() -> None:
    """500 windows are: a client that takes it goes on."""
    large = b"x" * (2 * UNSENT_BYTES_MAX)

    async def taken() -> tuple[bytes, bytes]:
        stream = Stream(bool)
        messages = stream.messages()
        stream.tell(large)
        first = await anext(messages)
        following = asyncio.ensure_future(anext(messages))  # asks for the next one: it has taken the first
        await asyncio.sleep(0)
        stream.tell(b"more")
        return first, await following

    assert asyncio.run(taken()) == (large, b"more")


def state(*windows: WindowShape, generation: int = 1, count: int = 1) -> Snapshot:
    """A topic's state."""
    nothing: dict[str, None] = dict.fromkeys(DetailShape.__struct_fields__)
    stats = DetailShape(**nothing | {"Count": count})  # type: ignore[arg-type]  # nothing but the count is looked at
    return Snapshot(generation, None, None, "1", "minute", "UTC", stats, list(windows), [])


def window(start: str, count: int, *, is_open: bool) -> WindowShape:
    """A window of this count."""
    return WindowShape(start, "", count, None, None, None, partial=False, open=is_open)


def names(before: Snapshot, after: Snapshot) -> list[str]:
    """The events that tell the difference."""
    return [name for name, _ in differences(before, after)]


def test_what_differs_is_told_and_nothing_else() -> None:
    """A window that was open goes on, one that was closed is corrected, one that closes says so."""
    old = state(window("1", 5, is_open=False), window("2", 5, is_open=True))
    assert names(old, old) == []
    assert names(old, state(window("1", 6, is_open=False), window("2", 5, is_open=True), count=2)) == ["stats", "correction"]
    assert names(old, state(window("1", 5, is_open=False), window("2", 6, is_open=True))) == ["window"]
    assert names(old, state(window("2", 5, is_open=False), window("3", 1, is_open=True))) == ["window", "window"]
    assert names(old, state(generation=2)) == ["generation", "snapshot"]
    late, later = window("0", 1, is_open=False), window("3", 1, is_open=False)
    assert names(old, state(late, *old.windows)) == ["correction"], "it was closed, and empty"
    assert names(old, state(*old.windows, later)) == ["window"], "it began and closed since"
    assert names(state(), state(later)) == ["window"]


def test_no_more_streams_than_are_allowed() -> None:
    """Nor more topics; what is over frees its place."""

    class Still(Hub):
        async def _begin(self, topic: Topic) -> object:  # type: ignore[override]
            from producer_api.live.hub import _Told

            return _Told(set(), cast("Any", SimpleNamespace(snapshot=state())), 0)

        async def _look_on(self) -> None:
            """Nothing changes."""

    async def fill() -> None:
        hub = Still(None, 2)  # type: ignore[arg-type]  # nothing is asked
        topics = [Topic((), Interval.MINUTE, points, UTC_ZONE) for points in (1, 2, 3)]
        streams: list[AsyncIterator[bytes]] = [await hub.listen(topic, bool) for topic in topics[:2]]
        assert (await anext(streams[0])).startswith(b"retry: ")
        with pytest.raises(TooManyStreams):
            await hub.listen(topics[2], bool)
        await streams[0].aclose()  # type: ignore[attr-defined]
        assert hub.streams == 1
        await hub.listen(topics[2], bool)

    asyncio.run(fill())


SHARD = "shardId-000000000000"
MINUTE_US = 60_000_000
NOON_US = 1_790_000_000 // 60 * 60_000_000


def looked(totals: int, windows: int, everything: int = 0, as_of_us: int = NOON_US - 1, generation: int = 1) -> LiveLook:
    """A look at a fleet of one shard, whose marks stand at these positions; as many readings as its totals' says."""
    progress = Progress(Mark(windows, as_of_us), Mark(everything, as_of_us), hash_range=(0, HASH_KEY_MAX))
    row = Row(PROGRESS, totals, Stats(totals), as_of_us, progress=progress)
    return LiveLook(Pointer(generation, (LogStream("", ""),)), FleetStats({SHARD: row}))


class Tables:
    """In place of `Asking`: answers from what was looked at last, and counts what is read, by kind."""

    def __init__(self, look: LiveLook) -> None:
        self.now, self.read = look, Counter[str]()
        self.faults: Mapping[int, TelemetryError] = {}
        """What reading the windows of so many points raises."""
        self.away = False

    async def look(self) -> LiveLook:
        """What the totals say."""
        if self.away:
            raise StoreUnavailable("away")
        return self.now

    async def ask(self, key: tuple[Any, ...], _: object) -> Told[Any]:
        """A sensor's stats, or the windows."""
        self.read[key[0]] += 1
        if key[0] == "live" and (fault := self.faults.get(key[1].points)):
            raise fault
        generation = self.now.pointer.generation
        if key[0] == "sensor":
            fold = Fold()
            fold.add(Reading(NOON_US, key[1], 7))
            return Told(Answer(fold.stats(), self.now.fleet.marks(Which.EVERYTHING)), generation)
        marks = self.now.fleet.marks(Which.EVERYTHING if key[1].subject else Which.WINDOWS)
        cell = Cell(marks.shards[SHARD].position, 0, 0, 0, 0)
        return Told(Answer([Measured(Window(NOON_US - MINUTE_US, NOON_US), cell, None)], marks), generation)


def states(tables: Tables, topic: Topic, *looks: LiveLook, now_us: int = NOON_US + 1) -> list[State]:
    """The states of a topic at these looks, each from the one before; the tables stand at the look."""

    async def follow() -> list[State]:
        found: list[State] = []
        for look in looks:
            tables.now = look
            found.append(await state_of(topic, look, cast("Any", tables), now_us, found[-1] if found else None))
        return found

    return asyncio.run(follow())


FLEET, BESIDE = Topic((), Interval.MINUTE, 3, UTC_ZONE), Topic(("a", "b"), Interval.MINUTE, 3, UTC_ZONE)


def test_what_no_mark_has_moved_for_is_not_read_again() -> None:
    """Totals come with the look; windows are read when theirs has moved, and sensors when everything's has."""
    tables = Tables(looked(1, 1))
    first, same, more, windows = states(tables, BESIDE, looked(1, 1), looked(1, 1), looked(2, 1), looked(3, 3))
    assert same is first
    assert [one.snapshot.stats.Count for one in (first, more, windows)] == [1, 2, 3]
    assert [one.snapshot.windows[0].count for one in (first, more, windows)] == [1, 1, 3]
    assert tables.read == {"live": 2, "sensor": 2}
    states(tables, BESIDE, looked(1, 1), looked(2, 2, 2))
    assert tables.read == {"live": 4, "sensor": 6}


def test_a_sensor_that_nothing_is_read_of_is_silent_for_longer_all_the_same() -> None:
    """Its silence is told as of the state."""
    tables = Tables(looked(1, 1))
    (first,) = states(tables, BESIDE, looked(1, 1))
    later = asyncio.run(state_of(BESIDE, looked(2, 1), cast("Any", tables), NOON_US + 9_000_001, first))
    assert [one.silent_for_s for one in (*first.snapshot.sensors, *later.snapshot.sensors)] == [0, 0, 9, 9]
    assert tables.read["sensor"] == 2


def test_an_answer_that_was_under_way_is_asked_for_again() -> None:
    """It may stand at an older mark than the look, and no mark need move any more."""
    tables = Tables(looked(1, 1))
    older = asyncio.run(state_of(FLEET, looked(2, 2), cast("Any", tables), NOON_US + 1))
    tables.now = looked(2, 2)
    newer = asyncio.run(state_of(FLEET, tables.now, cast("Any", tables), NOON_US + 1, older))
    assert [one.snapshot.windows[0].count for one in (older, newer)] == [1, 2]


def test_a_window_that_is_over_is_told_closed_though_nothing_came() -> None:
    """By the as-of, which moves without a position; and when another one begins."""
    tables = Tables(looked(1, 1))
    open_one, closed = states(tables, FLEET, looked(1, 1), looked(1, 1, as_of_us=NOON_US))
    assert [one.snapshot.windows[0].open for one in (open_one, closed)] == [True, False]
    assert tables.read == {"live": 2}
    asyncio.run(state_of(FLEET, tables.now, cast("Any", tables), NOON_US + MINUTE_US, closed))
    assert tables.read == {"live": 3}


def test_what_one_look_saw_is_sent_at_once() -> None:
    """The same bytes to all who listen, in one piece."""

    async def told() -> list[bytes]:
        tables = Tables(looked(1, 1))
        clock = iter([0, 5])
        hub = Hub(cast("Any", tables), 9, lambda: next(clock))
        streams = [await hub.listen(FLEET, bool) for _ in range(2)]
        for stream in streams:
            assert (await anext(stream)).startswith(b"retry: ")
            assert (await anext(stream)).startswith(b"event: snapshot")
        tables.now = looked(2, 2)
        await hub._tell_all()
        return [await anext(stream) for stream in streams]

    first, second = asyncio.run(told())
    assert re.findall(rb"^event: (\w+)$", first, re.MULTILINE) == [b"stats", b"window", b"freshness"]
    assert second is first


def test_of_one_sensor_nothing_is_read_when_others_send() -> None:
    """Its figures stand on the mark of everything."""
    tables = Tables(looked(1, 1))
    first, others, moved = states(
        tables, Topic(("a",), Interval.HOUR, 3, UTC_ZONE), looked(1, 1, 1), looked(2, 1, 1), looked(3, 3, 3)
    )
    assert others is first
    assert moved is not first
    assert tables.read["sensor"] == 2


def test_a_state_is_of_one_generation() -> None:
    """Where another one becomes live while it is read, it is read again, at a look that knows that."""
    tables = Tables(looked(5, 5, 5, generation=2))
    for topic in (FLEET, BESIDE):
        known = asyncio.run(state_of(topic, looked(1, 1), cast("Any", Tables(looked(1, 1))), NOON_US + 1))
        for before in (None, known):
            found = asyncio.run(state_of(topic, looked(1, 1), cast("Any", tables), NOON_US + MINUTE_US + 1, before)).snapshot
            assert (found.generation, found.stats.Count, found.windows[0].count) == (2, 5, 5)


def test_nobody_begins_with_a_generation_that_is_not_live_any_more() -> None:
    """Who listens already is told of it then, and not a second time."""

    async def told() -> tuple[bytes, bytes, int]:
        tables = Tables(looked(1, 1))
        hub = Hub(cast("Any", tables), 9)
        first = await hub.listen(FLEET, bool)
        for _ in range(2):
            await anext(first)
        tables.now = looked(5, 5, generation=2)
        second = await hub.listen(FLEET, bool)
        await anext(second)
        began = await anext(second)
        await hub._tell_all()
        (stream, _) = hub._topics[FLEET].streams
        return began, await anext(first), stream.unsent.qsize()

    began, moved, left = asyncio.run(told())
    assert began.startswith(b'event: snapshot\ndata: {"generation":2')
    assert re.findall(rb"^event: (\w+)$", moved, re.MULTILINE) == [b"generation", b"snapshot"]
    assert left == 0
