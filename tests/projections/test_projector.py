"""The batch algorithm on stores in memory: each reading once, whatever crashes, comes again or works beside it."""

import gzip
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.decoding import LETTER_RUNS_MAX, LETTERS_MAX, Record
from projections.effects import Origin, run
from projections.memory import MemoryStores
from projections.packs import Place, pack_of
from projections.policy import FlushPolicy, Memory
from projections.rows import FLEET, PROGRESS, sensor_scope
from telemetry.errors import ReasonCode
from telemetry.events import decode_event, encode_event
from telemetry.letter_marks import LetterMark, LetterPlace, Outcome, encode_mark
from telemetry.limits import HASH_KEY_MAX
from telemetry.reading import Reading
from telemetry.shards import Shard
from tests.projections.logs import (
    NEVER,
    NEVER_DUE,
    SHARD,
    START_S,
    Checkpoint,
    Clock,
    Walk,
    WatchedStores,
    check_packs,
    check_rows,
    check_tables,
    few_readings,
    oracle,
    progress_of,
    projector,
    reading,
    record,
    sensors_of,
    stats_by_key,
    work,
)
from tests.support.aggregates import aggregate

EAGER = FlushPolicy(everything_every_s=0)
"""Everything is flushed after every slice."""
FLEET_ONLY = FlushPolicy(few_sensors=-1, windows_every_s=0, everything_every_s=NEVER, memory=Memory(rows=1))
"""Fleet rows are flushed after every slice, sensor rows when nothing comes any more."""
TOTALS_ONLY = FlushPolicy(few_sensors=-1, windows_every_s=NEVER_DUE, totals_behind_every_s=0, everything_every_s=NEVER)
"""The total is written after every slice, all else when nothing comes any more."""
LAZY = FlushPolicy(few_sensors=-1, windows_every_s=NEVER_DUE, totals_every_s=NEVER, everything_every_s=NEVER)
"""Nothing is written before nothing comes any more."""
FEW_DECISIONS = FlushPolicy(few_sensors=-1, windows_every_s=0, memory=Memory(unflushed_bytes=5_000, rows=1))
"""Fleet rows are flushed after every slice, everything after three decisions, and hardly a row is held."""
POLICIES = {
    "eager": EAGER,
    "fleet only": FLEET_ONLY,
    "totals only": TOTALS_ONLY,
    "lazy": LAZY,
    "few decisions": FEW_DECISIONS,
}
policies = st.sampled_from(list(POLICIES.values()))

OTHER_HALF = Shard("shardId-000000000001", 2**127, HASH_KEY_MAX)
SMALL_LOG = [
    record(1, reading("a", 0), reading("b", 0), reading("a", 0)),
    record(2, b"{broken", reading("a", 0), reading("a", 3600, celsius=-3)),
    record(3),
    record(4, reading("b", 1, celsius=99), reading("b", 0)),
    record(5, reading("c", 2)),
]
"""Repeats within a record and across records and deliveries, a broken line, an empty record."""

lines = st.one_of(few_readings, few_readings, few_readings, st.sampled_from([b"{broken", b"", b"[]"]))
logs = st.lists(st.lists(lines, max_size=4), max_size=8).map(
    lambda bodies: [record(number, *body) for number, body in enumerate(bodies, 1)]
)
schedules = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([*["step"] * 8, "die", "die, answered"])), max_size=60)


def project(*log: Record) -> MemoryStores:
    """The stores after a worker's whole life on a log."""
    stores = WatchedStores()
    run(work(projector(), log, Checkpoint()), stores)
    return stores


# --- Each reading once ---


def test_a_new_reading_is_stored_and_folded_into_all_its_rows() -> None:
    """One reading: a pack with its place, seven rows, a progress mark, a place in the directory."""
    one = reading("202", celsius=18.7)
    stores = project(record(7, one))
    assert list(stores.packs.values()) == [pack_of(SHARD.shard_id, Place(7, 0), Place(7, 0), [one])]
    check_tables(stores, [record(7, one)])
    assert len(stores.rows) == 7
    assert progress_of(stores).flushed.position == 7
    assert {shards for _, shards in stores.directory.values()} == {frozenset({SHARD.shard_id})}


