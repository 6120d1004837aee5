"""Days hold each distinct reading once, whoever else packs them, whoever dies, and whatever comes late."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.days import PARTS, part_key, part_of
from archive.instants import DAY_US, day
from archive.targets import MemoryTarget, Target, Versioned
from replay import compacting, spill
from replay.compacting import Compacted, compact
from replay.events import Choice, Events, Passed
from replay.formats import COLUMNS
from telemetry.errors import ArchiveUnreadable
from telemetry.events import encode_event
from telemetry.log import LogRecord, Page, Position
from telemetry.reading import Reading
from telemetry.records import encode_record

NOON_US = 20_000 * DAY_US + DAY_US // 2
TODAY, YESTERDAY = (day(NOON_US - back * DAY_US) for back in (0, 1))


def page(shard_id: str, first: int, *records: Sequence[Reading]) -> Page:
    """Records that arrived a millisecond after one another."""
    return Page(
        shard_id,
        [
            LogRecord(first + at, first + at, encode_record([encode_event(one, 0) for one in readings]))
            for at, readings in enumerate(records)
        ],
    )


def packed(pages: Sequence[Page], target: Target, only: set[str] | None = None) -> tuple[Compacted, list[Page]]:
    taken: list[Page] = []
    done = compact(pages, Events(Choice(), Passed()), target, only=only, told=lambda *_: None, taken=taken.extend)
    return done, taken


def rows(target: MemoryTarget) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for key, part in target._parts.items():
        found[key] = pq.read_table(pa.BufferReader(part.data)).to_pylist()
    return found


def held(target: MemoryTarget) -> list[Reading]:
    """What all parts hold. Each is sorted, and where it belongs."""
    found = []
    for key, lines in rows(target).items():
        readings = [
            Reading(int(line["measured_at"].timestamp() * 1_000_000), line["sensor_id"], int(line["temperature"] * 1_000_000))
            for line in lines
        ]
        assert {part_key(day(one.measured_at_us), part_of(one.sensor_id)) for one in readings} == {key}
        assert [(one.sensor_id, one.measured_at_us) for one in readings] == sorted(
            (one.sensor_id, one.measured_at_us) for one in readings
        )
        found += readings
    return sorted(found)


def readings(numbers: range, sensors: int = 40) -> list[Reading]:
    return [Reading(NOON_US + number * 7_000_000, f"sensor-{number % sensors}", number * 1000 - 5) for number in numbers]


def test_a_day_holds_each_reading_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of it to arrive, with its place, however the rows were spilt; other days hold theirs."""
    monkeypatch.setattr(spill, "_ROWS_HELD", 64)
    some = readings(range(300))
    late = [one._replace(measured_at_us=one.measured_at_us - DAY_US) for one in some[:10]]
    target = MemoryTarget()
    done, taken = packed([page("s-2", 900, some[:150], late), page("s-1", 100, some, some[:5])], target)
    assert held(target) == sorted(some + late)
    assert (done.readings, done.days) == (465, {TODAY, YESTERDAY})
    assert done.replaced == len(rows(target)) <= 2 * PARTS
    assert [(one.shard_id, one.records, one.position) for one in taken] == [
        ("s-2", (), Position(901, 901)),
        ("s-1", (), Position(100 + 1, 101)),
    ]
    for lines in rows(target).values():
        assert all(tuple(line) == COLUMNS for line in lines)
    [first] = (line for line in rows(target)[part_key(TODAY, part_of(some[0].sensor_id))] if line["temperature"] < 0)
    assert (first["shard"], first["sequence_number"], first["line"]) == ("s-1", "100", 0)


def test_taking_again_changes_nothing() -> None:
    """Not a byte is put; what is late joins its day."""
    some, target = readings(range(100)), MemoryTarget()
    packed([page("s", 1, some)], target)
    before = dict(target._parts)
    done, taken = packed([page("s", 1, some)], target)
    assert (done.replaced, target._parts, len(taken)) == (0, before, 1)
    late = some[3]._replace(temperature_micro=77)
    assert packed([page("s", 9, [late])], target)[0].replaced == 1
    assert held(target) == sorted([*some, late])


def test_only_days_that_are_asked_for_are_made() -> None:
    """Readings of the others are passed over."""
    some, target = readings(range(30)), MemoryTarget()
    old = [one._replace(measured_at_us=one.measured_at_us - DAY_US) for one in some]
    assert packed([page("s", 1, some, old)], target, only={YESTERDAY})[0].days == {YESTERDAY}
    assert held(target) == sorted(old)


