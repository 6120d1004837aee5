"""`telemetry`: what analysts and operators type."""

import os
import sys
import time
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from consumer.doctor import diagnose
from consumer.observation import observe
from projections.generations import check_stream
from replay.events import Choice, Passed, replay
from replay.log import read_log
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import TelemetryError
from telemetry.names import ResourceNames
from telemetry.reading import parse_timestamp
from telemetry.settings import Settings


class _Time(click.ParamType[int]):
    """ISO 8601, UTC unless it names an offset; a date alone is its midnight."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Microseconds since 1970."""
        try:
            return parse_timestamp(f"{value}T00:00" if len(value) == len("2021-11-26") else value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


@click.group()
def telemetry() -> None:
    """Work with the telemetry log. AWS is found by the standard AWS variables, the stream by PREFIX."""


@telemetry.command("replay")
@click.option("--from", "from_us", type=_Time(), help="Measured at this time or later, e.g. 2021-11-26T18:10:00.")
@click.option("--to", "to_us", type=_Time(), help="Measured before this time.")
@click.option("--sensor", "sensor_id", help="Measured by this sensor.")
def replay_command(from_us: int | None, to_us: int | None, sensor_id: str | None) -> None:
    """Print the log's events as JSON lines, oldest record first within each shard, repeats included."""
    passed = Passed()
    try:
        settings = Settings.from_environment(os.environ)
        log = read_log(kinesis_client(settings), ResourceNames(settings.prefix).stream)
        for line in replay(log, Choice(from_us, to_us, sensor_id), passed):
            sys.stdout.buffer.write(line + b"\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads us has enough (`| head`). Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (TelemetryError, ClientError, BotoCoreError) as error:
        raise click.ClickException(str(error)) from None
    if passed.count:
        click.echo(f"Passed over what is no event, in {passed.count} places; the dead letters hold it.", err=True)


@telemetry.command("doctor")
def doctor_command() -> None:
    """Look at stream, leases, workers and progress, and say what is wrong. Exit status 1 when something is."""
    try:
        settings = Settings.from_environment(os.environ)
        kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings)
        pointer = check_stream(kinesis, dynamodb, ResourceNames(settings.prefix))
        seen = observe(kinesis, dynamodb, ResourceNames(settings.prefix, pointer.generation))
    except (TelemetryError, ClientError, BotoCoreError) as error:
        raise click.ClickException(str(error)) from None
    findings = diagnose(seen, time.time_ns() // 1000)
    for finding in findings:
        click.echo(finding)
    if findings:
        sys.exit(1)
    click.echo(f"All is well: {len(seen.shards.open)} open shards, each with a worker and up to date.")