@pytest.mark.parametrize(
    "log",
    [
        [record(1, reading(), reading())],
        [record(1, reading()), record(2, reading())],
        [record(1, reading()), record(2), record(3), record(4, reading())],
    ],
    ids=["in one record", "in two records of a delivery", "in two deliveries"],
)
def test_the_same_reading_again_counts_once_and_as_a_duplicate(log: list[Record]) -> None:
    """A repeat is seen as one wherever it comes."""
    rows = stats_by_key(project(*log))
    assert (rows[PROGRESS].count, rows[PROGRESS].duplicates) == (1, 1)
    assert rows == oracle(log)


def test_a_reading_that_another_shard_brought_first_counts_there_only() -> None:
    """After a reshard the original lies in the parent and its retry in the child: the child sees a duplicate (H20)."""
    parent, child = Shard("parent", 0, HASH_KEY_MAX, closed=True), Shard("child", 0, HASH_KEY_MAX, parents=("parent",))
    stores = MemoryStores()
    for shard in (parent, child):
        run(work(projector(shard=shard), [record(1, reading())], Checkpoint()), stores)
    assert {shard: (row.stats.count, row.stats.duplicates) for shard, row in stores.total_rows().items()} == {
        "parent": (1, 0),
        "child": (0, 1),
    }


def test_records_that_are_flushed_are_not_decided_again() -> None:
    """A checkpoint that was lost costs a redelivery, which is passed over, and the checkpoint is made good."""
    stores, checkpoint = WatchedStores(), Checkpoint()
    run(work(projector(), SMALL_LOG, checkpoint), stores)
    before = dict(stores.rows)
    subject = projector()
    run(subject.start(), stores)
    assert run(subject.project(SMALL_LOG, caught_up=False), stores) == 5
    assert not subject._seen.unflushed.open
    assert len(subject._fleet._entries) == 1
    assert stores.rows == before


@given(logs, policies, st.integers(1, 3), st.sampled_from([1, 2, 1000]))
def test_any_log_projects_to_what_the_oracle_says(log: list[Record], policy: FlushPolicy, size: int, lines_max: int) -> None:
    """Whatever the log, the size of deliveries and slices and the policy: rows and readings equal the oracle's."""
    stores, checkpoint = WatchedStores(), Checkpoint()
    with mock.patch("projections.slices.SLICE_LINES", lines_max):
        run(work(projector(policy=policy), log, checkpoint, records_max=size), stores)
    check_tables(stores, log)
    check_packs(stores, log)
    assert checkpoint.sequence_number == len(log)


def test_a_projection_is_wiped_replayed_and_equal() -> None:
    """Projecting the log twice, each time from nothing, writes the same tables: rows, readings, dead letters."""
    first, second = ({**vars(project(*SMALL_LOG)), "live": None} for _ in range(2))
    assert first.keys() > {"rows", "packs", "directory", "dead_letters"}
    assert first == second


def test_replaying_the_whole_log_over_its_projection_changes_nothing() -> None:
    """A lost checkpoint costs work only: what a line itself brought earlier is not a duplicate and not folded again."""
    stores = project(*SMALL_LOG)
    before = dict(stores.rows)
    run(work(projector(), SMALL_LOG, Checkpoint(), flush=False), stores)
    assert stores.rows == before


# --- Crashes ---


