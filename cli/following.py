"""What analysts type to see what comes in: the log's new events, for as long as they look."""

from dataclasses import replace
from typing import Final

import click

from archive.wanted import Wanted
from cli.parameters import Sensor, Time, TimeZone, TypedTime
from cli.replaying import now_us
from cli.showing import say_gaps
from cli.sources import Origin, log_at
from cli.targets import standard_output
from projections.zones import UTC_ZONE, Zone
from replay.events import Choice, Events, Passed
from telemetry.log import Log

_SHARDS_MAX: Final = 10_000
"""All of them: a shard that is followed has no end that another could wait for."""


@click.command(
    "tail",
    epilog="Exit status: 0 whoever read had enough, 1 failed, 2 not asked as --help says, 130 interrupted.",
)
@click.option(
    "--from",
    "begin",
    type=Time(),
    help="Begin with what arrived at this time, e.g. -15m, instead of now. What the stream may not hold any more is read in "
    "the archive at ARCHIVE_TARGET, if that is set.",
)
@click.option(
    "--tz", "zone", type=TimeZone(), default=UTC_ZONE.name, show_default=True, help="The zone of a time without an offset."
)
@click.option("--sensor", "sensors", type=Sensor(), multiple=True, help="Measured by this sensor. May be given several times.")
def tail(begin: TypedTime | None, zone: Zone, sensors: tuple[str, ...]) -> None:
    """Print the log's events as they come, until interrupted, repeats included."""
    with log_at(Origin.AUTO if begin else Origin.STREAM) as at, standard_output() as out:
        from_ms = begin.at(zone, now_us()) // 1000 if begin else at.whole.asked_at_ms
        stretch = replace(at.whole, from_ms=min(from_ms, at.whole.asked_at_ms), until_ms=None)
        sources = at.reaching(from_ms).sources(stretch, Wanted(from_ms=stretch.from_ms))
        say_gaps(sources.missing)
        log = Log(sources.all, at_once=_SHARDS_MAX, follow=True)
        events = Events(Choice(sensors=frozenset(sensors)), Passed())
        for page in log.pages():
            if page.gap:
                say_gaps([page.gap])
            out.writelines(event.line + b"\n" for event in events.of(page))
            out.flush()
