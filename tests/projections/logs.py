"""What the projection's tests share: readings to draw, logs to project, workers on them, and an oracle.

The oracle shares no code with the fold: it reads the log's lines with the standard library and adds up fractions.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache, lru_cache
from math import nan
from typing import NamedTuple

from hypothesis import strategies as st

from projections.decoding import Record
from projections.effects import Origin, Question, Steps, Stores
from projections.fold import Stats
from projections.histogram import encode
from projections.memory import MemoryStores
from projections.packs import bucket_of
from projections.policy import FlushPolicy
from projections.projector import ShardProjector
from projections.rows import FLEET, PROGRESS, TOTAL, Progress, Row, RowKey, sensor_of
from projections.sheets import Sheet
from telemetry.errors import ReasonCode
from telemetry.events import encode_event
from telemetry.limits import HASH_KEY_MAX, TEMPERATURE_MICRO_MAX, TEMPERATURE_MICRO_MIN, TIME_US_MAX, TIME_US_MIN
from telemetry.reading import Reading
from telemetry.shards import Shard, hash_key
from tests.support.oracle import expected_histogram, expected_seen_s, expected_sheets

SHARD = Shard("shardId-000000000000", 0, HASH_KEY_MAX)
START_S = 1_700_000_000
HOUR_US = 3_600_000_000
NOW_S = START_S + 100
NEVER = 10**9
"""A number of seconds or rows that no test reaches."""
NEVER_DUE = nan
"""An interval that is never over, not even the first one, which is over at once: no comparison with it holds."""

sensor_ids = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=256).filter(
    lambda text: text == text.strip()
)
readings = st.builds(
    Reading,
    st.integers(TIME_US_MIN, TIME_US_MAX),
    sensor_ids,
    st.integers(TEMPERATURE_MICRO_MIN, TEMPERATURE_MICRO_MAX),
)
"""Any legal reading."""

few_readings = st.builds(
    Reading,
    st.sampled_from([0, 1, HOUR_US]).map(lambda us: START_S * 1_000_000 + us),
    st.sampled_from(["a", "b"]),
    st.sampled_from([-1_500_000, 0, 18_700_000]),
)
"""Readings out of so few that repeats and ties abound."""


def reading(sensor_id: str = "a", at_s: float = 0, celsius: float = 18.5) -> Reading:
    """A reading measured `at_s` seconds after the tests' beginning of time."""
    return Reading(int((START_S + at_s) * 1_000_000), sensor_id, round(celsius * 1_000_000))


def record(sequence_number: int, *lines: Reading | bytes) -> Record:
    """A record of events and raw lines that arrived `sequence_number` seconds after the beginning of time."""
    events = [line if isinstance(line, bytes) else encode_event(line, START_S * 1_000_000) for line in lines]
    return Record(sequence_number, b"".join(event + b"\n" for event in events), (START_S + sequence_number) * 1000)


def sensors_of(shard: Shard, count: int, *, inside: bool = True) -> list[str]:
    """Names of sensors that hash into a shard, or outside it."""
    names = (f"sensor-{number}" for number in range(100_000))
    return [name for name, _ in zip((n for n in names if shard.holds(hash_key(n)) is inside), range(count), strict=False)]


class Clock:
    """A clock that stands, a while after all records have arrived, until it is moved."""

    def __init__(self) -> None:
        self.now_s: float = NOW_S

    def __call__(self) -> float:
        return self.now_s


class Checkpoint:
    """What KCL keeps of a shard: the sequence number after which records are delivered again. It never goes back."""

    def __init__(self) -> None:
        self.sequence_number = 0

    def move(self, sequence_number: int) -> None:
        self.sequence_number = max(self.sequence_number, sequence_number)


def work(
    projector: ShardProjector,
    log: Sequence[Record],
    checkpoint: Checkpoint,
    *,
    records_max: int = 2,
    idle: bool = False,
    flush: bool = True,
) -> Steps[None]:
    """A worker's whole life: deliveries from the checkpoint to the log's end, an idle tick, the end of the shard."""
    todo = [record for record in log if record.sequence_number > checkpoint.sequence_number]
    yield from projector.start()
    for begin in range(0, len(todo), records_max):
        caught_up = begin + records_max >= len(todo)
        checkpoint.move((yield from projector.project(todo[begin : begin + records_max], caught_up=caught_up)))
    if idle:
        checkpoint.move((yield from projector.project([], caught_up=True)))
    if flush:
        checkpoint.move((yield from projector.flush()))


class Walk:
    """Steps taken one question at a time."""

    def __init__(self, steps: Steps[object]) -> None:
        self._steps = steps
        self._question: Question | None = next(steps, None)

    @property
    def done(self) -> bool:
        """Whether there is nothing left to ask."""
        return self._question is None

    def step(self, stores: Stores) -> None:
        """Answer one question and go on to the next."""
        assert self._question
        answer = self._question(stores)
        try:
            self._question = self._steps.send(answer)
        except StopIteration:
            self._question = None

    def die(self, stores: Stores, *, answered: bool) -> None:
        """Crash at the question that is open, which has taken effect or not."""
        if answered and self._question:
            self._question(stores)
        self._steps.close()
        self._question = None