@pytest.mark.parametrize("answered", [False, True], ids=["before it took effect", "after it took effect"])
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_crash_at_any_question_costs_nothing(policy: FlushPolicy, answered: bool) -> None:
    """A worker dies at its n-th question, for every n; the next one starts from the checkpoint and ends at the oracle."""
    crashes = 0
    while True:
        stores, checkpoint = WatchedStores(), Checkpoint()
        doomed = Walk(work(projector(policy=policy), SMALL_LOG, checkpoint))
        for _ in range(crashes):
            doomed.step(stores)
        survived = doomed.done
        doomed.die(stores, answered=answered)
        check_rows(stores, SMALL_LOG, checkpoint.sequence_number)
        run(work(projector(policy=policy), SMALL_LOG, checkpoint), stores)
        check_tables(stores, SMALL_LOG)
        assert set(stores.dead_letters) == {Origin(SHARD.shard_id, 2, 0)}
        if survived:
            break
        crashes += 1
    assert crashes >= 8, "the log is too small to prove anything"


@given(logs, st.lists(st.tuples(st.integers(0, 12), st.booleans(), policies), max_size=5))
def test_any_series_of_crashes_costs_nothing(log: list[Record], deaths: list[tuple[int, bool, FlushPolicy]]) -> None:
    """Workers of different policies die one after the other; the last one finds tables it can finish."""
    stores, checkpoint = WatchedStores(), Checkpoint()
    for questions, answered, policy in deaths:
        doomed = Walk(work(projector(policy=policy), log, checkpoint))
        for _ in range(questions):
            if not doomed.done:
                doomed.step(stores)
        doomed.die(stores, answered=answered)
        check_rows(stores, log, checkpoint.sequence_number)
    run(work(projector(), log, checkpoint), stores)
    check_tables(stores, log)


def test_each_row_decides_by_its_own_position() -> None:
    """Fleet rows were written, sensor rows were not, the worker dies: the replay is folded into sensor rows only."""
    log = [record(1, reading("a")), record(2, reading("b"))]
    stores, checkpoint = WatchedStores(), Checkpoint()
    run(work(projector(policy=FLEET_ONLY), log, checkpoint, flush=False), stores)
    assert {key.scope for _, key in stores.rows} == {FLEET}
    assert checkpoint.sequence_number == 0
    run(work(projector(), log, checkpoint), stores)
    check_tables(stores, log)


# --- Two workers on one shard ---


def test_a_row_that_another_worker_moved_is_loaded_and_folded_again() -> None:
    """A refused write loses nothing and adds nothing twice: only what lies after the row's new position is folded."""
    log = [record(1, reading("a", 1)), record(2, reading("a", 2)), record(3, reading("a", 3))]
    stores = WatchedStores()
    slow = projector(policy=LAZY)
    run(slow.start(), stores)
    run(slow.project(log, caught_up=False), stores)
    assert not stores.rows
    run(work(projector(), log[:2], Checkpoint()), stores)
    assert run(slow.flush(), stores) == 3
    check_tables(stores, log)
    assert stores.rows[SHARD.shard_id, PROGRESS].position == 3


def test_decisions_are_kept_until_sensor_rows_are_written() -> None:
    """Fleet rows were written meanwhile; a sensor row that another worker moved still gets all that lies after it."""
    log = [record(number, reading("a", number)) for number in (1, 2, 3)]
    stores = WatchedStores()
    slow = projector(policy=FLEET_ONLY)
    run(slow.start(), stores)
    run(slow.project(log[:2], caught_up=False), stores)
    run(work(projector(), log[:1], Checkpoint()), stores)
    run(slow.project(log[2:], caught_up=False), stores)
    assert run(slow.flush(), stores) == 3
    check_tables(stores, log)


def test_a_worker_that_fell_behind_writes_nothing_old() -> None:
    """A zombie whose decisions are all covered by another's rows leaves every row as it is."""
    log = [record(1, reading("a", 1)), record(2, reading("a", 2))]
    stores = WatchedStores()
    zombie = projector(policy=LAZY)
    run(zombie.start(), stores)
    run(zombie.project(log[:1], caught_up=False), stores)
    run(work(projector(), log, Checkpoint()), stores)
    before = dict(stores.rows)
    assert run(zombie.flush(), stores) == 1
    assert stores.rows == before


