"""What a page looks at: everything at once, each thing with a fault of its own, so that what can be shown is shown."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from operations.archived import Archived
from operations.tally import dead_letters
from operations.tally import sensors as sensor_count
from operations.verdicts import ShardVerdict, verdict, worst
from producer_api.operating.sight import Sight
from producer_api.pages.chart import Chart, chart_of
from producer_api.pages.lasting import Lasting
from producer_api.pages.silence import gone_s
from producer_api.pages.view import SILENCE_FORM, Listed, View
from producer_api.pages.wording import Level, Part, figures_part
from producer_api.problems import UNAVAILABLE
from producer_api.reading.answers import now_us
from producer_api.reading.asking import Asking, Told
from producer_api.services import Services
from projections.fold import Stats
from projections.marks import Answer, Which
from projections.ranges import sensor_total
from projections.reads import Silence
from projections.sensors import SensorPage, Silent, sensors, silent_sensors
from telemetry.errors import NotSetUp, ReasonCode, Unanswerable, WrongStream
from telemetry.limits import MICRO
from telemetry.logs import SparseLog

LISTED_AT_ONCE: Final = 20

log = SparseLog(__name__)


class ForPages(NamedTuple):
    """What pages alone look at."""

    sight: Lasting[Sight]
    silence: Lasting[Silent]
    listed: Lasting[SensorPage[Any]]
    """The page of sensors that is shown to who asks for no other."""


class Fault(NamedTuple):
    """Why something cannot be shown."""

    text: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen, or why it was not."""

    now_us: int
    view: View
    figures: Told[Stats] | Fault
    sensors: int
    """How many there are."""
    dead_letters: Mapping[ReasonCode, int]
    lag_us: int | None
    """By the mark of the fleet's totals, whatever is shown."""
    chart: Chart | Fault
    sight: Sight | Fault
    archive: Archived | Fault | None
    """None where the API is told of none."""
    silent: Silent | Fault
    listed: SensorPage[Any] | Fault


async def look_at_all(found: Services, view: View, sensor_id: str | None) -> Seen:
    """Look at what a page shows, of all sensors or of one."""
    try:
        found.stream.require_ours()
        look = await found.looks.get()
    except tuple(UNAVAILABLE) as error:
        fault, now = _fault(error), now_us()
        return Seen(now, view.settled(None, now), fault, 0, {}, None, fault, fault, None, fault, fault)
    now = now_us()
    totals = look.fleet.marks(Which.TOTALS)
    if sensor_id is None:
        figures: Told[Stats] | Fault = Told(Answer(look.fleet.stats, totals), look.pointer.generation)
    else:
        figures = await _tried(found.asking.ask(("sensor", sensor_id), partial(sensor_total, sensor_id=sensor_id)))
    latest = None if isinstance(figures, Fault) else figures.value.latest
    view = view.settled(latest and latest.measured_at_us, now)
    chart, sight, silent, listed = await asyncio.gather(
        _tried(chart_of(sensor_id, view, look, found.asking, now)) if view.windows else _unasked(),
        _tried(found.for_pages.sight.get()),
        _tried(found.for_pages.silence.get()),
        _tried(_listed(found, view)) if sensor_id is None else _nobody(),
    )
    archive = await _archive(found, sight) if found.archive else None
    lag_us = None if totals.as_of_us is None else max(0, now - totals.as_of_us)
    letters = Counter[ReasonCode]()
    for shard in dead_letters(look.fleet.shards).values():
        letters.update(shard)
    return Seen(now, view, figures, sensor_count(look.fleet.shards), letters, lag_us, chart, sight, archive, silent, listed)


def figures_now(seen: Seen) -> Part:
    """What is to be said of the figures, by the verdicts of all shards and what the totals say now."""
    if isinstance(seen.figures, Fault):
        return Part(f"The figures cannot be read: {seen.figures.text}", Level.BAD, "Broken")
    if isinstance(seen.sight, Fault):
        word = verdict(owner_silent_s=0, went_back=False, still_s=0, lag_us=seen.lag_us)
        unseen = Part("figures complete, shards not seen", Level.ATTENTION, "Partly seen")
        return unseen if word is ShardVerdict.OK else figures_part(word, seen.lag_us, 0, 0)
    word, shards = worst(seen.sight.shards), seen.sight.shards
    if word in (ShardVerdict.SLOW, ShardVerdict.OK):  # by what the totals say now: the look may be some seconds old
        word = verdict(owner_silent_s=0, went_back=False, still_s=0, lag_us=seen.lag_us)
    affected = sum(shard.verdict is word for shard in shards)
    return figures_part(word, seen.lag_us, affected, len(shards))


async def first_listed(asking: Asking) -> SensorPage[Any]:
    """Those silent longest first, but not those that are gone."""
    now_s = now_us() // MICRO
    return await _by_silence(asking, Silence(gone_s(now_s), ""))


async def _listed(found: Services, view: View) -> SensorPage[Any]:
    """The page of sensors that is asked for."""
    if view.prefix or view.listed is Listed.ID:
        key = ("sensors", "id", view.prefix, view.after, LISTED_AT_ONCE)
        by_id = partial(sensors, prefix=view.prefix, after=view.after, limit=LISTED_AT_ONCE)
        return (await found.asking.ask(key, by_id)).value
    after = silence_of(view.after)
    if after is None and view.listed is Listed.SILENT:
        return await found.for_pages.listed.get()
    return await _by_silence(found.asking, after)


async def _by_silence(asking: Asking, after: Silence | None) -> SensorPage[Any]:
    steps = partial(silent_sensors, after=after, limit=LISTED_AT_ONCE)
    return (await asking.ask(("sensors", "silent", after, LISTED_AT_ONCE), steps)).value


def silence_of(text: str) -> Silence | None:
    """Where a list in the order of silence goes on; from its beginning when the text says nothing that could be meant."""
    match = SILENCE_FORM.fullmatch(text)
    return Silence(int(match[1]), match[2]) if match else None


async def _archive(found: Services, sight: Sight | Fault) -> Archived | Fault:
    assert found.archive
    seen = None if isinstance(sight, Fault) else await found.archive.get(sight)
    return seen or Fault("it cannot be looked at")


async def _unasked() -> Fault:
    return Fault("")


async def _nobody() -> SensorPage[Any]:
    return SensorPage([], None)


async def _tried[T](asked: Awaitable[T]) -> T | Fault:
    try:
        return await asked
    except Unanswerable as error:
        return Fault(str(error))
    except tuple(UNAVAILABLE) as error:
        return _fault(error)


def _fault(error: Exception) -> Fault:
    log.warning("page_without", error=str(error))
    if isinstance(error, NotSetUp):
        return Fault("the tables are not set up yet. Readings are stored all the same")
    if isinstance(error, WrongStream):
        return Fault("the stream is not the one that the statistics are made from. An operator has to mend that")
    return Fault("the tables do not answer at the moment. Readings are stored all the same")
