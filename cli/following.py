"""What analysts type to see what comes in: the log's new events, for as long as they look."""

from dataclasses import replace
from typing import Final

import click

from cli.contact import contact
from cli.parameters import Sensor, Time, TimeZone, TypedTime
from cli.replaying import READ_TIMEOUT_S, now_us
from cli.showing import say_gaps
from cli.targets import standard_output
from projections.zones import UTC_ZONE, Zone
from replay.events import Choice, Events, Passed
from replay.stream import StreamSource
from telemetry.aws import kinesis_client
from telemetry.log import SHARDS_AT_ONCE, Log

_SHARDS_MAX: Final = 10_000
"""All of them: a shard that is followed has no end that another could wait for."""


@click.command("tail", epilog="Exit status: 0 whoever read had enough, 1 failed, 2 not asked as --help says, 130 interrupted.")
@click.option("--from", "begin", type=Time(), help="Begin with what arrived at this time, e.g. -15m, instead of now.")
@click.option(
    "--tz", "zone", type=TimeZone(), default=UTC_ZONE.name, show_default=True, help="The zone of a time without an offset."
)
@click.option("--sensor", "sensors", type=Sensor(), multiple=True, help="Measured by this sensor. May be given several times.")
def tail(begin: TypedTime | None, zone: Zone, sensors: tuple[str, ...]) -> None:
    """Print the log's events as they come, until interrupted, repeats included."""
    with contact() as (settings, names, whole), standard_output() as out:
        from_ms = begin.at(zone, now_us()) // 1000 if begin else whole.asked_at_ms
        stretch = replace(whole, from_ms=min(from_ms, whole.asked_at_ms), until_ms=None)
        kinesis = kinesis_client(settings, attempts=1, pool=SHARDS_AT_ONCE, read_timeout_s=READ_TIMEOUT_S)
        log = Log([StreamSource(kinesis, names.stream, stretch)], at_once=_SHARDS_MAX, follow=True)
        events = Events(Choice(sensors=frozenset(sensors)), Passed())
        for page in log.pages():
            if page.gap:
                say_gaps([page.gap])
            out.writelines(event.line + b"\n" for event in events.of(page))
            out.flush()