@settings(max_examples=400)
@given(logs, schedules, st.tuples(policies, policies), st.tuples(st.integers(1, 3), st.integers(1, 3)))
def test_two_workers_interleaved_at_every_question_spoil_nothing(
    log: list[Record], schedule: list[tuple[int, str]], policy: tuple[FlushPolicy, FlushPolicy], size: tuple[int, int]
) -> None:
    """A zombie and its successor, crossed and crashing in any order: equal tables, and positions never go back."""
    stores, checkpoint = WatchedStores(), Checkpoint()

    def start(who: int) -> Walk:
        return Walk(work(projector(policy=policy[who]), log, checkpoint, records_max=size[who], idle=True))

    workers = [start(0), start(1)]
    for who, what in schedule:
        if what == "step" and not workers[who].done:
            workers[who].step(stores)
        elif what != "step":
            workers[who].die(stores, answered=what == "die, answered")
            workers[who] = start(who)
        check_rows(stores, log, checkpoint.sequence_number)
    for worker in workers:
        while not worker.done:
            worker.step(stores)
    check_tables(stores, log)
    check_packs(stores, log)


# --- Misrouted events ---


def test_an_event_of_another_shard_is_sent_home_and_not_folded() -> None:
    """It is appended under its own key, its bytes unchanged, and neither stored nor counted here."""
    (own,), (foreign,) = sensors_of(OTHER_HALF, 1), sensors_of(OTHER_HALF, 1, inside=False)
    log = [record(1, reading(foreign), reading(own))]
    stores = MemoryStores()
    run(work(projector(shard=OTHER_HALF), log, Checkpoint()), stores)
    assert stores.appended == [(foreign, log[0].data.split(b"\n")[0])]
    assert set(stores.readings) == {reading(own)}
    assert stats_by_key(stores) == oracle(log, OTHER_HALF)


def test_an_event_is_sent_home_before_the_checkpoint_passes_it() -> None:
    """A worker that dies while appending starts before the record again; appending twice is harmless."""
    (foreign,) = sensors_of(OTHER_HALF, 1, inside=False)
    log = [record(1, reading(foreign))]
    stores, checkpoint = MemoryStores(), Checkpoint()
    doomed = Walk(work(projector(shard=OTHER_HALF, policy=EAGER), log, checkpoint))
    while not stores.appended:
        doomed.step(stores)
    doomed.die(stores, answered=False)
    assert checkpoint.sequence_number == 0
    run(work(projector(shard=OTHER_HALF), log, checkpoint), stores)
    assert [sensor_id for sensor_id, _ in stores.appended] == [foreign, foreign]


def test_a_closed_parents_range_counts_as_its_own() -> None:
    """What lies in a closed shard's range is folded there, although an open child holds that range now."""
    closed = Shard("parent", 2**127, HASH_KEY_MAX, closed=True)
    (own,) = sensors_of(closed, 1)
    stores = MemoryStores()
    run(work(projector(shard=closed), [record(1, reading(own))], Checkpoint()), stores)
    assert stores.total_rows()["parent"].stats.count == 1
    assert not stores.appended


# --- Between records ---


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_the_checkpoint_never_passes_what_is_durable(policy: FlushPolicy) -> None:
    """After every question: all that lies before the checkpoint is in every row and in the raw readings."""
    stores, checkpoint = WatchedStores(), Checkpoint()
    worker = Walk(work(projector(policy=policy), SMALL_LOG, checkpoint, records_max=1))
    while not worker.done:
        worker.step(stores)
        check_rows(stores, SMALL_LOG, checkpoint.sequence_number)
    assert checkpoint.sequence_number == 5


def test_nothing_is_written_inside_a_record() -> None:
    """A record larger than a slice is folded slice by slice, and its rows are written when it is whole."""
    log = [record(1, reading("a")), record(2, *(reading("a", number) for number in range(1, 8)))]
    stores = WatchedStores()
    with mock.patch("projections.slices.SLICE_LINES", 2):
        worker = Walk(work(projector(policy=EAGER), log, Checkpoint(), records_max=2))
        while not worker.done:
            worker.step(stores)
            assert {row.stats.count for row in stores.total_rows().values()} <= {0, 1, 8}
    assert stats_by_key(stores) == oracle(log)


