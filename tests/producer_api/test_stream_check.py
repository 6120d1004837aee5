"""What the API knows of the stream that it writes to: whether it is the log's, and what its shards are called."""

import asyncio

import pytest

from producer_api.stream_check import StreamCheck
from projections.generations import LogStream, Pointer
from telemetry.errors import NotSetUp, StoreUnavailable, StreamMissing, WrongStream
from telemetry.streams import FIRST_PLACE, StreamPlace

ONE = Pointer(1, (LogStream("s", "1.000"),))
TWO = ONE.continued("s", "2.000", ["shardId-000000000000"], 2)
WRONG = WrongStream("another")


class World:
    """What the looks find, one after the other, and how often the shards were listed anew."""

    def __init__(self, *found: Pointer | Exception) -> None:
        self._found = list(found)
        self.anew = 0
        self.failing = False
        self.stream = StreamCheck(self._check, self._anew)

    def _check(self) -> Pointer:
        found = self._found.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    async def _anew(self) -> None:
        if self.failing:
            raise StoreUnavailable("no open shard")
        self.anew += 1

    def look(self) -> StreamPlace | None:
        """Look once; the place of the stream, or None when nothing may be stored in it."""
        asyncio.run(self.stream.look())
        try:
            self.stream.require_ours()
        except WrongStream:
            return None
        return self.stream.place


@pytest.mark.parametrize("unknown", [StoreUnavailable("away"), NotSetUp("no pointer")])
def test_until_the_tables_have_answered_the_stream_is_taken_for_the_first(unknown: Exception) -> None:
    """Storing needs the stream alone. Then they say which it is."""
    world = World(unknown, TWO)
    assert (world.look(), world.look()) == (FIRST_PLACE, TWO.place)


def test_when_the_stream_was_made_is_said_once_it_is_known() -> None:
    """To whoever is about to replay into it."""
    world = World(StoreUnavailable("away"), TWO)
    world.look()
    assert world.stream.created is None
    world.look()
    assert world.stream.created == "1970-01-01T00:00:02Z"


def test_a_log_that_goes_on_in_a_new_stream_is_followed() -> None:
    """Nothing is stored while the stream is no one's; its shards are listed anew: they may divide the keys otherwise."""
    world = World(ONE, ONE, WRONG, StoreUnavailable("away"), TWO, TWO)
    assert [world.look() for _ in range(6)] == [FIRST_PLACE, FIRST_PLACE, None, None, TWO.place, TWO.place]
    assert world.anew == 2


def test_nothing_is_stored_in_a_stream_that_was_made_anew_before_the_log_names_it() -> None:
    """Once the old one is known to be gone. What was counted is told all the while."""
    world = World(ONE, StreamMissing("gone"), StoreUnavailable("away"), WRONG, TWO)
    said = []
    for _ in range(5):
        told = world.look()
        try:
            world.stream.require_writable()
        except WrongStream:
            said.append((told, False))
        else:
            said.append((told, True))
    assert said == [(FIRST_PLACE, True), (FIRST_PLACE, False), (FIRST_PLACE, False), (None, False), (TWO.place, True)]


def test_nothing_is_stored_in_a_new_stream_before_its_shards_are_known() -> None:
    """What cannot be listed is asked for again at the next look."""
    world = World(ONE, WRONG, TWO, TWO)
    said = [world.look(), world.look()]
    world.failing = True
    said.append(world.look())
    world.failing = False
    said.append(world.look())
    assert said == [FIRST_PLACE, None, None, TWO.place]
