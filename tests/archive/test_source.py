"""The archive as a source: shards are called as in the log, and a stream's first ones follow the last of the one before."""

from dataclasses import replace

import msgspec
import pytest

from archive.meta import State, encode_state
from archive.names import START, created_ms, state_key
from archive.source import ArchiveSource
from archive.targets import MemoryTarget
from archive.wanted import Wanted
from telemetry.limits import HASH_KEY_MAX
from telemetry.log import Gap, Log, LogRecord, Page, Position
from telemetry.shards import Shard
from telemetry.streams import UNKNOWN_PARENT
from tests.archive.records import chained

FIRST, SECOND, THIRD = "999999999.500", "1764147529.316", "1764247529.000"
DAY_MS = 86_400_000
ROOT = Shard("shardId-000000000000", 0, 99)
LEFT, RIGHT = (Shard(f"shardId-00000000000{number}", number, 99, (ROOT.shard_id,)) for number in (1, 2))


def records(created: str, *numbers: int) -> list[LogRecord]:
    return [LogRecord(number, created_ms(created) + number * 1000, b'{"a":1}\n') for number in numbers]


@pytest.fixture
def target() -> MemoryTarget:
    """Two streams: one whose shard was split, and one that is older by its time and younger as a text, of one shard."""
    made = MemoryTarget()
    chained(made, [records(SECOND, 1, 2), records(SECOND, 3)], shard=ROOT, created=SECOND, ended=True)
    chained(made, [records(SECOND, 5)], shard=LEFT, created=SECOND, ended=True)
    chained(made, [records(SECOND, 4)], shard=RIGHT, created=SECOND)
    chained(made, [records(FIRST, 7)], shard=ROOT, created=FIRST)
    return made


def parents(source: ArchiveSource) -> dict[str, tuple[str, ...]]:
    return {shard.shard_id: shard.parents for shard in source.shards()}


def test_shards_are_called_as_in_the_log(target: MemoryTarget) -> None:
    """Streams in the order of their creation; first shards have all last ones of the stream before as parents."""
    first, second, left, right = ROOT.shard_id, *(f"2/{shard.shard_id}" for shard in (ROOT, LEFT, RIGHT))
    assert parents(ArchiveSource(target)) == {first: (), second: (first,), left: (second,), right: (second,)}
    chained(target, [records(THIRD, 1)], shard=ROOT, created=THIRD)
    assert parents(ArchiveSource(target))[f"3/{ROOT.shard_id}"] == (left, right)
    [shard] = (shard for shard in ArchiveSource(target).shards() if shard.shard_id == left)
    assert (shard.first_hash_key, shard.last_hash_key) == (LEFT.first_hash_key, LEFT.last_hash_key)


def test_the_logs_streams_are_those_it_is_told(target: MemoryTarget) -> None:
    """In that order; one of which nothing is archived keeps its number, and others are none of this log's."""
    found = parents(ArchiveSource(target, [THIRD, FIRST, "5.000", SECOND]))
    assert found[f"2/{ROOT.shard_id}"] == ()
    assert found[f"4/{ROOT.shard_id}"] == (f"2/{ROOT.shard_id}",)
    assert set(parents(ArchiveSource(target, [SECOND]))) == {shard.shard_id for shard in (ROOT, LEFT, RIGHT)}
    assert not ArchiveSource(target, []).shards()


def test_what_others_put_below_log_is_passed_over(target: MemoryTarget) -> None:
    """As what Firehose once wrote."""
    before = parents(ArchiveSource(target))
    for key in ("log/2026/11/26/10/some-1-2026-11-26", "log/1764147529/x", "log/zzz"):
        target.put_new(key, b"")
    assert parents(ArchiveSource(target)) == before


def test_a_log_of_two_streams_is_read_in_its_order(target: MemoryTarget) -> None:
    """Positions begin anew in each."""
    pages = list(Log([ArchiveSource(target)]).pages())
    found = [(page.shard_id, record.sequence_number) for page in pages for record in page.records]
    assert found[:4] == [(ROOT.shard_id, 7), *((f"2/{ROOT.shard_id}", number) for number in (1, 2, 3))]
    assert sorted(found[4:]) == [(f"2/{LEFT.shard_id}", 5), (f"2/{RIGHT.shard_id}", 4)]


def gaps(source: ArchiveSource) -> list[Gap]:
    return [page.gap for page in Log([source]).pages() if page.gap]