class WatchedStores(MemoryStores):
    """Stores that fail the test when anything goes back, a final row moves, or the directory is behind a row."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[list[RowKey]] = []
        """The keys of each write, in order."""
        self.refused = 0

    def store_rows(self, shard_id: str, rows: Sequence[tuple[Row, Row]]) -> Collection[RowKey]:
        self.writes.append([row.key for row, _ in rows])
        before = {key: row for (shard, key), row in self.rows.items() if shard == shard_id}
        refused = super().store_rows(shard_id, rows)
        self.refused += len(refused)
        for row, _ in rows:
            old, new = before.get(row.key, Row(row.key)), self.rows[shard_id, row.key]
            assert all(was <= now for was, now in zip(_growing(old), _growing(new), strict=True)), (old, new)
            if old.progress.ended:
                assert (new, new.progress.gap) == (old, old.progress.gap)
            if new.sensor.seen_s is not None:
                seen_s, shards = self.directory[sensor_of(new.key)]
                assert new.sensor.seen_s <= seen_s
                assert shard_id in shards
        return refused


def _growing(row: Row) -> list[int]:
    """What of a row may only grow."""
    marks = row.mark, row.progress.windows, row.progress.flushed
    return [*(number for mark in marks for number in mark), row.progress.beat, row.progress.sensors, *row.progress.refusals]


def projector(clock: Clock | None = None, policy: FlushPolicy | None = None, shard: Shard = SHARD) -> ShardProjector:
    """A projector of the one shard that most tests have."""
    return ShardProjector(shard, clock or Clock(), policy)


def stats_by_key(stores: MemoryStores) -> dict[RowKey, Stats]:
    """What the rows of all shards hold, those without anything left out. For tests of one shard."""
    return {key: row.stats for (_, key), row in stores.rows.items() if row.stats != Stats()}


def oracle(log: Iterable[Record], shard: Shard = SHARD) -> dict[RowKey, Stats]:
    """What the rows of a shard must hold, from nothing but the log's lines."""
    seen: set[Reading] = set()
    members: dict[RowKey, list[Reading]] = {}
    repeats: dict[RowKey, int] = {}
    for one in (one for record in log for one in _readings_of(record, shard)):
        repeated = one in seen
        seen.add(one)
        for key in _keys(one):
            members.setdefault(key, []).extend([] if repeated else [one])
            repeats[key] = repeats.get(key, 0) + (repeated and key.window == TOTAL)
    return {key: expected_stats(found, repeats[key]) for key, found in members.items()}


def expected_stats(found: Sequence[Reading], duplicates: int = 0) -> Stats:
    """The fold of distinct readings by another way: fractions of degrees, sorted lists."""
    degrees = [Fraction(one.temperature_micro, 1_000_000) for one in found]
    cold = sorted(found, key=lambda one: (Decimal(one.temperature_micro), one.measured_at_us, one.sensor_id))
    hot = sorted(found, key=lambda one: (-Decimal(one.temperature_micro), one.measured_at_us, one.sensor_id))
    by_time = sorted(found, key=lambda one: (one.measured_at_us, one.sensor_id, one.temperature_micro))
    return Stats(
        count=len(found),
        sum_micro=int(sum(degrees) * 10**6),
        sum_squares=int(sum(value**2 for value in degrees) * 10**12),
        minimum=cold[0] if found else None,
        maximum=hot[0] if found else None,
        first=by_time[0] if found else None,
        latest=by_time[-1] if found else None,
        duplicates=duplicates,
        histogram=encode(expected_histogram([one.temperature_micro for one in found])),
    )


def origins(log: Iterable[Record], shard: Shard = SHARD) -> Mapping[Reading, Origin]:
    """Each distinct reading with the place that first brought it."""
    first: dict[Reading, Origin] = {}
    for record in log:
        for number, line in enumerate(record.data.split(b"\n")):
            for one in _readings_in(line, shard):
                first.setdefault(one, Origin(shard.shard_id, record.sequence_number, number))
    return first


def progress_of(stores: MemoryStores, shard: Shard = SHARD) -> Progress:
    """What the shard's progress row says, if it has one."""
    return stores.total_rows().get(shard.shard_id, Row(PROGRESS)).progress


class Past(NamedTuple):
    """What the tables must say of a log whose events all belong to the shard."""

    stats: Mapping[RowKey, Stats]
    sheets: Mapping[RowKey, Sheet]
    origins: Mapping[Reading, Origin]
    last_seen_s: Mapping[str, int]
    refusals: tuple[int, ...]

    @property
    def rows(self) -> set[RowKey]:
        """The keys of all rows that there must be."""
        return {*self.stats, *self.sheets}


@lru_cache(maxsize=100)
def _past(log: tuple[Record, ...]) -> Past:
    """Kept, because whoever looks after every question asks for the same few beginnings of one log again and again."""
    return Past(oracle(log), expected_sheets(arrivals(log)), origins(log), last_seen_s(log), refusals(log))


