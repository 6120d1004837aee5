"""What is typed to get readings in: one, a table of them, or those of a fleet that does not exist."""

import json
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import batched
from pathlib import Path
from typing import BinaryIO, Final

import click

from cli.failures import NOTHING_MATCHED, REFUSED, told
from cli.parameters import OneOf
from cli.showing import Ticker
from replay.api import LINES_MAX, Api
from replay.fleet import Shares, readings
from replay.importing import ImportPlace, import_rows
from replay.tables import FIELDS, SUFFIXES, Form, rows_of
from telemetry.keys import KEY_VARIABLE

_URL: Final = "http://127.0.0.1:8080"
_PERCENT: Final = click.FloatRange(0, 100)
_SECONDS: Final = click.FloatRange(0.01)

_url = click.option("--url", default=_URL, show_default=True, help="Where the API is.")


def _api(url: str) -> Api:
    return Api(url, key=os.environ.get(KEY_VARIABLE, ""))


@click.command("send", epilog="Exit status: 0 stored, 1 failed, 2 not asked as --help says, 4 refused, 130 interrupted.")
@click.argument("sensor")
@click.argument("temperature")
@click.option("--at", help="When it was measured, e.g. 2021-11-26T18:10:00; now when left out.")
@_url
def send(sensor: str, temperature: str, at: str | None, url: str) -> None:
    """Send one reading: a SENSOR's id and a TEMPERATURE in °C. For one below zero write `--` before it."""
    timestamp = at or datetime.now(UTC).isoformat(timespec="milliseconds")
    with told():
        sent = _api(url).put({"sensorId": sensor, "temperature": temperature, "timestamp": timestamp})
    if sent.refused:
        for field, text in sent.refused[0].items():
            click.echo(f"Refused: {field}: {text}", err=True)
        sys.exit(REFUSED)
    click.echo(f"Stored: {sensor} {temperature} °C at {timestamp}")


@click.command("simulate", epilog="Exit status: 0 done, 1 failed, 2 not asked as --help says, 130 interrupted.")
@click.option("--sensors", type=click.IntRange(1, 1_000_000), default=12, show_default=True, help="How many there are.")
@click.option("--every", "every_s", type=_SECONDS, default=1.0, show_default=True, help="Seconds between a sensor's readings.")
@click.option("--for", "for_s", type=_SECONDS, help="Seconds until it ends; without, when it is interrupted.")
@click.option("--late", type=_PERCENT, default=10.0, show_default=True, help="Per cent that are up to half an hour old.")
@click.option("--repeated", type=_PERCENT, default=5.0, show_default=True, help="Per cent that are sent twice.")
@click.option("--broken", type=_PERCENT, default=0.0, show_default=True, help="Per cent that the API refuses.")
@_url
def simulate(sensors: int, every_s: float, for_s: float | None, url: str, **percent: float) -> None:
    """Send the readings of a fleet that does not exist, some of them late, twice or broken."""
    api, ticker, chance = _api(url), Ticker(), random.Random()  # noqa: S311  weather, not secrets
    shares = Shares(**{name: of_100 / 100 for name, of_100 in percent.items()})
    stored = refused = 0
    next_s = ticker.began_s
    try:
        with told():
            while for_s is None or next_s - ticker.began_s < for_s:
                time.sleep(max(0.0, next_s - time.monotonic()))
                for some in batched(readings(chance, datetime.now(UTC), sensors, shares), LINES_MAX, strict=False):
                    sent = api.batch([json.dumps(one).encode() for one in some])
                    stored, refused = stored + sent.stored, refused + len(sent.refused)
                ticker.show(partial(_rate, "readings", stored))
                next_s += every_s
    finally:
        ticker.clear()
        click.echo(f"{stored} readings stored, repeats included; {refused} refused.")


def _rate(what: str, count: int, elapsed_s: float) -> str:
    return f"{count:,} {what}  {count / elapsed_s:,.0f}/s"


def _mapped(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """`field=column`, several times."""
    pairs = [text.partition("=") for text in given]
    for field, equals, column in pairs:
        if field not in FIELDS or not equals or not column:
            raise click.BadParameter(f"expected field=column, where field is one of {', '.join(FIELDS)}.")
    return {field: column for field, _, column in pairs}


@click.command(
    "import",
    epilog="Exit status: 0 all stored, 1 failed, 2 not asked as --help says, 3 the file holds nothing, 4 some refused, "
    "130 interrupted.",
)
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--map",
    "mapped",
    multiple=True,
    metavar="FIELD=COLUMN",
    callback=_mapped,
    help="Which column holds sensorId, temperature or timestamp, where it is called otherwise.",
)
@click.option("--format", "form", type=OneOf(Form), help="How FILE is written; told by its name when left out.")
@click.option(
    "--refused",
    "refused_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where refused rows go, with their reason; FILE.refused when left out.",
)
@_url
def import_(path: Path, mapped: dict[str, str], form: Form | None, refused_path: Path | None, url: str) -> None:
    """Send the readings of a table: CSV, NDJSON or Parquet. Ended early, the same command goes on with it."""
    form = form or SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise click.UsageError(f"{path.name} does not tell how it is written: say --format {'|'.join(Form)}.")
    refused_path = refused_path or path.with_name(f"{path.name}.refused")
    looked, ticker = path.stat(), Ticker()
    asked = {"size": looked.st_size, "change": looked.st_mtime_ns, "--format": str(form), "--map": mapped, "--url": url}
    with told():
        place = ImportPlace(path.with_name(f"{path.name}.place"), asked)
        course = place.course
        if place.is_new and refused_path.exists():
            raise click.UsageError(f"{refused_path} is there already: remove it, or choose another --refused.")
        place.save()
        try:
            with _cut(refused_path, course.refused_bytes) as refused:
                rows = rows_of(path, form, mapped)
                import_rows(rows, _api(url).batch, place, refused, lambda: ticker.show(partial(_rate, "rows", course.rows)))
        except KeyboardInterrupt:
            ticker.clear()
            click.echo(f"Interrupted after {course.rows} rows. The same command goes on with {path}.", err=True)
            raise
        place.remove()
    ticker.clear()
    if not course.refused:
        refused_path.unlink()
    see = f", see {refused_path}" if course.refused else ""
    click.echo(f"{course.stored} readings stored; {course.refused} rows refused{see}.")
    if not course.rows:
        sys.exit(NOTHING_MATCHED)
    if course.refused:
        sys.exit(REFUSED)


@contextmanager
def _cut(path: Path, size_bytes: int) -> Iterator[BinaryIO]:
    """A file of which so much counts."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.truncate(size_bytes)
        file.seek(size_bytes)
        yield file