def test_a_repeat_in_a_later_slice_of_its_record_is_a_duplicate() -> None:
    """What was counted in one slice is remembered in the next."""
    log = [record(1, *(reading("a", number % 3) for number in range(10)))]
    with mock.patch("projections.slices.SLICE_LINES", 2):
        rows = stats_by_key(project(*log))
    assert (rows[PROGRESS].count, rows[PROGRESS].duplicates) == (3, 7)


def test_rows_leave_the_cache_only_when_they_are_written() -> None:
    """With room for one row, unwritten ones stay; written ones go, and are loaded again for the next reading."""
    log = [record(number, reading(f"sensor-{number % 2}", number)) for number in range(1, 9)]
    stores, subject = WatchedStores(), projector(policy=replace(LAZY, memory=Memory(rows=1)))
    run(subject.start(), stores)
    held = []
    for number, one in enumerate(log, 1):
        run(subject.project([one], caught_up=False), stores)
        if number % 4 == 0:
            run(subject.flush(), stores)
        held.append(len(subject._sensors.sensors))
    assert held == 2 * [1, 2, 2, 0]
    assert stats_by_key(stores) == oracle(log)


# --- Poison ---


def test_broken_lines_become_dead_letters_and_later_readings_count() -> None:
    """Each bad line is kept with its bytes, place, reason and arrival; the shard goes on."""
    log = [record(7, b"{broken", reading("a"), b'{"specversion":"1.0","type":"unheard.of.v9"}'), record(8, reading("b"))]
    stores = project(*log)
    broken, unknown = (stores.dead_letters[Origin(SHARD.shard_id, 7, line)] for line in (0, 2))
    assert (broken.data, broken.arrived_at_ms) == (b"{broken", (START_S + 7) * 1000)
    assert (broken.code, unknown.code) == (ReasonCode.NOT_JSON, ReasonCode.UNKNOWN_TYPE)
    assert "not JSON" in broken.reason
    assert "unheard.of.v9" in unknown.reason
    assert stats_by_key(stores)[PROGRESS].count == 2


def test_marks_are_kept_and_counted_nowhere() -> None:
    """What was decided about a letter stays, whatever comes first; a mark of another form is a letter itself."""
    mark = LetterMark(LetterPlace(SHARD.shard_id, 9, 0), Outcome.DISCARDED, "me", "garbage", 1_000_000)
    line = encode_mark(mark)
    stores = project(record(7, reading("a"), line, line.replace(b"discarded", b"lost")), record(9, b"{broken"))
    assert stores.marks == {Origin(SHARD.shard_id, 9, 0): mark}
    assert {origin: letter.code for origin, letter in stores.dead_letters.items()} == {
        Origin(SHARD.shard_id, 7, 2): ReasonCode.NOT_AN_EVENT,
        Origin(SHARD.shard_id, 9, 0): ReasonCode.NOT_JSON,
    }
    assert stats_by_key(stores)[PROGRESS].count == 1


def test_dead_letters_are_stored_before_the_checkpoint_passes_them() -> None:
    """A worker that dies before keeping a broken line is given it again."""
    log = [record(1, b"{broken")]
    stores, checkpoint = WatchedStores(), Checkpoint()
    worker = Walk(work(projector(policy=EAGER), log, checkpoint))
    while not worker.done:
        assert checkpoint.sequence_number == 0 or stores.dead_letters
        worker.step(stores)
    assert checkpoint.sequence_number == 1


