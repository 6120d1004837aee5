"""The shards of a log are read side by side, parents before children, each in its order, out of one source or several."""

import threading
from collections.abc import Collection, Iterator, Sequence
from random import Random

import pytest

from telemetry.log import Gap, Log, LogRecord, Page, Position
from telemetry.shards import Shard


def shard(shard_id: str, *parents: str) -> Shard:
    return Shard(shard_id, 0, 1, parents)


FAMILY = [shard("child", "left", "right"), shard("left"), shard("right", "gone"), shard("grandchild", "child"), shard("other")]


class Fake:
    """A source that holds records by number, of which a page has a few."""

    def __init__(self, shards: Sequence[Shard], numbers: range = range(1, 21)) -> None:
        self._shards, self._numbers = shards, numbers
        self.begun: list[str] = []

    def shards(self) -> Collection[Shard]:
        return self._shards

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        self.begun.append(shard.shard_id)
        chance = Random(shard.shard_id)  # noqa: S311  any will do
        left = [number for number in self._numbers if after is None or number > after.sequence_number]
        while left:
            size = chance.randint(1, 4)
            yield Page(shard.shard_id, [LogRecord(number, number, b"") for number in left[:size]])
            left = left[size:]


def read(log: Log, **begin: object) -> list[tuple[str, int]]:
    pages = log.pages(**begin)  # type: ignore[arg-type]
    return [(page.shard_id, record.sequence_number) for page in pages for record in page.records]


@pytest.mark.parametrize("at_once", [1, 2, 64])
def test_parents_come_before_their_children_and_each_shard_in_its_order(at_once: int) -> None:
    """However many are read at once; a parent that is not there any more holds nobody."""
    found = read(Log([Fake(FAMILY)], at_once=at_once))
    assert sorted(found) == sorted((one.shard_id, number) for one in FAMILY for number in range(1, 21))
    for one in FAMILY:
        own = [place for place, (shard_id, _) in enumerate(found) if shard_id == one.shard_id]
        assert [found[place][1] for place in own] == list(range(1, 21))
        of_parents = [place for place, (shard_id, _) in enumerate(found) if shard_id in one.parents]
        assert not of_parents or max(of_parents) < own[0]


def test_shards_are_read_side_by_side() -> None:
    """None waits for the end of another that is not its parent: both come to where each waits for the other."""
    meeting = threading.Barrier(2, timeout=20)

    class Meeting(Fake):
        def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
            meeting.wait()
            yield from super().read(shard, after)

    assert len(read(Log([Meeting([shard("a"), shard("b")])]))) == 40


def test_the_seam_between_two_sources_is_not_seen() -> None:
    """Each source goes on after the last record of the one before, where both know a shard and where one does."""
    archive, stream = Fake([shard("a"), shard("old")], range(1, 12)), Fake([shard("a"), shard("new")], range(5, 21))
    found = read(Log([archive, stream]))
    assert [number for shard_id, number in found if shard_id == "a"] == list(range(1, 21))
    assert (sorted(archive.begun), sorted(stream.begun)) == (["a", "old"], ["a", "new"])


class Told(Fake):
    """A source that says something at the end of a shard, and notes behind what it was asked to read."""

    def __init__(self, shards: Sequence[Shard], numbers: range, last: Page | None = None) -> None:
        super().__init__(shards, numbers)
        self._last = last
        self.asked: dict[str, Position | None] = {}

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        self.asked[shard.shard_id] = after
        yield from super().read(shard, after)
        if self._last:
            yield self._last._replace(shard_id=shard.shard_id)


def test_a_source_may_have_read_further_than_its_last_record() -> None:
    """What it passed over, or saw not to be there, nobody is asked for again."""
    archive = Told([shard("a")], range(1, 4), Page("a", reached=Position(9, 90)))
    stream = Told([shard("a")], range(1, 12))
    assert read(Log([archive, stream])) == [("a", number) for number in (1, 2, 3, 10, 11)]
    assert stream.asked == {"a": Position(9, 90)}


def test_a_source_that_saw_a_shards_end_is_the_last_one_asked() -> None:
    """The shard ends once."""
    archive, stream = Told([shard("a")], range(1, 4), Page("a", ended=True)), Told([shard("a")], range(1, 12))
    pages = list(Log([archive, stream]).pages())
    assert ([page.ended for page in pages].count(True), stream.asked) == (1, {})


def test_a_shard_is_younger_than_its_parents_last_record() -> None:
    """Whoever reads it is told, at its start; also when the parents were read long ago. Of others nothing is known."""
    source = Told(FAMILY, range(1, 4))
    read(Log([source]), after={"left": Position(3, 30), "gone": Position(3, 40)}, ended={"left", "gone"})
    assert source.asked == {
        "right": Position(0, 40),
        "child": Position(0, 30),
        "grandchild": Position(0, 3),
        "other": None,
    }


def test_reading_goes_on_where_it_was() -> None:
    """After the positions, without the shards that were read to their end, whose children may begin."""
    source = Fake(FAMILY)
    found = read(Log([source]), after={"left": Position(15, 15), "right": Position(20, 20)}, ended={"right", "other"})
    assert [place for place in found if place[0] == "left"] == [("left", number) for number in range(16, 21)]
    assert sorted(source.begun) == ["child", "grandchild", "left"]


def test_a_shard_that_went_away_half_read_is_a_gap() -> None:
    """No source knows it any more; one that had been read to its end is none."""
    pages = list(Log([Fake([shard("a")])]).pages({"b": Position(1, 5), "c": Position(1, 6)}, {"c"}))
    assert pages[0] == Page("b", gap=Gap("b", 5, None), ended=True)
    assert not any(page.gap for page in pages[1:])


def test_what_a_source_raises_reaches_the_reader() -> None:
    """Out of the thread that met it."""

    class Failing(Fake):
        def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
            yield Page(shard.shard_id)
            raise OSError("away")

    with pytest.raises(OSError, match="away"):
        list(Log([Failing([shard("a")])]).pages())


def test_a_reader_that_leaves_ends_the_threads() -> None:
    """Also those that wait with a page that nobody takes."""
    before = set(threading.enumerate())
    pages = Log([Fake([shard(str(number)) for number in range(10)], range(1000))]).pages()
    next(pages)
    started = set(threading.enumerate()) - before
    assert started
    pages.close()  # type: ignore[attr-defined]
    for thread in started:
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_when_shards_end_those_that_follow_are_looked_for() -> None:
    """Where reading is to go on: a shard that was not there at the beginning is read after its parent."""

    class Splitting(Fake):
        def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
            yield from super().read(shard, after)
            self._shards = [parent, shard_of_later]

    parent, shard_of_later = shard("a"), shard("b", "a")
    assert [name for name, _ in read(Log([Splitting([parent])], follow=True))] == ["a"] * 20 + ["b"] * 20
    assert [name for name, _ in read(Log([Splitting([parent])]))] == ["a"] * 20
