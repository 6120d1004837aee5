"""What operators type when a stream, or a region, was lost."""

import os
import time
from contextlib import closing
from functools import partial

import click

from archive.opening import open_for_reading
from cli.contact import CONTACT_PATIENCE_S
from cli.failures import told
from cli.filling import MAX_UNITS, Told
from cli.parameters import Generation
from cli.showing import Lines
from infra.setup import make_tables
from operations.continuing import WATCHED_S, Asked, Means, continue_log
from projections.generations import stream_created
from projections.register import note_filled
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.log import Source
from telemetry.names import ResourceNames
from telemetry.retry import patiently
from telemetry.settings import Settings

_PATIENCE_S = 60.0
"""With AWS, in the middle of what may take hours."""


@click.command(
    "continue",
    epilog="Exit status: 0 the log goes on, 1 it does not, 2 not asked as --help says, 130 interrupted.",
)
@click.option(
    "--generation",
    type=Generation(),
    metavar="N",
    help="Whose tables are to count it, the live one's or later ones; without it the live one's.",
)
@click.option(
    "--max-units",
    type=click.IntRange(1),
    default=MAX_UNITS,
    show_default=True,
    metavar="N",
    help="At most so many write units a second while the tables are filled from the archive.",
)
@click.option("--forget-unarchived", is_flag=True, help="Go on though fewer readings will be counted than are now.")
def continue_(generation: int | None, max_units: int, *, forget_unarchived: bool) -> None:
    """Let the log go on in a new, empty stream after the one before was lost.

    What lies in the archive at ARCHIVE_TARGET, if that is set, is folded into the tables first; those that outlived the stream
    keep what they count. It may be interrupted at any time, and is typed again then.
    """

    def watch(seconds: float) -> None:
        click.echo(f"Looking for {seconds:g} s whether anybody is at work.", err=True)
        time.sleep(seconds)

    with told():
        settings = Settings.from_environment(os.environ)
    with told(settings):
        names, lines = ResourceNames(settings.prefix), Lines()
        with closing(kinesis_client(settings, attempts=1)) as kinesis:
            patiently(partial(stream_created, kinesis, names), CONTACT_PATIENCE_S)
        kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings)

        def fold(into: ResourceNames, source: Source) -> None:
            note = partial(note_filled, dynamodb, into)
            Told(settings, into, 0, lambda readings: patiently(partial(note, readings), _PATIENCE_S), lines).fill(
                source, max_units
            )
            lines.clear()

        archive = open_for_reading(settings, _PATIENCE_S) if settings.archive_target else None
        make = partial(make_tables, dynamodb) if settings.aws_endpoint_url else None
        means = Means(fold, make, WATCHED_S[settings.kcl_timing], watch)
        pointer = continue_log(kinesis, dynamodb, settings.prefix, Asked(generation, archive, forget_unarchived), means)
    place = pointer.place
    click.echo(
        f"The log goes on in {names.stream}: it is its stream {place.number}, counted in generation {pointer.generation}; "
        f"its shards are called {place.name('shardId-…')}. Start the consumers; the API follows by itself."
    )
