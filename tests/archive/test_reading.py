"""A chain is read behind any place, in order; what may be missing is said, and what is not asked for is not fetched."""

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.folder import FolderTarget
from archive.meta import Gap as ChainGap
from archive.meta import State, encode_state
from archive.names import START, Place, created_ms, state_key
from archive.objects import TAIL_BYTES
from archive.reading import ChainReading
from archive.source import ArchiveSource
from archive.targets import MemoryTarget
from archive.wanted import EVERYTHING, Wanted
from telemetry.errors import ArchiveUnreadable
from telemetry.events import encode_event
from telemetry.log import Gap, Log, LogRecord, Page, Position
from telemetry.reading import Reading
from tests.archive.records import CREATED, DATA, SHARD, chained, numbered, projected
from tests.support.waiting import eventually

BEGIN_MS = 1_764_147_600_000
MINUTE_MS = 60_000
DAY_US = 86_400_000_000


def records(count: int, first: int = 1) -> list[LogRecord]:
    """One a minute."""
    return [LogRecord(number, BEGIN_MS + number * MINUTE_MS, b'{"a":%d}\n' % number) for number in range(first, first + count)]


def measured(number: int, at_us: int) -> LogRecord:
    """A record of one reading."""
    return LogRecord(number, BEGIN_MS + number * MINUTE_MS, encode_event(Reading(at_us, f"sensor-{number}", 0), 0) + b"\n")


def objects(all_records: Sequence[LogRecord], size: int) -> list[list[LogRecord]]:
    return [list(all_records[begin : begin + size]) for begin in range(0, len(all_records), size)]


class Counting(MemoryTarget):
    """Notes what is fetched of which object."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.looked_at: list[str] = []

    def get(self, key: str) -> BinaryIO:
        self.fetched.append(key)
        return super().get(key)

    def get_start(self, key: str, size_bytes: int) -> bytes:
        self.looked_at.append(key)
        return super().get_start(key, size_bytes)

    def get_tail(self, key: str, size_bytes: int) -> bytes:
        self.looked_at.append(key)
        return super().get_tail(key, size_bytes)


@pytest.fixture
def target() -> Counting:
    return Counting()


def pages(target: MemoryTarget | FolderTarget, after: Position | None = None, wanted: Wanted = EVERYTHING) -> list[Page]:
    source = ArchiveSource(target, wanted=wanted)
    [shard] = source.shards()
    return list(source.read(shard, after))


def numbers(found: Sequence[Page]) -> list[int]:
    return [record.sequence_number for page in found for record in page.records]


def gaps(found: Sequence[Page]) -> list[Gap]:
    return [page.gap for page in found if page.gap]


def test_a_chain_is_read_to_its_end(target: Counting) -> None:
    """In its order; the last page says how far it reaches, and nothing of an end that was not seen."""
    chained(target, objects(records(10), 3))
    found = pages(target)
    assert [record for page in found for record in page.records] == records(10)
    assert found[-1] == Page(SHARD.shard_id, reached=Position(10, BEGIN_MS + 10 * MINUTE_MS))


def test_an_end_is_said(target: Counting) -> None:
    """Then nobody else is asked for more; it may be an object without records."""
    chained(target, [*objects(records(4), 2), []], ended=True)
    found = pages(target)
    assert (numbers(found), found[-1]) == ([1, 2, 3, 4], Page(SHARD.shard_id, ended=True))


@pytest.mark.parametrize("size", [1, 3, 4, 20])
def test_reading_goes_on_behind_any_record(target: Counting, size: int) -> None:
    """Inside an object and between two; behind the chain's end there is nothing, and before its start is all."""
    chained(target, objects(records(10), size), ended=True)
    for last in range(12):
        found = pages(target, Position(last, BEGIN_MS))
        assert numbers(found) == list(range(last + 1, 11))
        assert found[-1].ended