def test_an_earlier_streams_shard_without_an_end_may_have_lost_something(target: MemoryTarget) -> None:
    """Up to when the log went on in the next one; of the last stream somebody else has what follows."""
    gap = Gap(ROOT.shard_id, created_ms(FIRST) + 7000, created_ms(SECOND))
    assert gaps(ArchiveSource(target)) == [gap]
    assert not gaps(ArchiveSource(target, wanted=Wanted(from_ms=created_ms(SECOND) + 1)))
    tip = State.of(START._replace(sequence_number=7), None, created_ms(FIRST) + DAY_MS)
    target.put_state(state_key(FIRST, ROOT.shard_id), encode_state(tip))
    assert gaps(ArchiveSource(target)) == [gap._replace(after_ms=created_ms(FIRST) + DAY_MS)]


def test_so_has_one_that_nobody_goes_on_with(target: MemoryTarget) -> None:
    """It has left the stream, and no archiver has seen its end."""
    left, right = (replace(shard, shard_id=f"2/{shard.shard_id}", parents=(f"2/{ROOT.shard_id}",)) for shard in (LEFT, RIGHT))
    source = ArchiveSource(target, wanted=Wanted(from_ms=created_ms(SECOND) + 1), followed={left.shard_id: left})
    assert gaps(source) == [Gap(right.shard_id, created_ms(SECOND) + 4000, None)]
    both = {shard.shard_id: shard for shard in (left, right)}
    assert not gaps(ArchiveSource(target, wanted=Wanted(from_ms=created_ms(SECOND) + 1), followed=both))


def test_parents_that_left_the_last_stream_without_a_chain_are_told() -> None:
    """Whether their children are archived, were seen empty, or are still there."""
    target, child = MemoryTarget(), Shard(LOW.shard_id, 0, HASH_KEY_MAX, (WHOLE.shard_id,))
    all_of_it = Gap("unknown", created_ms(SECOND), None)

    def told(*followed: Shard) -> list[Gap]:
        return ArchiveSource(target, [SECOND], followed={shard.shard_id: shard for shard in followed}).unarchived()

    assert told(child) == [all_of_it]
    assert told(child, WHOLE) == []
    assert not ArchiveSource(target, [SECOND]).unarchived()
    target.put_state(state_key(SECOND, child.shard_id), encode_state(State.of(START, None, created_ms(SECOND) + 9, child)))
    assert told() == [Gap(child.shard_id, created_ms(SECOND) + 9, None), all_of_it]
    chained(target, [records(SECOND, 1)], shard=child, created=SECOND)
    assert told() == [all_of_it]
    chained(target, [[]], shard=WHOLE, created=SECOND, ended=True)
    assert told() == []


MIDDLE = HASH_KEY_MAX // 2
WHOLE = Shard(ROOT.shard_id, 0, HASH_KEY_MAX)
LOW = Shard(LEFT.shard_id, 0, MIDDLE, (WHOLE.shard_id,))
HIGH = Shard(RIGHT.shard_id, MIDDLE + 1, HASH_KEY_MAX, (WHOLE.shard_id,))


def test_shards_without_a_chain_are_told_of_streams_that_were_lost() -> None:
    """One that was seen empty, from then on; others by their stream, where not all of its keys are known to be there."""
    target, seen_ms = MemoryTarget(), created_ms(SECOND) + 60_000
    chained(target, [records(SECOND, 1, 2)], shard=WHOLE, created=SECOND, ended=True)
    all_of_it = Gap("unknown", created_ms(SECOND), created_ms(THIRD))
    source = ArchiveSource(target, [SECOND, THIRD])
    assert source.unarchived() == [all_of_it]
    assert not ArchiveSource(target, [SECOND, THIRD], Wanted(from_ms=created_ms(THIRD) + 1)).unarchived()
    assert not ArchiveSource(target, [SECOND]).unarchived()
    chained(target, [records(SECOND, 3)], shard=LOW, created=SECOND, ended=True, stream_end=True)
    assert ArchiveSource(target, [SECOND, THIRD]).unarchived() == [all_of_it]
    target.put_state(state_key(SECOND, HIGH.shard_id), encode_state(State.of(START, None, seen_ms, HIGH)))
    empty = Gap(HIGH.shard_id, seen_ms, created_ms(THIRD))
    assert ArchiveSource(target, [SECOND, THIRD]).unarchived() == [empty]
    assert not ArchiveSource(target, [SECOND, THIRD], Wanted(until_ms=seen_ms - 1)).unarchived()
    target.put_state(state_key(SECOND, HIGH.shard_id), encode_state(State.of(START, None, seen_ms)))
    assert ArchiveSource(target, [SECOND, THIRD]).unarchived() == [empty, all_of_it]
    chained(target, [[]], shard=HIGH, created=SECOND, ended=True, stream_end=True)
    assert not ArchiveSource(target, [SECOND, THIRD]).unarchived()


