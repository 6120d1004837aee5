"""What operators type to have a projection filled anew beside the live one."""

import contextlib
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import click
from botocore.exceptions import BotoCoreError, ClientError

from archive.wanted import EVERYTHING
from cli.failures import sentence
from cli.feeding import feeder, require_java
from cli.filling import MAX_UNITS, Told
from cli.parameters import Generation
from cli.rebuild_line import rebuild_line
from cli.showing import Lines
from cli.sources import LogAt, Origin, Sources, log_at
from infra.setup import make_tables
from operations.attending import attend
from operations.continuing import WATCHED_S
from operations.generations import look, missing_tables
from operations.lacking import shards_named
from operations.observation import observe
from operations.rebuilding import begin, choose, hand_over, lost_shards, others_unfinished, require_nobody, require_whole
from operations.stages import Stage, State, gaps_beyond
from projections.generations import check_stream
from projections.queries import fleet_stats
from projections.register import note_failure, note_filled
from projections.rows import Row
from replay.stream import look_at
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import TelemetryError
from telemetry.names import ResourceNames
from telemetry.retry import patiently
from telemetry.shards import list_shards

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

_PATIENCE_S: Final = 60.0
"""With AWS, in the middle of what may take days."""


@click.command(
    "rebuild",
    epilog="Exit status: 0 the generation is live and others feed it, or a dry run, 1 failed, 2 not asked as --help says, "
    "5 the log lacks what is counted, 130 interrupted.",
)
@click.option("--generation", type=Generation(), metavar="N", help="Go on with this one, or catch it up; without it a new one.")
@click.option(
    "--max-units",
    type=click.IntRange(1),
    default=MAX_UNITS,
    show_default=True,
    metavar="N",
    help="At most so many write units a second while it is filled from the archive.",
)
@click.option("--dry-run", is_flag=True, help="Say only what would be done.")
@click.option("--forget-before", is_flag=True, help="Go on though the log lacks some of what the live generation has counted.")
def rebuild(generation: int | None, max_units: int, *, dry_run: bool, forget_before: bool) -> None:
    """Fill a projection generation beside the live one: from the archive at ARCHIVE_TARGET, if that is set, then from the
    stream, by a consumer of its own, until it is live and other consumers feed it. It may be interrupted at any time; with
    --generation it goes on where it was stopped.
    """
    with log_at(Origin.AUTO) as at:
        bench = _Bench(at)
        bench.require_java()
        if dry_run:
            bench.say_plan(generation, max_units, forget=forget_before)
            return
        names = bench.begin(generation)
        number = names.generation
        click.echo(f"Filling g{number}. If this is stopped, telemetry rebuild --generation {number} goes on.", err=True)
        with bench.failures(names):
            bench.require_whole(names, forget=forget_before)
            bench.require_nobody(names)
            if bench.fill(names, max_units, forget=forget_before):
                bench.require_nobody(names)  # that took its time
            bench.feed(names)
    click.echo(f"g{number} is live, and others feed it.")


