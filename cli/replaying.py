"""What analysts type: the log, as it is or as a table."""

import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import click

from archive.wanted import Wanted
from cli.estimating import said
from cli.failures import GAP, NOTHING_MATCHED, REFUSED
from cli.parameters import OneOf, Sensor, Speed, Time, TimeZone, TypedTime
from cli.showing import Shown, described, say_gaps, say_passed
from cli.sources import LogAt, Origin, log_at
from cli.targets import Target, opened, require_other_stream, require_usable
from projections.zones import UTC_ZONE, Zone
from replay.api import Api
from replay.events import By, Choice, Events
from replay.export import export
from replay.formats import Format, Output, Repeated
from replay.place import OtherPlace, Place, Progress
from replay.pouring import IntoApi
from replay.stream import Stretch
from replay.streaming import IntoStream
from telemetry.log import Log
from telemetry.reading import rfc3339
from telemetry.settings import CLOCK_SKEW_H, CLOCK_SKEW_H_BOUND


class Asked(NamedTuple):
    """The options of a replay."""

    begin: TypedTime | None
    end: TypedTime | None
    zone: Zone
    sensors: tuple[str, ...]
    by: By
    form: Format
    repeated: Repeated
    source: Origin
    ahead_h: int

    def told(self, at: LogAt) -> dict[str, Any]:
        """As the place keeps them: what was typed."""
        return {
            **at.where,
            "--from": self.begin and self.begin.text,
            "--to": self.end and self.end.text,
            "--tz": self.zone.name,
            "--sensor": sorted(self.sensors),
            "--by": str(self.by),
            "--format": str(self.form),
            "--repeats": str(self.repeated),
            "--source": str(self.source),
            "--ahead": str(self.ahead_h),
        }

    def choice(self, now_us: int) -> Choice:
        """Which events are meant, if it is `now_us` now. Raises UsageError when none can be."""
        begin_us = self.begin.at(self.zone, now_us) if self.begin else None
        end_us = self.end.at(self.zone, now_us) if self.end else None
        if begin_us is not None and end_us is not None and begin_us >= end_us:
            lies = f"--from {rfc3339(begin_us)} is not before --to {rfc3339(end_us)}"
            raise click.UsageError(f"{lies}: no reading lies between them.")
        return Choice(begin_us, end_us, frozenset(self.sensors), self.by)


class Resolved(NamedTuple):
    """What the options mean, as the place keeps it."""

    now_us: int
    """When the replay began, by this machine's clock: what times ago count back from."""
    created_ms: int
    """Which log it is: when the last of its streams was made, in ms since 1970."""
    until_ms: int
    """Up to when what arrived is read, in ms since 1970."""


@click.command(
    "replay",
    epilog="Exit status: 0 printed, 1 failed, 2 not asked as --help says, 3 nothing matched, "
    "4 the API refused some, 5 what was asked has a gap, 130 interrupted.",
)
@click.option("--from", "begin", type=Time(), help="Measured then or later, e.g. 2021-11-26T18:10:00, 2021-11-26, -24h.")
@click.option("--to", "end", type=Time(), help="Measured before then; a date is its first instant.")
@click.option(
    "--tz",
    "zone",
    type=TimeZone(),
    default=UTC_ZONE.name,
    show_default=True,
    help="The zone of times without an offset, and of the times in CSV, e.g. Europe/Berlin or +05:45.",
)
@click.option("--sensor", "sensors", type=Sensor(), multiple=True, help="Measured by this sensor. May be given several times.")
@click.option(
    "--by",
    type=OneOf(By),
    default=str(By.MEASURED),
    show_default=True,
    help="Whether --from and --to mean when a reading was measured, or when it arrived in the log.",
)
@click.option(
    "--format",
    "form",
    type=OneOf(Format),
    default=str(Format.JSONL),
    show_default=True,
    help="The log's events as they are, one a line; CSV; or a folder of Parquet files.",
)
@click.option(
    "--output",
    "path",
    type=click.Path(path_type=Path),
    help="A file, or for Parquet a folder, in place of standard output. Ended early, the same command goes on with it.",
)
@click.option(
    "--repeats",
    "repeated",
    type=OneOf(Repeated),
    default=str(Repeated.DROP),
    show_default=True,
    help="A reading that the log holds again (same sensor, time and temperature) is left out, kept, or kept and marked.",
)
@click.option(
    "--source",
    type=OneOf(Origin),
    default=str(Origin.AUTO),
    show_default=True,
    help="Where the log is read: in the archive at ARCHIVE_TARGET, if that is set, and then in the stream; or in one of them.",
)
@click.option(
    "--ahead",
    "ahead_h",
    type=click.IntRange(0, CLOCK_SKEW_H_BOUND),
    metavar="HOURS",
    default=CLOCK_SKEW_H,
    show_default=True,
    help="How far ahead of its arrival a reading may be: what arrived earlier than that before --from is not read.",
)
@click.option("--into-url", "url", help="Send the readings to the API there, which must not write to the stream that is read.")
@click.option(
    "--into-stream", "stream", help="Put the events into the stream of this name or ARN, as they are; never into what is read."
)
@click.option(
    "--speed", type=Speed(), help="With --into-url or --into-stream: so many times as fast as they arrived, e.g. 10x."
)
@click.option("--dry-run", is_flag=True, help="Say only, about, how many readings there are and how long it takes.")
def replay(
    path: Path | None, url: str | None, stream: str | None, speed: float | None, *, dry_run: bool, **options: Any
) -> None:
    """Print the log's events, each sensor's in the order in which they arrived."""
    asked = Asked(**options)
    if dry_run:
        _estimate(asked)
        return
    target = Target(path, asked.form, asked.zone, mark=asked.repeated is Repeated.MARK, url=url, speed=speed, stream=stream)
    require_usable(target)
    asked.choice(now_us())  # what cannot be is refused before anybody is asked
    with log_at(asked.source) as at, _place_of(target, asked, at) as (place, resolved, progress):
        if url is not None and Api(url).stream_created() in {rfc3339(created_ms * 1000) for created_ms in at.created_ms}:
            raise click.UsageError(f"--into-url {url} writes to {at.name}, which is what is read.")
        if stream is not None:
            require_other_stream(stream, at)
        choice = asked.choice(resolved.now_us)
        stretch = _meant(choice, asked, replace(at.whole, until_ms=resolved.until_ms))
        sources = at.sources(stretch, _wanted(choice, stretch))
        for gap in sources.missing:
            progress.add(gap)
        log = Log(sources.all)
        shown = Shown(log, at.begin_ms(stretch), stretch, progress)
        with opened(target, progress.written, at.settings) as output:
            pages = log.pages(progress.positions, progress.ended.copy())
            events = Events(choice, progress.passed)
            export(pages, events, output, place, progress, repeated=asked.repeated, told=shown.note)
        shown.clear()
    refused = _say_sent(output, url or stream)
    say_passed(progress.passed)
    say_gaps(progress.gaps.values())
    if not progress.events:
        read = "the log" if stretch.from_ms is None else "what was read"
        click.echo(f"Nothing matched: {read} holds no event{described(choice)}.", err=True)
    if progress.gaps:
        sys.exit(GAP)
    if not progress.events:
        sys.exit(NOTHING_MATCHED)
    if refused:
        sys.exit(REFUSED)