def test_a_shard_that_was_seen_empty_hides_none_of_its_ancestors() -> None:
    """It may hold all keys, and the shards before it held what nobody archived."""
    target, seen_ms = MemoryTarget(), created_ms(SECOND) + 60_000
    merged = Shard("shardId-000000000003", 0, HASH_KEY_MAX, (LOW.shard_id, HIGH.shard_id))
    all_of_it = Gap("unknown", created_ms(SECOND), created_ms(THIRD))
    for shards, lacks in ([merged], True), ([LOW, HIGH], True), ([WHOLE], False):
        for shard in shards:
            target.put_state(state_key(SECOND, shard.shard_id), encode_state(State.of(START, None, seen_ms, shard)))
        assert (all_of_it in ArchiveSource(target, [SECOND, THIRD]).unarchived()) == lacks
    merged = replace(merged, parents=())
    target = MemoryTarget()
    target.put_state(state_key(SECOND, merged.shard_id), encode_state(State.of(START, None, seen_ms, merged)))
    assert all_of_it not in ArchiveSource(target, [SECOND, THIRD]).unarchived()
    earlier = msgspec.structs.replace(State.of(START, None, seen_ms, merged), parents=None)
    target.put_state(state_key(SECOND, merged.shard_id), encode_state(earlier))
    assert all_of_it in ArchiveSource(target, [SECOND, THIRD]).unarchived()


def test_a_stream_in_which_nothing_came_keeps_its_number(target: MemoryTarget) -> None:
    """Where it was looked at, shards have one name for everybody."""
    created = "1764200000.000"
    target.put_state(state_key(created, ROOT.shard_id), encode_state(State.of(START, None, created_ms(created), ROOT)))
    chained(target, [records(THIRD, 1)], shard=ROOT, created=THIRD)
    assert f"4/{ROOT.shard_id}" in parents(ArchiveSource(target))
    assert parents(ArchiveSource(target)) == parents(ArchiveSource(target, [FIRST, SECOND, created, THIRD]))


def test_how_far_a_shard_is_archived_is_told(target: MemoryTarget) -> None:
    """And whether to its end."""
    source = ArchiveSource(target)
    ended, open_ = (source.end(f"2/{shard.shard_id}").tail for shard in (ROOT, RIGHT))
    assert ended
    assert open_
    assert [(tail.last, tail.shard_end) for tail in (ended, open_)] == [("3", True), ("4", False)]


def test_until_when_an_empty_shard_was_seen_empty_is_told(target: MemoryTarget) -> None:
    """A look at the tip behind a record says nothing of that."""
    source = ArchiveSource(target)
    name = "2/shardId-000000000009"
    assert source.empty_until_ms(name) == 0
    target.put_state(state_key(SECOND, "shardId-000000000009"), encode_state(State.of(START, None, 4711)))
    assert source.empty_until_ms(name) == 4711
    target.put_state(
        state_key(SECOND, "shardId-000000000009"), encode_state(State.of(START._replace(sequence_number=1), None, 1))
    )
    assert source.empty_until_ms(name) == 0


def test_parents_that_nobody_has_hold_nobody_up(target: MemoryTarget) -> None:
    """Unknown ones neither."""
    orphan = Shard("shardId-000000000007", 0, 9, ("shardId-000000000006",))
    chained(target, [records(SECOND, 9)], shard=orphan, created=SECOND)
    lost = Shard("shardId-000000000008", 0, 9, (UNKNOWN_PARENT,))
    chained(target, [records(SECOND, 9)], shard=lost, created=SECOND)
    ended = {page.shard_id for page in Log([ArchiveSource(target)]).pages() if page.ended}
    assert {f"2/{orphan.shard_id}", f"2/{lost.shard_id}"} <= ended


def test_shards_that_appear_later_are_not_seen(target: MemoryTarget) -> None:
    """A reading is of what was there when it began."""
    source = ArchiveSource(target)
    before = parents(source)
    chained(target, [records(SECOND, 9)], shard=Shard("shardId-000000000003", 0, 9), created=SECOND)
    assert parents(source) == before


def test_a_place_at_a_shards_start_is_no_place(target: MemoryTarget) -> None:
    """All of the shard follows it."""
    source = ArchiveSource(target)
    first = Shard(ROOT.shard_id, 0, 99)
    assert list(source.read(first, Position(0, 4711))) == list(source.read(first, None))
    assert isinstance(next(iter(source.read(first, None))), Page)