def test_a_broken_record_is_kept_whole() -> None:
    """Gzip that ends too early: lines before the fault count, and all the record's bytes are in one dead letter."""
    events = [encode_event(reading(f"sensor-{number}"), 0) for number in range(3000)]
    broken = Record(1, gzip.compress(b"\n".join(events), mtime=0)[:-20], START_S * 1000)
    stores = project(broken, record(2, reading("after")))
    (letter,) = stores.dead_letters.values()
    count = stats_by_key(stores)[PROGRESS].count
    assert (letter.data, letter.code) == (broken.data, ReasonCode.BAD_GZIP)
    assert 1 < count <= 3001
    assert letter.origin.line == count - 1, "the letter's line follows the last one that could be read"


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_no_bytes_stop_the_shard(junk: list[bytes]) -> None:
    """Whatever a record holds, the reading after it is counted and the checkpoint passes."""
    log = [*(Record(number, data, START_S * 1000) for number, data in enumerate(junk, 1)), record(9, reading("after"))]
    stores, checkpoint = WatchedStores(), Checkpoint()
    run(work(projector(), log, checkpoint), stores)
    assert stores.total_rows(sensor_scope("after"))[SHARD.shard_id].stats.count == 1
    assert checkpoint.sequence_number == 9


def test_h21_a_record_in_the_kpls_format_is_kept_as_a_dead_letter() -> None:
    """One that KCL could not take apart, because it is spoilt: a plain record that holds no event, and one letter."""
    spoilt = aggregate([encode_event(reading(f"s{number}"), 0) + b"\n" for number in range(200)])[:-1]
    (letter,) = project(Record(1, spoilt, START_S * 1000)).dead_letters.values()
    assert (letter.data, letter.code) == (spoilt, ReasonCode.NOT_AN_EVENT)


def test_h27_a_gzip_bomb_is_kept_packed_and_the_shard_goes_on() -> None:
    """A record that inflates beyond the bound is one dead letter of its packed bytes."""
    bomb = Record(1, gzip.compress(bytes(20 * 2**20), mtime=0), START_S * 1000)
    stores = project(bomb, record(2, reading()))
    (letter,) = stores.dead_letters.values()
    assert (letter.data, letter.code) == (bomb.data, ReasonCode.TOO_LONG)
    assert "inflates beyond" in letter.reason
    assert stats_by_key(stores)[PROGRESS].count == 1


def test_h27_two_bad_lines_of_one_record_are_two_dead_letters() -> None:
    """Letters are kept by line, so the second does not overwrite the first."""
    stores = project(record(1, b"{one", b"{two"))
    assert {origin.line: letter.data for origin, letter in stores.dead_letters.items()} == {0: b"{one", 1: b"{two"}


def test_h27_garbage_larger_than_an_item_is_kept_whole() -> None:
    """A megabyte of one senseless line is a dead letter of a megabyte; the store splits it up."""
    garbage = b"x" * 2**20
    (letter,) = project(Record(1, garbage, START_S * 1000)).dead_letters.values()
    assert letter.data == garbage


@pytest.mark.parametrize("bad", [LETTERS_MAX, LETTERS_MAX + 1])
@pytest.mark.parametrize("lines_max", [1, 7, 1000])
def test_s06_more_than_a_hundred_bad_lines_of_a_record_are_one_dead_letter(bad: int, lines_max: int) -> None:
    """With the whole record and their count, beside its good lines; up to a hundred are one each, whatever the slices."""
    one = record(
        1, b"good lines only follow", *(b"{broken %d" % number for number in range(1, bad)), reading("a"), reading("b")
    )
    with mock.patch("projections.slices.SLICE_LINES", lines_max):
        stores = project(one, record(2, reading("c")))
    letters = {origin.line: letter for origin, letter in stores.dead_letters.items()}
    if bad > LETTERS_MAX:
        assert [(letter.data, letter.code) for letter in letters.values()] == [(one.data, ReasonCode.MANY_LINES)]
        assert letters[0].reason.startswith(f"{bad} of its lines are no events, the first of them line 0: not JSON")
    else:
        assert list(letters) == list(range(bad))
        assert {letter.code for letter in letters.values()} == {ReasonCode.NOT_JSON}
    assert stats_by_key(stores)[PROGRESS].count == 3


