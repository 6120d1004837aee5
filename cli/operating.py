"""What operators type."""

import os
import time
from contextlib import closing
from functools import partial

import click

from cli.contact import CONTACT_PATIENCE_S
from cli.failures import told
from operations.continuing import WATCHED_S, continue_log
from projections.generations import stream_created
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.names import GENERATION_MAX, ResourceNames
from telemetry.retry import patiently
from telemetry.settings import Settings


@click.command(
    "continue",
    epilog="Exit status: 0 the log goes on, 1 it does not, 2 not asked as --help says, 130 interrupted.",
)
@click.option(
    "--generation",
    type=click.IntRange(1, GENERATION_MAX),
    metavar="N",
    help="Whose tables are to count it; without it the live generation's.",
)
def continue_(generation: int | None) -> None:
    """Let the log go on in a new, empty stream after the one before was lost, where the tables are empty too."""

    def watch(seconds: float) -> None:
        click.echo(f"Looking for {seconds:g} s whether anybody is at work.", err=True)
        time.sleep(seconds)

    with told():
        settings = Settings.from_environment(os.environ)
    with told(settings):
        names = ResourceNames(settings.prefix)
        with closing(kinesis_client(settings, attempts=1)) as kinesis:
            patiently(partial(stream_created, kinesis, names), CONTACT_PATIENCE_S)
        clients, watched_s = (kinesis_client(settings), dynamodb_client(settings)), WATCHED_S[settings.kcl_timing]
        pointer = continue_log(*clients, settings.prefix, generation, watched_s=watched_s, sleep=watch)
    place = pointer.place
    click.echo(
        f"The log goes on in {names.stream}: it is its stream {place.number}, counted in generation {pointer.generation}; "
        f"its shards are called {place.name('shardId-…')}. Start the consumers; the API follows by itself."
    )
