"""What the projection's tests share: readings to draw, logs to project, workers on them, and an oracle.

The oracle shares no code with the fold: it reads the log's lines with the standard library and adds up fractions.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import strategies as st

from projections.decoding import Record
from projections.effects import Origin, Question, Steps, Stores
from projections.fold import Stats
from projections.memory import MemoryStores
from projections.packs import bucket_of
from projections.projector import FlushPolicy, ShardProjector
from projections.rows import FLEET, PROGRESS, TOTAL, Row, RowKey
from telemetry.events import encode_event
from telemetry.limits import HASH_KEY_MAX, TEMPERATURE_MICRO_MAX, TEMPERATURE_MICRO_MIN, TIME_US_MAX, TIME_US_MIN
from telemetry.reading import Reading
from telemetry.shards import Shard, hash_key

SHARD = Shard("shardId-000000000000", 0, HASH_KEY_MAX)
START_S = 1_700_000_000
HOUR_US = 3_600_000_000
NOW_S = START_S + 100
NEVER = 10**9
"""A number of seconds or rows that no test reaches."""

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
    """Stores that fail the test when a row's position goes back, or its time while one worker is `alone`."""

    def __init__(self, *, alone: bool = True) -> None:
        super().__init__()
        self._alone = alone

    def store_rows(self, shard_id: str, rows: Sequence[tuple[Row, Row]]) -> Collection[RowKey]:
        before = {key: row for (_, key), row in self.rows.items()}
        refused = super().store_rows(shard_id, rows)
        for row, _ in rows:
            old, new = before.get(row.key, Row(row.key)), self.rows[shard_id, row.key]
            assert (old.position, old.flushed_position) <= (new.position, new.flushed_position)
            assert old.as_of_us <= new.as_of_us or not self._alone
        return refused


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
    )


def origins(log: Iterable[Record], shard: Shard = SHARD) -> Mapping[Reading, Origin]:
    """Each distinct reading with the place that first brought it."""
    first: dict[Reading, Origin] = {}
    for record in log:
        for number, line in enumerate(record.data.split(b"\n")):
            for one in _readings_in(line, shard):
                first.setdefault(one, Origin(shard.shard_id, record.sequence_number, number))
    return first


def check_rows(stores: MemoryStores, log: Sequence[Record], durable: int) -> None:
    """Every row is the fold of the log up to its own position, and lacks nothing up to `durable` and the progress mark."""
    progress = stores.total_rows().get(SHARD.shard_id, Row(PROGRESS))
    durable = max(durable, progress.flushed_position)
    for (_, key), row in stores.rows.items():
        for position in (row.position, max(row.position, durable)):
            assert row.stats == oracle(_until(log, position)).get(key, Stats()), (key, position)
    stored = {key for _, key in stores.rows}
    assert set(oracle(_until(log, durable))) <= stored
    assert origins(_until(log, durable)).keys() <= stores.readings


def check_packs(stores: MemoryStores, log: Sequence[Record]) -> None:
    """A pack holds, in the log's order, the readings of its bucket that the log brought first between the pack's bounds."""
    places = [(origin.sequence_number, origin.line, one) for one, origin in origins(log).items()]
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