def test_rounds_are_taken_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each one's pages are taken when its parts are put, and before more are read."""
    monkeypatch.setattr(compacting, "ROUND_ROWS", 20)
    some, target = readings(range(100)), MemoryTarget()
    seen: list[tuple[int, int]] = []
    pages = [page("s", at + 1, some[at : at + 10]) for at in range(0, 100, 10)]
    compact(
        pages,
        Events(Choice(), Passed()),
        target,
        only=None,
        told=lambda *_: None,
        taken=lambda taken: seen.append((len(taken), len(held(target)))),
    )
    assert seen == [(2, at) for at in range(20, 120, 20)]


class Crossed(MemoryTarget):
    """Somebody else puts other readings between each read and put, some times over."""

    def __init__(self, others: list[Page]) -> None:
        super().__init__()
        self.others = others

    def get_part(self, key: str) -> Versioned | None:
        found = super().get_part(key)
        if self.others:
            others, self.others = self.others, []
            packed([others.pop()], self)
            self.others = others
        return found


def test_two_at_once_lose_nothing() -> None:
    """Neither puts over what the other has put since it looked."""
    some = readings(range(120), sensors=3)
    target = Crossed([page("s-2", 500, some[60:]), page("s-3", 600, some[30:90])])
    packed([page("s-1", 1, some[:60])], target)
    assert held(target) == sorted(some)


class Dying(MemoryTarget):
    """The process ends at some put, before or after it was made."""

    def __init__(self, puts: int, *, made: bool) -> None:
        super().__init__()
        self.puts, self.made = puts, made

    def replace_part(self, key: str, data: bytes, version: str | None) -> bool:
        self.puts -= 1
        if self.puts == 0:
            if self.made:
                super().replace_part(key, data, version)
            raise KeyboardInterrupt
        return super().replace_part(key, data, version)


@given(puts=st.integers(1, 20), made=st.booleans())
@settings(max_examples=20, deadline=None)
def test_a_kill_at_any_put_ends_right(puts: int, *, made: bool) -> None:
    """Nothing was said to be taken, so it is taken again."""
    some = readings(range(80))
    target = Dying(puts, made=made)
    taken: list[Page] = []
    try:
        compact([page("s", 1, some)], Events(Choice(), Passed()), target, only=None, told=lambda *_: None, taken=taken.extend)
    except KeyboardInterrupt:
        assert not taken
        packed([page("s", 1, some)], target)
    assert held(target) == sorted(some)


def test_a_put_whose_answer_was_lost_is_found_made() -> None:
    """It is not counted as another's."""

    class Deaf(MemoryTarget):
        def replace_part(self, key: str, data: bytes, version: str | None) -> bool:
            super().replace_part(key, data, version)
            return False

    some, target = readings(range(50)), Deaf()
    packed([page("s", 1, some)], target)
    assert held(target) == sorted(some)


def test_a_spoilt_part_is_named() -> None:
    """And what mends it."""
    some, target = readings(range(1)), MemoryTarget()
    key = part_key(TODAY, part_of(some[0].sensor_id))
    assert target.replace_part(key, b"nothing", None)
    with pytest.raises(ArchiveUnreadable, match=rf"{key} is no part of a day.*--day {TODAY}"):
        packed([page("s", 1, some)], target)


def test_engines_read_days_as_they_are_asked(tmp_path: Path) -> None:
    """DuckDB finds the day in the folder's name; the parts are packed as replay packs them."""
    some, target = readings(range(200)), MemoryTarget()
    packed([page("s", 1, some)], target)
    for key, part in target._parts.items():
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(part.data)
        for column in range(len(COLUMNS)):
            found = pq.ParquetFile(path).metadata.row_group(0).column(column)
            packs = "RLE_DICTIONARY" if COLUMNS[column] in ("sensor_id", "shard", "sequence_number") else "DELTA_BINARY_PACKED"
            assert (found.compression, packs in found.encodings) == ("ZSTD", True)
    days = f"{tmp_path}/readings/dt=*/*.parquet"
    with duckdb.connect() as db:
        [found] = db.execute(f"select dt, count(*), sum(temperature) from '{days}' group by 1").fetchall()  # noqa: S608  our own
    assert (str(found[0]), found[1]) == (TODAY, 200)
    assert found[2] * 1_000_000 == sum(one.temperature_micro for one in some)
