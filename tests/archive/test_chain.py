"""Where a chain ends, by its names and the shard's state."""

from archive.chain import archived_shards, archived_streams, chain_end, reached
from archive.meta import State, encode_state
from archive.names import START, Place, object_key, state_key
from archive.objects import Draft
from archive.targets import MemoryTarget
from telemetry.log import LogRecord
from telemetry.shards import Shard
from tests.archive.records import CREATED, SHARD, drafted

CREATED_MS = 1_764_147_529_316
LISTED = {*SHARD.parents}


def put(target: MemoryTarget, shard: Shard, after: Place, *places: Place, shard_end: bool = False) -> str:
    """An object of a shard behind a place."""
    draft = Draft("a-stream", CREATED, shard, after)
    for place in places:
        draft.add(LogRecord(place.sequence_number, place.arrived_ms, b""))
    key = object_key(CREATED, shard.shard_id, after)
    target.put_new(key, draft.finish(shard_end=shard_end)[1])
    return key


def note(target: MemoryTarget, shard_id: str, state: State) -> None:
    """A state of a shard."""
    target.put_state(state_key(CREATED, shard_id), encode_state(state))


def test_a_chain_ends_with_its_last_name() -> None:
    """Whatever the state says, which may be behind, or speak of what a copy lacks."""
    target = MemoryTarget()
    places = [Place(9, CREATED_MS + 1), Place(10, CREATED_MS + 2), Place(100, CREATED_MS + 3)]
    keys = [put(target, SHARD, before, place) for before, place in zip([START, *places], places, strict=False)]
    for hint in (None, *keys, f"log/{CREATED}/{SHARD.shard_id}/999-x", "log/elsewhere"):
        note(target, SHARD.shard_id, State("9", hint, "2025-11-26T09:00:00.000Z"))
        end = chain_end(target, CREATED, SHARD.shard_id)
        assert end.key == keys[2]
        assert end.tail
        assert end.tail.place == places[2]


def test_a_look_at_the_tip_speaks_of_one_place() -> None:
    """One behind another record says nothing of what follows this one."""
    target = MemoryTarget()
    put(target, SHARD, START, Place(7, CREATED_MS))
    for last, seen_ms in (("7", CREATED_MS + 5000), ("6", 0)):
        note(target, SHARD.shard_id, State.of(Place(int(last)), None, CREATED_MS + 5000))
        stretch = reached(target, CREATED, CREATED_MS, SHARD, LISTED).stretch
        assert (stretch.after.sequence_number, stretch.tip_seen_ms) == (7, seen_ms)


def test_a_chain_that_has_yet_to_begin_has_the_shards_birth() -> None:
    """After its stream's, its parents' last records, and looks at their tips."""
    target = MemoryTarget()
    assert reached(target, CREATED, CREATED_MS, SHARD, LISTED).stretch.begins_ms == CREATED_MS
    parents = [Shard(parent, 0, 1) for parent in SHARD.parents]
    put(target, parents[0], START, Place(7, CREATED_MS + 1000))
    assert reached(target, CREATED, CREATED_MS, SHARD, LISTED).stretch.begins_ms == CREATED_MS + 1000
    note(target, parents[1].shard_id, State.of(START, None, CREATED_MS + 2000))
    assert reached(target, CREATED, CREATED_MS, SHARD, LISTED).stretch.begins_ms == CREATED_MS + 2000


def test_parents_are_unknown_that_are_neither_listed_nor_archived() -> None:
    """Of one that has left the stream the archive may know."""
    target = MemoryTarget()
    one, other = SHARD.parents
    assert reached(target, CREATED, CREATED_MS, SHARD, {one}).unknown_parents == (other,)
    put(target, Shard(other, 0, 1), START, shard_end=True)
    assert reached(target, CREATED, CREATED_MS, SHARD, set()).unknown_parents == (one,)


def test_a_chain_with_an_end_says_so() -> None:
    """Nothing is read of its shard any more."""
    target = MemoryTarget()
    put(target, SHARD, START, shard_end=True)
    assert reached(target, CREATED, CREATED_MS, SHARD, LISTED).ended


def test_streams_are_those_that_were_archived_or_looked_at() -> None:
    """In the order of their creation, which is that of numbers, not of texts. What others put there is passed over."""
    target = MemoryTarget()
    put(target, SHARD, START, shard_end=True)
    for created in ("999999999.500", CREATED, "1764247529.000"):
        target.put_state(state_key(created, SHARD.shard_id), encode_state(State.of(START, None, CREATED_MS)))
    for name in ("state/notes/x", "state/1764147529/x", "state/zzz"):
        target.put_state(name, b"")
    for key in ("log/2026/11/26/10/some-1-2026-11-26", "log/1764147529/x", "log/zzz"):
        target.put_new(key, b"")
    assert archived_streams(target) == ["999999999.500", CREATED, "1764247529.000"]


def test_all_shards_of_one_stream_are_found() -> None:
    """Also one whose name begins another's; those of other streams are not."""
    target = MemoryTarget()
    for shard_id in ("s-1", "s-10", "s-1-2"):
        for after in (START, Place(7, CREATED_MS)):
            put(target, Shard(shard_id, 0, 1), after, Place(8, CREATED_MS))
    target.put_new("log/2.000/s-3/001-0~0.ndjson.gz", drafted([]).finish(shard_end=True)[1])
    assert archived_shards(target, CREATED) == ["s-1-2", "s-1", "s-10"]
    assert archived_shards(target, "3.000") == []