def check_rows(stores: MemoryStores, log: Sequence[Record], durable: int) -> None:
    """Every row is what the log up to its own position adds up to, and lacks nothing up to `durable` and its mark."""
    progress = progress_of(stores)
    flushed = max(durable, progress.flushed.position)
    past_at = cache(lambda position: _past(tuple(_until(log, position))))
    for (_, key), row in stores.rows.items():
        covered = max(flushed, progress.windows.position) if key.scope == FLEET else flushed
        for position in (row.position, max(row.position, covered)):
            past = past_at(position)
            assert row.stats == past.stats.get(key, Stats()), (key, position)
            if key.is_sheet:
                assert row.sheet == past.sheets[key], position
            if row.sensor.seen_s is not None:
                assert row.sensor.seen_s == past.last_seen_s[sensor_of(key)], (key, position)
        if key == PROGRESS:
            past = past_at(row.position)
            assert row.progress.sensors == len(past.last_seen_s), row.position
            assert row.progress.refusals == past.refusals, row.position
    stored = {key for _, key in stores.rows}
    assert past_at(flushed).rows <= stored
    assert {key for key in past_at(progress.windows.position).rows if key.scope == FLEET} <= stored
    assert past_at(flushed).origins.keys() <= stores.readings


def check_tables(stores: MemoryStores, log: Sequence[Record]) -> None:
    """All tables say what the log adds up to, when all of it was flushed."""
    past = _past(tuple(log))
    assert stats_by_key(stores) == past.stats
    assert {key: row.sheet for (_, key), row in stores.rows.items() if key.is_sheet} == past.sheets
    assert stores.readings == past.origins.keys()
    assert {sensor_id: seen_s for sensor_id, (seen_s, _) in stores.directory.items()} == past.last_seen_s
    check_rows(stores, log, log[-1].sequence_number if log else 0)


def arrivals(log: Iterable[Record], shard: Shard = SHARD) -> Mapping[Reading, int]:
    """Each distinct reading with when it first arrived: microseconds since 1970."""
    first: dict[Reading, int] = {}
    for record in log:
        for one in _readings_of(record, shard):
            first.setdefault(one, record.arrived_at_ms * 1000)
    return first


def last_seen_s(log: Iterable[Record], shard: Shard = SHARD) -> dict[str, int]:
    """What the directory must say of each sensor: by the earlier of measured and arrived."""
    seen_us: dict[str, list[int]] = {}
    for one, arrived_us in arrivals(log, shard).items():
        seen_us.setdefault(one.sensor_id, []).append(min(one.measured_at_us, arrived_us))
    return {sensor_id: expected_seen_s(sensor_id, max(times)) for sensor_id, times in seen_us.items()}


def refusals(log: Iterable[Record]) -> tuple[int, ...]:
    """Dead letters by reason, of logs whose lines are events, JSON of another kind, or no JSON."""
    found: Counter[ReasonCode] = Counter()
    for line in (line for record in log for line in record.data.split(b"\n") if line):
        try:
            if not isinstance(json.loads(line), dict):
                found[ReasonCode.NOT_AN_EVENT] += 1
        except ValueError:
            found[ReasonCode.NOT_JSON] += 1
    return tuple(found[code] for code in ReasonCode)


def check_packs(stores: MemoryStores, log: Sequence[Record]) -> None:
    """A pack holds, in the log's order, the readings of its bucket that the log brought first between the pack's bounds."""
    places = [(origin.sequence_number, origin.line, one) for one, origin in _past(tuple(log)).origins.items()]
    for pack in stores.packs.values():
        inside = [one for *place, one in sorted(places) if pack.first <= tuple(place) <= pack.last]
        assert pack.readings == tuple(one for one in inside if bucket_of(one) == pack.bucket)


def _until(log: Iterable[Record], position: int) -> list[Record]:
    return [record for record in log if record.sequence_number <= position]


def _readings_of(record: Record, shard: Shard) -> Iterator[Reading]:
    for line in record.data.split(b"\n"):
        yield from _readings_in(line, shard)


def _readings_in(line: bytes, shard: Shard) -> Iterator[Reading]:
    try:
        event = json.loads(line, parse_float=Decimal)
    except ValueError:
        return
    if not isinstance(event, dict):
        return
    time_us = (datetime.fromisoformat(event["time"]) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    if shard.holds(hash_key(event["subject"])):
        yield Reading(time_us, event["subject"], int(Decimal(event["data"]["temperature"]) * 1_000_000))


def _keys(one: Reading) -> list[RowKey]:
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=one.measured_at_us)
    sensor = "sensor#" + one.sensor_id
    hour = time.strftime("hour#%Y-%m-%dT%H")
    fleet = [TOTAL, time.strftime("day#%Y-%m-%d"), hour, time.strftime("minute#%Y-%m-%dT%H:%M")]
    return [*(RowKey(FLEET, window) for window in fleet), RowKey(sensor, TOTAL), RowKey(sensor, hour)]
