"""What operators type to have a projection proved."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import click

from archive.wanted import EVERYTHING
from cli.failures import DIFFERENT, GAP
from cli.parameters import Generation, Sensor, Time, TypedTime
from cli.showing import say_gaps
from cli.sources import LogAt, Origin, log_at
from operations.differences import Difference, Scope
from operations.generations import missing_tables
from operations.spilled import disk_bytes
from operations.verified import Verified, write_verified
from operations.verifying import WHOLE, Stored, Verification, WholeLog, named, promised
from projections.dynamodb_scan import AwsTables
from projections.generations import check_stream
from projections.zones import UTC_ZONE
from replay.progress import duration
from replay.stream import Stretch, look_at
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import NotRebuilt
from telemetry.log import Gap, Log, Page
from telemetry.names import ResourceNames
from telemetry.shards import Shard

_READINGS_A_S: Final = 65_000
"""About, of one process and a core (P25), where the log comes as fast."""
_SHOWN_MAX: Final = 100


class Proof(NamedTuple):
    """What is proved, and by what."""

    names: ResourceNames
    tables: Stored
    log: Callable[[], tuple[WholeLog, Sequence[Gap]]]
    """The log up to now, and what of it is nowhere."""
    keep: Callable[[Verified], object] = lambda _: None
    """Take note that all of it is equal."""


@contextmanager
def proof(generation: int | None) -> Iterator[Proof]:
    """The tables of a generation, the live one by default, and the log: the archive where there is one, then the stream."""
    with log_at(Origin.AUTO, GAP) as at:
        kinesis, dynamodb = kinesis_client(at.settings), dynamodb_client(at.settings)
        names = ResourceNames(at.settings.prefix)
        pointer = check_stream(kinesis, dynamodb, names)
        judged = replace(pointer.names(at.settings.prefix), generation=generation or pointer.generation)
        if missing := {judged.readings, judged.stats, judged.dead_letters} & {*missing_tables(dynamodb, judged)}:
            raise NotRebuilt(
                f"g{judged.generation} has no tables here, or was dropped ({', '.join(sorted(missing))}): telemetry "
                "generations shows which there are."
            )
        keep = partial(write_verified, dynamodb, names)
        yield Proof(judged, AwsTables(dynamodb, judged), lambda: _log(at, look_at(kinesis, names.stream)), keep)


def _log(at: LogAt, stretch: Stretch) -> tuple[WholeLog, Sequence[Gap]]:
    sources = at.sources(stretch, EVERYTHING)
    return Log(sources.all), sources.missing


@click.command(
    "verify",
    epilog="Exit status: 0 equal, 1 failed, 2 not asked as --help says, 4 something differs, "
    "5 the log has a gap or could not be looked at, 130 interrupted.",
)
@click.argument("generation", type=Generation(), required=False)
@click.option("--sensor", "sensors", type=Sensor(), multiple=True, help="What is of this sensor. May be given several times.")
@click.option("--shard", "shards", multiple=True, metavar="ID", help="What is of this shard. May be given several times.")
@click.option("--since", type=Time(), help="Windows and packs that begin then or later, e.g. 2026-11-20 or -7d.")
@click.option(
    "--tmp",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Where there is room for what does not fit into memory; else the temporary folder.",
)
def verify(
    generation: int | None, sensors: tuple[str, ...], shards: tuple[str, ...], since: TypedTime | None, tmp: Path | None
) -> None:
    """Work out anew from the log what the tables of GENERATION (g2; else the live one) must hold, and compare."""
    now_us = time.time_ns() // 1000
    since_us = since.at(UTC_ZONE, now_us) if since else None
    scope = Scope(frozenset(sensors), frozenset(shards), since_us)
    with proof(generation) as found:
        _say_cost(found, tmp)
        positions = {shard_id: row.position for shard_id, row in found.tables.progress().items()}
        began_s = time.monotonic()
        differences, run = _differences(found, scope, tmp)
        if differences:
            click.echo(f"{len(differences)} suspects: looking at them again.", err=True)
            again, run = _differences(found, scope, tmp)
            differences = named(differences, again)
        if run.complete and not differences and scope == WHOLE:
            found.keep(Verified(found.names.generation, now_us, positions))
    _say(found, differences, run, time.monotonic() - began_s)
    if not run.complete:
        sys.exit(GAP)
    if differences:
        sys.exit(DIFFERENT)


def _differences(found: Proof, scope: Scope, tmp: Path | None) -> tuple[list[Difference], Verification]:
    with TemporaryDirectory(prefix="telemetry-verify-", dir=tmp) as folder:
        log = _Late(found.log)
        run = Verification(found.tables, log, Path(folder), scope)
        differences = list(run.differences())
        run.gaps += log.missing
        return differences, run


class _Late:
    """The log as it is when it is first asked for, which is after the tables were read."""

    def __init__(self, log: Callable[[], tuple[WholeLog, Sequence[Gap]]]) -> None:
        self._make = log
        self.missing: Sequence[Gap] = ()
        """What of it is nowhere."""
        self._log: WholeLog | None = None

    def shards(self) -> Iterable[Shard]:
        """See WholeLog."""
        self._log, self.missing = self._make()
        return self._log.shards()

    def pages(self) -> Iterable[Page]:
        """See WholeLog."""
        assert self._log
        return self._log.pages()


def _say_cost(found: Proof, tmp: Path | None) -> None:
    readings = promised(found.tables.progress())
    room = f"{disk_bytes(readings, *found.tables.sizes()) / 1e6:,.0f} MB"
    where = tmp or "the temporary folder"
    time_s = duration(readings / _READINGS_A_S)
    click.echo(f"About {readings:,} readings: {room} under {where}, and {time_s}, or as long as the log takes.", err=True)


def _say(found: Proof, differences: list[Difference], run: Verification, took_s: float) -> None:
    for one in differences[:_SHOWN_MAX]:
        click.echo(f"{one.table}  {one.row}  {one.attribute}: stored {one.stored}, right {one.right}")
    if len(differences) > _SHOWN_MAX:
        click.echo(f"… and {len(differences) - _SHOWN_MAX:,} more.")
    if run.readable:
        click.echo(f"{run.readable} letters today's decoder reads: telemetry dead-letters retry, or rebuild.", err=True)
    say_gaps(run.gaps)
    if run.behind:
        shards = ", ".join(run.behind)
        click.echo(f"The tables hold more of {shards} than the log: what differs may be what is missing.", err=True)
    what = f"generation {found.names.generation}, {run.readings:,} readings, {duration(took_s)}"
    if differences:
        click.echo(f"{len(differences):,} differences: {what}.")
    elif run.complete:
        click.echo(f"Equal: {what}.")
    else:
        click.echo(f"No difference, and the log is not whole: {what}.")
