"""Who listens and who is left: streams of one process, without a server."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from producer_api.live.hub import UNSENT_BYTES_MAX, Hub, Stream
from producer_api.live.topics import Snapshot, Topic, differences
from producer_api.reading.shapes import DetailShape, WindowShape
from projections.calendar import Interval
from projections.zones import UTC_ZONE
from telemetry.errors import TooManyStreams


def test_one_who_takes_nothing_is_left() -> None:
    """What was told is kept up to a bound; then the stream ends, and the others go on."""

    async def unread() -> list[bytes]:
        stream = Stream(bool)
        for _ in range(10):
            stream.tell(b"x" * (UNSENT_BYTES_MAX // 4))
        return [message async for message in stream.messages()]

    assert len(asyncio.run(unread())) == 4


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


def test_no_more_streams_than_are_allowed() -> None:
    """Nor more topics; what is over frees its place."""

    class Still(Hub):
        async def _begin(self, topic: Topic) -> object:  # type: ignore[override]
            from producer_api.live.hub import _Told

            return _Told(set(), state(), None)

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