@pytest.mark.parametrize("runs", [LETTER_RUNS_MAX, LETTER_RUNS_MAX + 1])
def test_s06_a_whole_records_letter_tells_which_lines_it_is_for(runs: int) -> None:
    """By their runs, among which blank lines do not count; of very many it is not told."""
    lines: list[bytes | Reading] = [b"{", b"", b"{", reading("a")]
    one = record(1, reading("a"), *lines * runs)
    (letter,) = project(one).dead_letters.values()
    told = tuple((1 + 4 * number, 3 + 4 * number) for number in range(runs))
    assert (letter.code, letter.lines) == (ReasonCode.MANY_LINES, told if runs == LETTER_RUNS_MAX else ())


def test_s06_a_record_of_bad_lines_that_breaks_off_says_both() -> None:
    """Its one letter tells how many lines are no events, and that what follows could not be read."""
    data = gzip.compress(b"\n".join([encode_event(reading(), 0), *[b"no event"] * 200]))[:-4]
    stores = project(Record(1, data, START_S * 1000))
    (letter,) = stores.dead_letters.values()
    assert (letter.data, letter.code) == (data, ReasonCode.MANY_LINES)
    assert letter.reason.startswith("200 of its lines are no events, the first of them line 1: not JSON")
    assert letter.reason.endswith("; broken gzip: it ends too early")
    assert stats_by_key(stores)[PROGRESS].count == 1


class Ticking(WatchedStores):
    """Stores whose every call takes a second of the clock, and that note when the progress row's beat moves."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.beats_s: list[float] = [clock.now_s]
        self.most_written = 0

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith(("find_", "store_", "load_", "append_", "sight")):
            return found

        def take_a_second(*request: Any, **named: Any) -> Any:
            self._clock.now_s += 1
            if name.startswith(("store_", "append_", "sight")):
                self.most_written = max(self.most_written, len(request[-1]))
            answer = found(*request, **named)
            if name == "store_rows" and any(row.key == PROGRESS for row, _ in request[-1]):
                self.beats_s.append(self._clock.now_s)
            return answer

        return take_a_second

    @property
    def longest_silence_s(self) -> float:
        ends = [*self.beats_s, self._clock.now_s]
        return max(later - earlier for earlier, later in pairwise(ends))


HUGE = {
    "one record of many readings": [record(1, *(reading(f"s{number}", 700 * number) for number in range(1_000)))],
    "one record of few good lines": [record(1, *[b"no event"] * 2_000, reading())],
    "bad lines in many records": [record(number, b"{broken", reading("a", number)) for number in range(1, 500)],
    "unknown event types": [record(number, *[b'{"specversion":"1.0","type":"new.v9"}'] * 90) for number in range(1, 20)],
    "many small records": [record(number, reading(f"s{number}", 700 * number)) for number in range(1, 600)],
}
CHILD = Shard("child", 0, 2**126, parents=("parent",))
BRISK = FlushPolicy(few_sensors=20, renew_every_s=3)
LAZY_BRISK = replace(LAZY, renew_every_s=3)


@pytest.mark.parametrize("log", HUGE.values(), ids=HUGE)
@pytest.mark.parametrize("shard", [SHARD, CHILD], ids=["first", "child with strays"])
@pytest.mark.parametrize("policy", [BRISK, LAZY_BRISK], ids=["usual", "lazy"])
def test_s06_s09_no_delivery_and_no_flush_goes_long_without_a_sign_of_life(
    log: list[Record], shard: Shard, policy: FlushPolicy
) -> None:
    """However slow the stores or the core are: between two beats there is never more than their interval and one question."""
    clock = Clock()
    stores, subject = Ticking(clock), projector(clock, policy, shard)
    bounds = [f"{name}.ITEMS_AT_ONCE" for name in ("fleet_rows", "projector", "counting", "strays")] + ["projector.CHUNK_ITEMS"]
    with ExitStack() as patches:
        for name in bounds:
            patches.enter_context(mock.patch(f"projections.{name}", 20))
        run(subject.start(), stores)
        for _ in range(2):  # the second time everything is a repeat
            run(subject.project(log, caught_up=True), stores)
            run(subject.flush(), stores)
            log = [replace(one, sequence_number=one.sequence_number + 10**6) for one in log]
    assert stores.longest_silence_s <= policy.renew_every_s + 1
    assert stores.most_written <= 20


def test_s09_stores_slower_than_the_signs_of_life_stop_nothing() -> None:
    """A beat is due after each question: none comes right before a write of the progress row, which it would have refused."""
    stores, clock = WatchedStores(), Clock()
    log = [record(1, reading("a")), record(2, reading("b"))]
    worker = Walk(work(projector(clock), log, Checkpoint(), records_max=1))
    for _ in range(60):
        if not worker.done:
            clock.now_s += 30
            worker.step(stores)
    assert worker.done
    assert stores.refused == 0
    check_tables(stores, log)


def test_s06_a_huge_record_shows_life_although_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of lines that are no events asks the stores for nothing, while each costs a busy core time."""
    clock = Clock()
    monkeypatch.setattr("telemetry.canonical.decode_event", partial(slow_decode, clock))
    monkeypatch.setattr("projections.slices.LOOKS_EVERY_LINES", 10)
    stores, subject = WatchedStores(), projector(clock)
    run(subject.start(), stores)
    run(subject.project([record(1, *[b"no event"] * 300)], caught_up=False), stores)
    assert progress_of(stores).beat >= 300 * 0.5 / (10 + 0.5 * 10)
    assert len(stores.dead_letters) == 1


