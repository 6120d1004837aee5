"""Verification on twins in memory: what the real projector wrote is equal, and each thing damaged on purpose is named."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.differences import Difference, Scope
from operations.verifying import Verification, named
from projections.effects import DeadLetter, Origin
from projections.memory import MemoryStores
from projections.packs import Pack
from projections.rows import FLEET, PROGRESS, TOTAL, RowKey, Sensor, sensor_scope
from telemetry.errors import ReasonCode
from telemetry.events import UPCASTERS, encode_event
from telemetry.letter_marks import LetterMark, LetterPlace, Outcome, encode_mark
from telemetry.limits import HASH_KEY_MAX
from telemetry.log import Gap
from telemetry.reading import Reading
from telemetry.shards import Shard
from tests.projections.logs import SHARD, few_readings, reading, record, sensors_of
from tests.support.verifying import Parts, Tables, WholeLog, project

HALF = HASH_KEY_MAX // 2
PARENT = Shard("parent", 0, HASH_KEY_MAX, closed=True)
LEFT, RIGHT = Shard("left", 0, HALF, ("parent",)), Shard("right", HALF + 1, HASH_KEY_MAX, ("parent",))
A, B = sensors_of(LEFT, 1)[0], sensors_of(RIGHT, 1)[0]


@pytest.fixture
def verified(tmp_path: Path) -> Callable[..., tuple[list[Difference], Verification]]:
    """The differences between stores and a log, and the run that found them."""
    runs = count()

    def verified(stores: MemoryStores, parts: Parts, **how: Any) -> tuple[list[Difference], Verification]:
        folder = tmp_path / str(next(runs))
        folder.mkdir()
        run = Verification(Tables(stores), WholeLog(parts, how.pop("gap", None)), folder, how.pop("scope", Scope()))
        return list(run.differences()), run

    return verified


RESHARDED: Parts = {
    PARENT: [
        record(1, reading(A, 0), reading(B, 5, -3.25)),
        record(2, reading(A, 0), b"{broken"),
        record(3, *(reading(A, 60 * number, number / 7) for number in range(200))),
        record(4, reading(B, 4000), encode_mark(LetterMark(LetterPlace("parent", 2, 1), Outcome.DISCARDED, "me", "why", 5))),
    ],
    LEFT: [record(11, reading(A, 0), reading(A, 7200)), record(12, reading(B, 9), reading(A, 86_400))],
    RIGHT: [record(21, reading(B, 5, -3.25), reading(B, 9)), record(22, b"[]")],
}
"""With repeats across a reshard, a stray, letters and a mark."""


def test_what_the_projector_wrote_is_equal(verified: Any) -> None:
    """Every row, pack, letter, mark and listing, over a reshard; at whatever position each row is."""
    found, run = verified(project(RESHARDED), RESHARDED)
    assert (found, run.complete, run.readings) == ([], True, 1 + 1 + 1 + 200 + 1 + 2 + 1 + 2)
    alone = {PARENT: RESHARDED[PARENT]}
    found, run = verified(project(alone, flush=False), alone)
    assert (found, run.complete) == ([], True)


@settings(max_examples=60)
@given(st.lists(st.lists(few_readings, max_size=4), max_size=8), st.lists(st.lists(few_readings, max_size=4), max_size=4))
def test_any_log_is_equal_while_it_goes_on(tmp_path_factory: Any, past: list[list[Reading]], more: list[list[Reading]]) -> None:
    """What came after the tables were read is no difference."""
    records = [record(number, *lines) for number, lines in enumerate([*past, *more], 1)]
    stores = project({SHARD: records[: len(past)]})
    run = Verification(Tables(stores), WholeLog({SHARD: records}), tmp_path_factory.mktemp("verify"))
    assert list(run.differences()) == []


def _row(stores: MemoryStores, shard_id: str, key: RowKey, **changes: Any) -> None:
    stores.rows[shard_id, key] = replace(stores.rows[shard_id, key], **changes)


def _stats(stores: MemoryStores, shard_id: str, key: RowKey, **changes: Any) -> None:
    _row(stores, shard_id, key, stats=replace(stores.rows[shard_id, key].stats, **changes))


def _histogram(stores: MemoryStores) -> None:
    key = RowKey(sensor_scope(A), TOTAL)
    data = stores.rows["parent", key].stats.histogram
    _stats(stores, "parent", key, histogram=data[:-1] + bytes([data[-1] + 1]))


def _cell(stores: MemoryStores) -> None:
    key = next(key for shard, key in stores.rows if shard == "left" and key.is_sheet)
    sheet = list(stores.rows["left", key].sheet)
    number = next(number for number, cell in enumerate(sheet) if cell)
    cell = sheet[number]
    assert cell
    sheet[number] = cell._replace(sum_micro=cell.sum_micro + 1)
    _row(stores, "left", key, sheet=tuple(sheet))


def _pack(stores: MemoryStores) -> None:
    bounds, pack = next((one, pack) for one, pack in stores.packs.items() if len(pack.readings) > 1)
    stores.packs[bounds] = Pack(pack.bucket, pack.shard_id, pack.first, pack.last, pack.text.split(" ", 1)[1])


def _spoilt_pack(stores: MemoryStores) -> None:
    bounds, pack = next(iter(stores.packs.items()))
    stores.packs[bounds] = Pack(pack.bucket, pack.shard_id, pack.first, pack.last, pack.text + "x")


def _strange_window(stores: MemoryStores) -> None:
    key = RowKey(FLEET, "hour#of no day")
    stores.rows["parent", key] = replace(stores.rows["parent", HOUR], key=key)


def _no_pack(stores: MemoryStores) -> None:
    del stores.packs[next(iter(stores.packs))]


def _letter(stores: MemoryStores, **changes: Any) -> None:
    origin = Origin("parent", 2, 1)
    stores.dead_letters[origin] = replace(stores.dead_letters[origin], **changes)


def _another_letter(stores: MemoryStores) -> None:
    origin = Origin("right", 21, 7)
    stores.dead_letters[origin] = DeadLetter(origin, b"x", ReasonCode.NOT_JSON, "", 0)


def _mark(stores: MemoryStores) -> None:
    origin = Origin("parent", 2, 1)
    stores.marks[origin] = stores.marks[origin]._replace(because="else")


def _progress(stores: MemoryStores, **changes: Any) -> None:
    _row(stores, "parent", PROGRESS, progress=replace(stores.rows["parent", PROGRESS].progress, **changes))


HOUR = RowKey(FLEET, "hour#2023-11-14T22")
MINUTE = RowKey(FLEET, "minute#2023-11-14T22:13")
SENSOR = RowKey(sensor_scope(A), TOTAL)


@pytest.mark.parametrize(
    ("damage", "table", "attributes"),
    [
        (lambda s: _stats(s, "parent", PROGRESS, count=999), "stats", {"count"}),
        (lambda s: _stats(s, "parent", HOUR, sum_micro=1), "stats", {"sum"}),
        (lambda s: _stats(s, "parent", MINUTE, sum_squares=1), "stats", {"squares"}),
        (lambda s: _stats(s, "parent", SENSOR, maximum=reading(A, 0)), "stats", {"maximum"}),
        (lambda s: _stats(s, "parent", SENSOR, minimum=None), "stats", {"minimum"}),
        (lambda s: _stats(s, "parent", SENSOR, first=reading(A, 1)), "stats", {"first"}),
        (lambda s: _stats(s, "parent", SENSOR, latest=reading(A, 1)), "stats", {"latest"}),
        (lambda s: _stats(s, "left", PROGRESS, duplicates=0), "stats", {"duplicates"}),
        (_histogram, "stats", {"histogram"}),
        (_cell, "stats", {"cell 0"}),
        (lambda s: s.rows.pop(("parent", HOUR)), "stats", {"row"}),
        (lambda s: s.rows.pop(("parent", SENSOR)), "stats", {"row"}),
        (lambda s: _row(s, "parent", SENSOR, sensor=Sensor(seen_s=1)), "stats", {"last_seen"}),
        (lambda s: _progress(s, sensors=3), "stats", {"sensors"}),
        (lambda s: _progress(s, refusals=(0,) * len(ReasonCode)), "stats", {"refusals"}),
        (_pack, "readings", None),
        (_spoilt_pack, "readings", None),
        (_no_pack, "readings", None),
        (_strange_window, "stats", None),
        (lambda s: _letter(s, data=b"{brokem"), "dead letters", {"data"}),
        (lambda s: _letter(s, arrived_at_ms=1), "dead letters", {"arrived"}),
        (lambda s: s.dead_letters.pop(Origin("parent", 2, 1)), "dead letters", {"letter"}),
        (_another_letter, "dead letters", {"letter"}),
        (_mark, "dead letters", {"mark"}),
        (lambda s: s.marks.clear(), "dead letters", {"mark"}),
        (lambda s: s.directory.update({A: (1, s.directory[A][1])}), "directory", {"seen"}),
        (lambda s: s.directory.update({A: (s.directory[A][0], frozenset(["left"]))}), "directory", {"shards"}),
        (lambda s: s.directory.pop(A), "directory", {"sensor"}),
        (lambda s: s.directory.update({"nobody": (1, frozenset(["left"]))}), "directory", {"sensor"}),
    ],
)
def test_what_is_damaged_is_named(
    verified: Any, damage: Callable[[MemoryStores], object], table: str, attributes: set[str] | None
) -> None:
    """The table, the attribute, what is stored and what is right; and nothing else."""
    stores = project(RESHARDED)
    damage(stores)
    found, run = verified(stores, RESHARDED)
    assert run.complete
    assert {one.table for one in found} == {table}
    assert all(one.stored != one.right for one in found)
    assert not attributes or {one.attribute for one in found} == attributes


@pytest.mark.parametrize("key", [HOUR, SENSOR])
def test_a_row_that_is_behind_its_mark_is_named(verified: Any, key: RowKey) -> None:
    """It is right up to its own position, and lacks what came until everything was written."""
    parts: Parts = {PARENT: [record(number, reading(A, number)) for number in range(1, 5)]}
    stores, earlier = project(parts), project({PARENT: parts[PARENT][:2]})
    stores.rows["parent", key] = earlier.rows["parent", key]
    found, _ = verified(stores, parts)
    assert ("count", "2", "4") in {(one.attribute, one.stored, one.right) for one in found}


def test_an_end_that_came_too_early_is_named(verified: Any) -> None:
    """A row that says ended, and records behind it."""
    short = {**RESHARDED, PARENT: RESHARDED[PARENT][:3]}
    found, _ = verified(project(short), RESHARDED)
    assert "ended" in {one.attribute for one in found}


def test_a_letter_that_is_read_today_is_no_difference(verified: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is listed: rows do not have it, until it is retried or the generation is rebuilt."""
    newer = encode_event(reading("a", 9), 0).replace(b".recorded.v1", b".recorded.v2")
    parts: Parts = {SHARD: [record(1, reading("a"), newer), record(2, reading("a", 1))]}
    stores = project(parts)
    monkeypatch.setitem(
        UPCASTERS,
        "telemetry.temperature.recorded.v2",
        lambda event: {**event, "type": "telemetry.temperature.recorded.v1"},
    )
    found, run = verified(stores, parts)
    assert (found, run.readable, run.complete) == ([], 1, True)