@settings(max_examples=50)
@given(st.lists(st.lists(DATA, min_size=1, max_size=3), min_size=1, max_size=3), st.data())
def test_any_bytes_are_projected_as_from_the_stream(contents: list[list[bytes]], data: st.DataObject) -> None:
    """Whatever objects they were put into, and wherever reading begins."""
    log = numbered([one for each in contents for one in each])
    target, left = MemoryTarget(), iter(log)
    chained(target, [[next(left) for _ in each] for each in contents])
    begin = data.draw(st.integers(0, len(log)))
    after = Position(log[begin - 1].sequence_number, log[begin - 1].arrived_ms) if begin else None
    found = [record for page in pages(target, after) for record in page.records]
    assert [record[:2] for record in found] == [record[:2] for record in log[begin:]]
    assert [projected(record) for record in found] == [projected(record) for record in log[begin:]]


def test_a_gap_comes_before_what_follows_it(target: Counting) -> None:
    """At the shard's start since its stream, in the middle, and at its end, of which nobody knows when it was."""
    log = records(6)
    at = [Place(one.sequence_number, one.arrived_ms) for one in log]
    chain_gaps = {0: ChainGap.between(START, at[0]), 1: ChainGap.between(at[1], at[2]), 3: ChainGap.between(at[5], None)}
    chained(target, [*objects(log, 2), []], gaps=chain_gaps, ended=True)
    expected = [
        Gap(SHARD.shard_id, created_ms(CREATED), at[0].arrived_ms),
        Gap(SHARD.shard_id, at[1].arrived_ms, at[2].arrived_ms),
        Gap(SHARD.shard_id, at[5].arrived_ms, None),
    ]
    found = pages(target)
    assert gaps(found) == expected
    told = [("gap" if page.gap else numbers([page])) for page in found if page.gap or page.records]
    assert told == ["gap", [1, 2], "gap", [3, 4], [5, 6], "gap"]
    assert gaps(pages(target, Position(2, 0))) == expected[1:], "what lies before the place was said"
    assert gaps(pages(target, Position(3, 0))) == expected[2:]


def test_of_gaps_only_what_is_asked_for_is_said(target: Counting) -> None:
    """By when it arrived, also where the object behind it is passed over."""
    log = records(6)
    at = [Place(one.sequence_number, one.arrived_ms) for one in log]
    chained(target, objects(log, 2), gaps={1: ChainGap.between(at[1], at[2])}, ended=True)
    assert gaps(pages(target, wanted=Wanted(from_ms=at[2].arrived_ms)))
    assert not gaps(pages(target, wanted=Wanted(from_ms=at[2].arrived_ms + 1)))
    assert gaps(pages(target, wanted=Wanted(until_ms=at[1].arrived_ms)))
    assert not gaps(pages(target, wanted=Wanted(until_ms=at[1].arrived_ms - 1)))