def slow_decode(clock: Clock, line: bytes) -> Reading:
    """Takes half a second."""
    clock.now_s += 0.5
    return decode_event(line)


def test_s09_a_beat_moves_nothing_else() -> None:
    """In the middle of a record the progress row says what it said before: neither position nor stats are ahead."""
    clock = Clock()
    stores, subject = WatchedStores(), projector(clock)
    run(subject.start(), stores)
    run(subject.project([record(1, reading("a"))], caught_up=True), stores)
    before = stores.total_rows()[SHARD.shard_id]
    big = Walk(subject.project([record(2, *(reading("b", number) for number in range(5_000)))], caught_up=False))
    seen = []
    while not big.done:
        clock.now_s += 6
        big.step(stores)
        seen.append(stores.total_rows()[SHARD.shard_id])
    beats = [row for row in seen if row.position == 1 and row.progress.beat > before.progress.beat]
    assert beats
    assert set(beats) == {before}, "rows are compared without their beats"
    assert seen[-1].stats.count == 5_001


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("subject", '""'),
        ("subject", '"\\ud800"'),
        ("subject", '"' + "ü" * 257 + '"'),
        ("data", '{"temperature":1e300}'),
        ("data", '{"temperature":NaN}'),
        ("time", '"0000-01-01T00:00:00Z"'),
    ],
)
def test_h27_a_value_that_dynamodb_would_reject_is_a_dead_letter(member: str, value: str) -> None:
    """Keys that are empty, too long or no UTF-8, and numbers beyond 38 digits, never reach a request."""
    members = {"subject": '"a"', "time": '"2026-11-23T10:00:00Z"', "data": '{"temperature":1}', member: value}
    body = ",".join(f'"{name}":{text}' for name, text in members.items())
    stores = project(record(1, f'{{"specversion":"1.0","type":"telemetry.temperature.recorded.v1",{body}}}'.encode()))
    assert len(stores.dead_letters) == 1
    assert not stores.readings


def test_readings_of_one_instant_and_different_temperatures_are_two() -> None:
    """The temperature belongs to the identity."""
    log = [record(1, Reading(START_S * 1_000_000, "a", 1), Reading(START_S * 1_000_000, "a", 2))]
    assert stats_by_key(project(*log))[PROGRESS].count == 2