class _Bench:
    """What a rebuild works with, and its steps."""

    def __init__(self, at: LogAt) -> None:
        self._at = at
        self._settings = at.settings
        self._kinesis: KinesisClient = kinesis_client(at.settings)
        self._dynamodb: DynamoDBClient = dynamodb_client(at.settings)
        self._live = check_stream(self._kinesis, self._dynamodb, ResourceNames(at.settings.prefix)).names(at.settings.prefix)
        self._sources: Sources = at.sources(at.whole, EVERYTHING)
        self._lines = Lines()

    def require_java(self) -> None:
        """Raises NotRebuilt where its consumer could not run, which it would say after hours of filling."""
        require_java(self._settings, os.environ)

    def say_plan(self, generation: int | None, max_units: int, *, forget: bool) -> None:
        """What would be done. Raises LogLacks, unless what is missing may be forgotten, which is said then."""
        names, _ = choose(self._dynamodb, self._live, generation)
        readings = sum(row.stats.count for row in fleet_stats(self._dynamodb, self._live).shards.values())
        number, archive = names.generation, self._settings.archive_target
        begin_with = f"from the archive at {archive}, at most {max_units:,} write units a second, then " if archive else ""
        click.echo(f"g{number} would be filled beside g{self._live.generation}, which counts {readings:,} readings:")
        click.echo(f"  {begin_with}from the stream {names.stream}.")
        missing = missing_tables(self._dynamodb, names)
        by = "this command makes them" if self._here else f"Terraform makes them (generations, with {number} in it)"
        click.echo(f"  Tables that are missing: {', '.join(missing)}: {by}." if missing else "  Its tables are there.")
        lost = self._lost(names, missing)
        if not forget:
            require_whole(number, lost)
        elif lost:
            click.echo(f"  It would be without some of {shards_named(lost)}: the log does not hold them from the beginning.")

    def begin(self, generation: int | None) -> ResourceNames:
        """Take a number, and see that its tables are there."""
        make = partial(make_tables, self._dynamodb) if self._here else None
        names = begin(self._dynamodb, self._live, generation, time.time_ns() // 1000, make)
        if generation is None and (
            others := others_unfinished(look(self._kinesis, self._dynamodb, names.prefix), names.generation)
        ):
            told = ", ".join(f"g{number}" for number in others)
            click.echo(f"There are other generations too: {told} (telemetry generations; drop what nobody needs).", err=True)
        return names

    @contextmanager
    def failures(self, names: ResourceNames) -> Iterator[None]:
        """Whatever fails inside is kept, so that `telemetry generations` says why it goes no further."""
        try:
            yield
        except (TelemetryError, ClientError, BotoCoreError, OSError) as error:
            self._lines.clear()
            with contextlib.suppress(ClientError, BotoCoreError):  # what it would have kept is told all the same
                note_failure(self._dynamodb, names, sentence(error, self._settings))
            raise

    def require_whole(self, names: ResourceNames, *, forget: bool) -> None:
        """Raises LogLacks, unless what is missing may be forgotten."""
        if not forget:
            require_whole(names.generation, patiently(lambda: self._lost(names, ()), _PATIENCE_S))

    def require_nobody(self, names: ResourceNames) -> None:
        """Raises NotRebuilt when somebody feeds it."""
        watched_s = WATCHED_S[self._timing]

        def wait() -> None:
            click.echo(f"Looking for {watched_s:g} s whether anybody feeds g{names.generation}.", err=True)
            time.sleep(watched_s)

        look_once = partial(observe, self._kinesis, self._dynamodb, names)
        require_nobody(partial(patiently, look_once, _PATIENCE_S), wait, names.generation)

    def fill(self, names: ResourceNames, max_units: int, *, forget: bool) -> bool:
        """From the archive; whether there is one. Raises LogLacks when it has a gap that may not be forgotten."""
        note = partial(self.note_filled, names)
        note(self._readings(names))
        if (archive := self._sources.archive) is None:
            return False
        told = Told(self._settings, names, self._readings(self._live), note, self._lines)
        told.fill(archive, max_units, listed=self.listed(names))
        if not forget:
            require_whole(names.generation, (), gaps_beyond(self._rows(self._live), self._rows(names)))
        return True

    def listed(self, names: ResourceNames) -> Collection[str]:
        """The shards that the stream has."""
        return patiently(partial(list_shards, self._kinesis, names.stream, names.place), _PATIENCE_S).shards

    def note_filled(self, names: ResourceNames, readings: int) -> None:
        """Raises Dropped when it was dropped meanwhile."""
        patiently(partial(note_filled, self._dynamodb, names, readings), _PATIENCE_S)

    def feed(self, names: ResourceNames) -> None:
        """From the stream, until others do."""
        kept_since_ms = look_at(self._kinesis, names.stream).surely_kept_since_ms  # the filling may have taken days
        with feeder(self._settings, names.generation, os.environ) as (consumer, log):
            hand = partial(hand_over, self._kinesis, self._dynamodb, names, consumer.worker_id, kept_since_ms)
            patiently(hand, _PATIENCE_S)
            if log:
                self._lines.clear()
                click.echo(f"Its consumer's log: {log}", err=True)
            attend(
                names.generation,
                consumer,
                partial(patiently, partial(look, self._kinesis, self._dynamodb, names.prefix), _PATIENCE_S),
                self._tell,
                now_s=time.monotonic,
                sleep=time.sleep,
                patience_s=WATCHED_S[self._timing],
            )
        self._lines.clear()

    def _tell(self, state: State) -> None:
        self._lines.show((state.stage, state.why and state.stage is Stage.LIVE), lambda: rebuild_line(state))

    def _lost(self, names: ResourceNames, missing: Sequence[str]) -> list[str]:
        archive = self._sources.archive
        return lost_shards(
            fleet_stats(self._dynamodb, self._live).shards,
            {} if missing else fleet_stats(self._dynamodb, names).shards,
            {shard.shard_id for shard in archive.shards()} if archive else (),
            list_shards(self._kinesis, names.stream, names.place).shards,
            created_us=self._at.whole.created_ms * 1000,
            kept_since_us=self._at.whole.surely_kept_since_ms * 1000,
        )

    def _readings(self, names: ResourceNames) -> int:
        return sum(row.stats.count for row in self._rows(names).values())

    def _rows(self, names: ResourceNames) -> Mapping[str, Row]:
        return patiently(partial(fleet_stats, self._dynamodb, names), _PATIENCE_S).shards

    @property
    def _here(self) -> bool:
        """Whether AWS is one machine, where nobody else makes tables."""
        return self._settings.aws_endpoint_url is not None

    @property
    def _timing(self) -> str:
        return "local" if self._here else self._settings.kcl_timing