def test_what_is_not_asked_for_by_measured_may_lie_in_a_gap_all_the_same(target: Counting) -> None:
    """An object that is passed over tells of it; only its first line is fetched."""
    log = [measured(number, number // 3 * DAY_US) for number in range(1, 7)]
    at = [Place(one.sequence_number, one.arrived_ms) for one in log]
    [_, second] = chained(target, objects(log, 3), gaps={1: ChainGap.between(at[2], at[3])}, ended=True)
    found = pages(target, wanted=Wanted(measured_to_us=DAY_US))
    assert (numbers(found), len(gaps(found))) == ([1, 2, 3], 1)
    assert second not in target.fetched


def test_a_copy_that_lacks_an_object_has_a_gap(target: Counting) -> None:
    """From the record that the one before ends with to the one that the next name tells of; also at the chain's start."""
    whole = MemoryTarget()
    keys = chained(whole, objects(records(8), 2))
    for number in (0, 2):
        copied = Counting()
        for key in keys:
            if key != keys[number]:
                copied.put_new(key, whole.get(key).read())
        found = pages(copied)
        after_ms = records(8)[number * 2 - 1].arrived_ms if number else created_ms(CREATED)
        assert gaps(found) == [Gap(SHARD.shard_id, after_ms, records(8)[number * 2 + 1].arrived_ms)]
        assert numbers(found) == [one for one in range(1, 9) if one not in (number * 2 + 1, number * 2 + 2)]


def test_what_arrived_before_or_after_is_not_fetched(target: Counting) -> None:
    """Neither an object nor its last line, where names tell; the first record beyond is the shard's end."""
    keys = chained(target, objects(records(20), 2))
    wanted = Wanted(from_ms=BEGIN_MS + 7 * MINUTE_MS, until_ms=BEGIN_MS + 11 * MINUTE_MS)
    found = pages(target, wanted=wanted)
    assert (numbers(found), found[-1]) == ([7, 8, 9, 10, 11], Page(SHARD.shard_id, ended=True))
    assert found[-2].reached == Position(11, BEGIN_MS + 11 * MINUTE_MS), "inside an object, whose next record lies beyond"
    assert set(target.looked_at) == {keys[0], *keys[3:6]}, "of the first one shards tells"
    assert not gaps(found)


def test_where_names_do_not_tell_the_last_line_does(target: Counting) -> None:
    """Arrivals need not rise: an object whose last record came early may hold later ones."""
    log = [LogRecord(number, BEGIN_MS - number % 2 * MINUTE_MS, b"{}\n") for number in range(1, 5)]
    chained(target, objects(log, 2), ended=True)
    assert numbers(pages(target, wanted=Wanted(from_ms=BEGIN_MS))) == [1, 2, 3, 4]
    assert not numbers(pages(target, wanted=Wanted(from_ms=BEGIN_MS + 1)))


def test_what_was_measured_on_other_days_is_not_fetched(target: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    """But what is undated is, and late readings are found wherever they lie. A small object comes with its last line."""
    monkeypatch.setattr("archive.reading.TAIL_BYTES", 500)
    days = [1, 2, 3, 2, 1]
    log = [[measured(number * 50 + at, day * DAY_US + at) for at in range(50)] for number, day in enumerate(days)]
    undated = LogRecord(251, BEGIN_MS + 251 * MINUTE_MS, b"no event")
    keys = chained(target, [*log, [undated]])
    found = pages(target, wanted=Wanted(measured_from_us=2 * DAY_US, measured_to_us=3 * DAY_US))
    assert numbers(found) == [*range(50, 100), *range(150, 200), 251]
    assert target.fetched == [keys[1], keys[3]]
    assert found[-1].reached == Position(251, undated.arrived_ms)


def test_a_place_behind_what_was_passed_over_is_told(target: Counting) -> None:
    """So that whoever goes on does not begin before it."""
    log = [measured(number, DAY_US) for number in range(1, 5)]
    chained(target, objects(log, 2))
    found = pages(target, wanted=Wanted(measured_from_us=2 * DAY_US))
    assert [page.position for page in found] == [Position(number, log[number - 1].arrived_ms) for number in (2, 4, 4)]


@pytest.mark.parametrize(("last", "seen"), [(3, True), (2, False)])
def test_a_look_at_the_tip_reaches_further_than_the_last_record(target: Counting, last: int, *, seen: bool) -> None:
    """If it was behind that record: a state may be older than the chain."""
    log = records(3)
    chained(target, [log])
    tip_ms = BEGIN_MS + 60 * MINUTE_MS
    target.put_state(state_key(CREATED, SHARD.shard_id), encode_state(State.of(Place(last, 0), None, tip_ms)))
    assert pages(target)[-1].reached == Position(3, tip_ms if seen else log[-1].arrived_ms)


def test_a_page_is_bounded_in_bytes(target: Counting) -> None:
    """And holds one record at least."""
    log = [LogRecord(number, BEGIN_MS, b'{"a":"%b"}\n' % (b"a" * 200_000)) for number in range(1, 10)]
    chained(target, [log])
    sizes = [sum(len(record.data) for record in page.records) for page in pages(target) if page.records]
    assert sum(sizes) == sum(len(record.data) for record in log)
    assert max(sizes) <= 800_000


def test_what_would_be_read_is_counted_without_being_read(target: Counting) -> None:
    """Objects, lines and readings by day; gaps and the end as when it is read."""
    log = [measured(number, number // 3 * DAY_US) for number in range(1, 7)]
    chained(target, objects(log, 2), gaps={2: ChainGap.between(Place(4, 1), Place(5, 2))}, ended=True)
    source = ArchiveSource(target, wanted=Wanted(measured_from_us=DAY_US))
    [shard] = source.shards()
    reading = source.reading(shard.shard_id, None)
    found = list(reading.surveyed())
    assert (reading.objects, reading.lines) == (2, 4)
    assert reading.measured == {"1970-01-02": 3, "1970-01-03": 1}
    assert (numbers(found), len(gaps(found)), found[-1].ended) == ([], 1, True)
    assert not target.fetched


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _newer(data: bytes) -> bytes:
    lines = gzip.decompress(data).splitlines(keepends=True)
    return gzip.compress(b"".join(lines[:-1]).replace(b'"format":1', b'"format":2')) + gzip.compress(lines[-1])


@pytest.mark.parametrize(("spoil", "said"), [(_cut, "does not end as an object"), (_newer, "is of format 2")])
def test_what_cannot_be_read_is_told_by_name(spoil: Callable[[bytes], bytes], said: str) -> None:
    """After what comes before it, and to whoever reads the log."""
    whole, target = MemoryTarget(), MemoryTarget()
    keys = chained(whole, objects(records(6), 2))
    for key in keys:
        data = whole.get(key).read()
        target.put_new(key, spoil(data) if key == keys[1] else data)
    found: list[Page] = []
    with pytest.raises(ArchiveUnreadable, match=f"{keys[1]} {said}"):
        found.extend(Log([ArchiveSource(target)]).pages())
    read = ArchiveSource(target).read(SHARD, None)
    assert numbers([next(read)]) == [1, 2]


def test_who_leaves_early_leaves_no_file_open(tmp_path: Path) -> None:
    """Of what was begun ahead, too."""
    target = FolderTarget(tmp_path)
    chance = Random(1)  # noqa: S311  any will do
    first, *_ = chained(target, [[LogRecord(number, BEGIN_MS, chance.randbytes(100_000))] for number in range(1, 4)])
    assert (tmp_path / first).stat().st_size > TAIL_BYTES
    opened: list[BinaryIO] = []
    get = target.get

    def noting(key: str) -> BinaryIO:
        opened.append(get(key))
        return opened[-1]

    target.get = noting  # type: ignore[method-assign]
    source = ArchiveSource(target)
    [shard] = source.shards()
    reading = source.read(shard, None)
    next(reading)
    reading.close()  # type: ignore[attr-defined]

    def all_are_closed() -> None:
        assert opened
        assert all(file.closed for file in opened)

    eventually(all_are_closed)


def test_a_survey_tells_the_bytes_of_what_would_be_read() -> None:
    """As they lie in the archive, of small objects and large ones; of what is not asked for it tells none."""
    target = MemoryTarget()
    large = [LogRecord(number, BEGIN_MS + 10**6, Random(number).randbytes(1000)) for number in range(2, 200)]  # noqa: S311  no secrets
    keys = chained(target, [records(1), large])
    sizes = [len(target.get_tail(key, 2**30)) for key in keys]
    assert sizes[0] < TAIL_BYTES < sizes[1]
    for wanted, told in ((EVERYTHING, sum(sizes)), (Wanted(until_ms=BEGIN_MS + 10**5), sizes[0])):
        reading = ChainReading(target, CREATED, SHARD.shard_id, wanted, START, over=None)
        assert list(reading.surveyed())
        assert reading.bytes == told