def _say_sent(output: Output, where: str | None) -> int:
    """What became of readings that were sent; how many were refused."""
    if isinstance(output, IntoStream):
        click.echo(f"{output.put} events put into {where}.")
    if not isinstance(output, IntoApi):
        return 0
    click.echo(f"{output.stored} readings stored at {where}; {output.refused} refused.")
    return output.refused


def _estimate(asked: Asked) -> None:
    """Say what a replay would come to."""
    choice = asked.choice(now_us())
    with log_at(asked.source) as at:
        stretch = _meant(choice, asked, at.whole)
        gaps = said(at, stretch, choice, _wanted(choice, stretch))
    say_gaps(gaps)
    if gaps:
        sys.exit(GAP)


@contextmanager
def _place_of(target: Target, asked: Asked, at: LogAt) -> Iterator[tuple[Place, Resolved, Progress]]:
    """The place of this replay, what its options mean, and how far it came. Whoever is interrupted is told how to go on."""
    assert at.whole.until_ms is not None
    now = Resolved(now_us(), at.created_ms[-1], at.whole.until_ms)
    place, done = Place(target.place), False
    try:
        before = place.begin(asked.told(at), now._asdict())
        resolved, progress = (Resolved(**before[0]), before[1]) if before else (now, Progress())
        if resolved.created_ms not in at.created_ms:
            raise OtherPlace(f"{target.place} is of a stream that {at.name} is not any more: it was made anew since.")
        yield place, resolved, progress
        done = True
    except sqlite3.Error as error:
        raise click.ClickException(f"Place and repeats cannot be kept: {error}.") from None
    except KeyboardInterrupt:
        if target.path:
            click.echo(f"Interrupted. The same command goes on with {target.path}.", err=True)
        raise
    finally:
        # Where nothing was begun to be written, there is nothing to go on with.
        place.close(done=done or not (target.path and target.path.exists()))


def _meant(choice: Choice, asked: Asked, stretch: Stretch) -> Stretch:
    """What of the stream is to be read for a choice. Where reading begins is said, if by when something was measured."""
    assert stretch.until_ms is not None
    from_ms, until_ms = choice.arrived_from_ms(asked.ahead_h), choice.arrived_until_ms()
    if from_ms is not None and asked.by is By.MEASURED:
        since = rfc3339(from_ms * 1000)
        click.echo(
            f"Reading what arrived from {since} on: readings may be {asked.ahead_h} h ahead of time (--ahead).", err=True
        )
    return replace(stretch, from_ms=from_ms, until_ms=min(stretch.until_ms, until_ms or stretch.until_ms))


def _wanted(choice: Choice, stretch: Stretch) -> Wanted:
    """What of an archive is to be read for a choice."""
    measured = (choice.from_us, choice.to_us) if choice.by is By.MEASURED else (None, None)
    return Wanted(stretch.from_ms, stretch.until_ms, *measured)


def now_us() -> int:
    """This machine's clock, in microseconds since 1970."""
    return time.time_ns() // 1000
