"""What live streams are about: the whole state of a topic, and what differs between one moment's and the next one's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from producer_api.reading.answers import as_of_text, lag_ms
from producer_api.reading.asking import Asking, Told
from producer_api.reading.common import Stretch
from producer_api.reading.shapes import DetailShape, SensorShape, WindowShape
from producer_api.reading.telling import detail_shape, sensor_shape, window_shape
from projections.calendar import Interval, Window, windows
from projections.dynamodb_reads import LiveLook
from projections.fold import Stats
from projections.history import Measured, fleet_history, sensor_history
from projections.marks import Answer, Which
from projections.ranges import sensor_total
from projections.zones import Zone
from telemetry.limits import MICRO

VERSION: Final = version("telemetry-pipeline")
_LONGEST_US: Final = {Interval.MINUTE: 60 * MICRO, Interval.HOUR: 3600 * MICRO, Interval.DAY: 25 * 3600 * MICRO}


class Topic(NamedTuple):
    """A question that streams have: the fleet's figures or one sensor's, its last windows, and some sensors beside."""

    sensor_ids: tuple[str, ...]
    """With one, figures and windows are that sensor's."""
    interval: Interval
    points: int
    zone: Zone

    @property
    def subject(self) -> str | None:
        """The sensor that figures and windows are of; None for the fleet."""
        return self.sensor_ids[0] if len(self.sensor_ids) == 1 else None


class Snapshot(Struct, rename="camel"):
    """The whole state. Applied once more it does no harm."""

    generation: int
    as_of: str | None
    lag_ms: int | None
    version: str
    interval: str
    tz: str
    stats: DetailShape
    windows: list[WindowShape]
    sensors: list[SensorShape]


class Freshness(Struct, rename="camel"):
    """How fresh the figures are, and which version tells them."""

    as_of: str | None
    lag_ms: int | None
    version: str


class Generation(Struct):
    """Another generation is live: what was told before is of another."""

    generation: int


type Event = tuple[str, Struct]
"""A name and what it says."""


@dataclass(frozen=True, slots=True)
class State:
    """A topic's state at a look, and what was read for it, so that a later one reads only what may differ."""

    snapshot: Snapshot
    totals: Told[Stats]
    sensors: Sequence[Told[Stats]]
    measured: Told[Sequence[Measured]]
    last: Window
    """The window that was now."""


async def state_of(topic: Topic, look: LiveLook, asking: Asking, now_us: int, known: State | None = None) -> State:
    """A topic's state at a look: `known` itself when nothing may differ from that. Raises what asking raises.

    What was read is read again once the mark that it stands on has moved.
    """
    totals = Told(Answer(look.fleet.stats, look.fleet.marks(Which.TOTALS)), look.pointer.generation)
    sensors = known.sensors if known else []
    if known is None or any(_moved(one, look) for one in sensors):
        sensors = [
            await asking.ask(("sensor", sensor_id), partial(sensor_total, sensor_id=sensor_id))
            for sensor_id in topic.sensor_ids
        ]
    last = next(windows(topic.zone, topic.interval, now_us, now_us + 1))
    if known and last == known.last and not _moved(known.measured, look) and not _closes(last, known.measured, look):
        measured, shapes = known.measured, known.snapshot.windows
    else:
        measured = await _last_windows(topic, asking, now_us)
        shapes = [window_shape(one, topic.zone, measured.marks.as_of_us) for one in measured.value if one.cell]
    if known and sensors is known.sensors and measured is known.measured and (topic.subject or not _moved(known.totals, look)):
        return known
    if {one.generation for one in (totals, measured, *sensors)} != {look.pointer.generation}:
        return await state_of(topic, await asking.look(), asking, now_us)  # another one has become live meanwhile
    told = totals if topic.subject is None else sensors[0]
    return State(_snapshot(topic, told, shapes, sensors, now_us), totals, sensors, measured, last)


def _snapshot(
    topic: Topic, told: Told[Stats], shapes: list[WindowShape], sensors: Sequence[Told[Stats]], now_us: int
) -> Snapshot:
    return Snapshot(
        generation=told.generation,
        as_of=as_of_text(told.marks.as_of_us),
        lag_ms=None if told.marks.as_of_us is None else lag_ms(told.marks.as_of_us),
        version=VERSION,
        interval=topic.interval.value,
        tz=topic.zone.name,
        stats=detail_shape(told, Stretch(None, None, topic.zone, {})),
        windows=shapes,
        sensors=[sensor_shape(name, one.value, now_us) for name, one in zip(topic.sensor_ids, sensors, strict=True)],
    )


def differences(before: Snapshot, after: Snapshot) -> Iterator[Event]:
    """What to tell whoever knows the state before."""
    if after.generation != before.generation:
        yield "generation", Generation(after.generation)
        yield "snapshot", after
        return
    if _figures(after.stats) != _figures(before.stats):
        yield "stats", after.stats
    known = {window.start: window for window in before.windows}
    newest = max((at for at, window in enumerate(after.windows) if window.start in known), default=-1)
    for at, window in enumerate(after.windows):
        if (old := known.get(window.start)) != window:
            # One that was closed and empty, and so was not told, lies before another that was.
            was_closed = not old.open if old else at < newest
            yield "correction" if was_closed else "window", window
    sensors = {sensor.sensor_id: sensor for sensor in before.sensors}
    for sensor in after.sensors:
        if _measured(sensors.get(sensor.sensor_id)) != _measured(sensor):
            yield "sensor", sensor


def freshness(look: LiveLook, topic: Topic) -> Freshness:
    """How fresh a topic's figures are at a look."""
    as_of_us = look.fleet.marks(Which.TOTALS if topic.subject is None else Which.EVERYTHING).as_of_us
    return Freshness(as_of_text(as_of_us), None if as_of_us is None else lag_ms(as_of_us), VERSION)


def _moved(told: Told[Any], look: LiveLook) -> bool:
    """Whether the mark that something was told at stands elsewhere at a look."""
    there, here = told.marks.shards, look.fleet.marks(told.marks.which).shards
    return (
        told.generation != look.pointer.generation
        or here.keys() != there.keys()
        or any(here[shard_id].position != mark.position for shard_id, mark in there.items())
    )


def _closes(last: Window, told: Told[Any], look: LiveLook) -> bool:
    """Whether the window before the last one is over by now, and was not when it was told."""
    as_of = (look.fleet.marks(told.marks.which).as_of_us, told.marks.as_of_us)
    over, was_over = (one is not None and one >= last.start_us for one in as_of)
    return over != was_over


def _figures(stats: DetailShape) -> DetailShape:
    """Without what tells an age."""
    return replace(stats, AsOf=None, LagMs=None)


def _measured(sensor: SensorShape | None) -> object:
    return sensor and replace(sensor, silent_for_s=None)


async def _last_windows(topic: Topic, asking: Asking, now_us: int) -> Told[Sequence[Measured]]:
    """The last ones up to the one that is now."""
    begin_us = max(now_us - topic.points * _LONGEST_US[topic.interval], 0)
    found = list(windows(topic.zone, topic.interval, begin_us, now_us + 1))[-topic.points :]
    edges = [found[0].start_us, *(one.end_us for one in found)]
    if topic.subject is None:
        steps = partial(fleet_history, edges=edges)
    else:
        steps = partial(sensor_history, sensor_id=topic.subject, edges=edges)
    return await asking.ask(("live", topic, edges[0], edges[-1]), steps)