@pytest.mark.parametrize(("read", "unread"), [(150, 0), (150, 30), (150, 150), (60, 60), (0, 150)])
def test_a_whole_records_letter_of_which_lines_are_read_today_is_no_difference(
    verified: Any, monkeypatch: pytest.MonkeyPatch, read: int, unread: int
) -> None:
    """Whether today's decoder reads all of it, some or nothing; what counted beside it stays counted, and damage is found."""
    newer = [encode_event(reading("a", number), 0).replace(b".recorded.v1", b".recorded.v2") for number in range(read)]
    newest = [line.replace(b".recorded.v2", b".recorded.v3") for line in newer[:1]] + [b"{"] * (unread - bool(newer[:1]))
    good = [reading("a", 1000 + number) for number in range(3)]
    lines: list[bytes | Reading] = [good[0], *newer[::2], good[1], b"", *newest[:unread], good[2], *newer[1::2], good[0]]
    parts: Parts = {SHARD: [record(1, *lines), record(2, reading("a", 2000))]}
    stores = project(parts)
    (origin,) = stores.dead_letters
    monkeypatch.setitem(
        UPCASTERS,
        "telemetry.temperature.recorded.v2",
        lambda event: {**event, "type": "telemetry.temperature.recorded.v1"},
    )
    found, run = verified(stores, parts)
    assert (found, run.readable, run.complete) == ([], int(read > 0), True)
    stores.dead_letters[origin] = replace(stores.dead_letters[origin], data=b"other")
    (one,), _ = verified(stores, parts)
    assert (one.table, one.attribute) == ("dead letters", "data")


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        (Scope(), {"all", "sensor"}),
        (Scope(sensors=frozenset([A])), {"sensor"}),
        (Scope(sensors=frozenset([B])), set()),
        (Scope(shards=frozenset(["left"])), set()),
        (Scope(shards=frozenset(["parent"])), {"all", "sensor"}),
        (Scope(since_us=1_800_000_000_000_000), set()),
        (Scope(since_us=0), {"all"}),
    ],
    ids=["whole", "sensor", "other sensor", "other shard", "shard", "since later", "since"],
)
def test_only_what_was_asked_for_is_judged(verified: Any, scope: Scope, names: set[str]) -> None:
    """Damage elsewhere is not seen, and what is not asked for makes no difference."""
    stores = project(RESHARDED)
    assert verified(stores, RESHARDED, scope=scope)[0] == []
    _stats(stores, "parent", HOUR, count=0)
    _stats(stores, "parent", SENSOR, count=0)
    found, _ = verified(stores, RESHARDED, scope=scope)
    assert {one.row.partition(" ")[0].partition("#")[0] for one in found} == names


def test_a_log_that_lacks_something_is_said(verified: Any) -> None:
    """A gap, and tables that hold more than it."""
    gap = Gap("left", 1, 2)
    _, run = verified(project(RESHARDED), RESHARDED, gap=gap)
    assert (run.complete, run.gaps) == (False, [gap] * 3)
    short = {**RESHARDED, RIGHT: RESHARDED[RIGHT][:1]}
    _, run = verified(project(RESHARDED), short)
    assert (run.complete, run.behind) == (False, ["right"])


def test_only_what_differs_twice_is_named() -> None:
    """As the second look saw it."""
    one, two = Difference("stats", "a", "count", "1", "2"), Difference("stats", "b", "count", "1", "2")
    assert named([one, two], [one._replace(stored="3")]) == [one._replace(stored="3")]
    assert named([one], [two]) == []
