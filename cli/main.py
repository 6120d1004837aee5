"""`telemetry`: what analysts and operators type."""

import os
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from typing import Any

import click

from cli.failures import NOTHING_MATCHED, told
from operations.continuing import WATCHED_S, continue_log
from operations.doctor import diagnose
from operations.observation import observe
from projections.generations import check_stream, stream_created
from replay.events import Choice, Passed, replay
from replay.log import read_log
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import ReasonCode
from telemetry.names import GENERATION_MAX, ResourceNames
from telemetry.reading import parse_sensor_id, parse_timestamp, rfc3339
from telemetry.retry import patiently
from telemetry.settings import CLOCK_SKEW_H, CLOCK_SKEW_H_BOUND, Settings
from telemetry.shards import list_shards

_CONTACT_PATIENCE_S = 3.0
"""Whoever has not answered at all by then is not there: a person waits for that, not for an outage to pass."""
_READ_TIMEOUT_S = 30


class _Time(click.ParamType[int]):
    """ISO 8601, UTC unless it names an offset; a date alone is its midnight."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Microseconds since 1970."""
        try:
            return parse_timestamp(f"{value}T00:00" if len(value) == len("2021-11-26") else value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


class _Sensor(click.ParamType[str]):
    """A sensor id, trimmed and checked as PUT does it."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The id as events hold it."""
        try:
            return parse_sensor_id(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


@click.group(epilog="Exit status: 0 done, 1 failed, 2 not asked as --help says, 130 interrupted.")
def telemetry() -> None:
    """Work with the telemetry log. AWS is found by the standard AWS variables, the stream by PREFIX."""


@telemetry.command(
    "replay",
    epilog="Exit status: 0 printed, 1 failed, 2 not asked as --help says, 3 nothing matched, 130 interrupted.",
)
@click.option("--from", "from_us", type=_Time(), help="Measured at this time or later, e.g. 2021-11-26T18:10:00.")
@click.option("--to", "to_us", type=_Time(), help="Measured before this time.")
@click.option("--sensor", "sensor_id", type=_Sensor(), help="Measured by this sensor.")
@click.option(
    "--ahead",
    "ahead_h",
    type=click.IntRange(0, CLOCK_SKEW_H_BOUND),
    metavar="HOURS",
    default=CLOCK_SKEW_H,
    show_default=True,
    help="How far ahead of its arrival a reading may be: what arrived earlier than that before --from is not read.",
)
def replay_command(from_us: int | None, to_us: int | None, sensor_id: str | None, ahead_h: int) -> None:
    """Print the log's events as JSON lines, oldest record first within each shard, repeats included."""
    if from_us is not None and to_us is not None and from_us >= to_us:
        raise click.UsageError(f"--from {rfc3339(from_us)} is not before --to {rfc3339(to_us)}: no reading lies between them.")
    choice, passed = Choice(from_us, to_us, sensor_id), Passed()
    arrived_from_ms = choice.arrived_from_ms(ahead_h)
    with told():
        settings = Settings.from_environment(os.environ)
    with told(settings):
        stream = ResourceNames(settings.prefix).stream
        _make_contact(settings, stream)
        if arrived_from_ms is not None:
            since = rfc3339(arrived_from_ms * 1000)
            click.echo(f"Reading what arrived from {since} on: readings may be {ahead_h} h ahead of time (--ahead).", err=True)
        kinesis = kinesis_client(settings, attempts=1, read_timeout_s=_READ_TIMEOUT_S)
        printed = _print(replay(read_log(kinesis, stream, arrived_from_ms), choice, passed))
    if passed.codes:
        found = ", ".join(f"{code} {passed.codes[code]}" for code in ReasonCode if passed.codes[code])
        places = passed.codes.total()
        click.echo(f"Passed over what is no event, in {places} places ({found}); the dead letters hold it.", err=True)
    if passed.lost:
        click.echo(f"KCL hands {passed.lost} user records of broken KPL aggregates to nobody: no table has them.", err=True)
    if not printed:
        read = "the log" if arrived_from_ms is None else "what was read"
        click.echo(f"Nothing matched: {read} holds no event{_described(choice)}.", err=True)
        sys.exit(NOTHING_MATCHED)


def _make_contact(settings: Settings, stream: str) -> None:
    """Raises StoreUnavailable, or what AWS says, within seconds when nobody is there."""
    with closing(kinesis_client(settings, attempts=1)) as kinesis:
        patiently(lambda: list_shards(kinesis, stream), _CONTACT_PATIENCE_S)


def _print(lines: Iterable[bytes]) -> bool:
    """Whether there was anything to print. Whoever reads us may have enough before the end (`| head`)."""
    printed = False
    try:
        for line in lines:
            printed = True
            sys.stdout.buffer.write(line + b"\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
    except OSError as error:
        _forget_stdout()
        raise click.ClickException(f"Cannot write: {error.strerror}.") from None
    except KeyboardInterrupt:
        # Python would flush at the end, and complain if it cannot.
        try:
            sys.stdout.flush()
        except OSError:
            _forget_stdout()
        raise
    return printed


def _forget_stdout() -> None:
    """Python flushes once more at the end: that is to meet no error again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _described(choice: Choice) -> str:
    parts = [
        f" of sensor {choice.sensor_id!r}" if choice.sensor_id is not None else "",
        f" measured from {rfc3339(choice.from_us)} on" if choice.from_us is not None else "",
        f" measured before {rfc3339(choice.to_us)}" if choice.to_us is not None else "",
    ]
    return ",".join(part for part in parts if part)


@telemetry.command("doctor", epilog="Exit status: 0 all is well, 1 something is wrong or could not be seen, 130 interrupted.")
def doctor_command() -> None:
    """Look at stream, leases, workers and progress, and say what is wrong. Exit status 1 when something is."""
    with told():
        settings = Settings.from_environment(os.environ)
    with told(settings):
        names = ResourceNames(settings.prefix)
        _make_contact(settings, names.stream)
        kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings)
        pointer = check_stream(kinesis, dynamodb, names)
        seen = observe(kinesis, dynamodb, pointer.names(settings.prefix))
    findings = diagnose(seen, time.time_ns() // 1000)
    for finding in findings:
        click.echo(finding)
    if findings:
        sys.exit(1)
    click.echo(f"All is well: {len(seen.shards.open)} open shards, each with a worker and up to date.")


@telemetry.command(
    "continue",
    epilog="Exit status: 0 the log goes on, 1 it does not, 2 not asked as --help says, 130 interrupted.",
)
@click.option(
    "--generation",
    type=click.IntRange(1, GENERATION_MAX),
    metavar="N",
    help="Whose tables are to count it; without it the live generation's.",
)
def continue_command(generation: int | None) -> None:
    """Let the log go on in a new, empty stream after the one before was lost, where the tables are empty too."""

    def watch(seconds: float) -> None:
        click.echo(f"Looking for {seconds:g} s whether anybody is at work.", err=True)
        time.sleep(seconds)

    with told():
        settings = Settings.from_environment(os.environ)
    with told(settings):
        names = ResourceNames(settings.prefix)
        with closing(kinesis_client(settings, attempts=1)) as kinesis:
            patiently(partial(stream_created, kinesis, names), _CONTACT_PATIENCE_S)
        clients, watched_s = (kinesis_client(settings), dynamodb_client(settings)), WATCHED_S[settings.kcl_timing]
        pointer = continue_log(*clients, settings.prefix, generation, watched_s=watched_s, sleep=watch)
    place = pointer.place
    click.echo(
        f"The log goes on in {names.stream}: it is its stream {place.number}, counted in generation {pointer.generation}; "
        f"its shards are called {place.name('shardId-…')}. Start the consumers; the API follows by itself."
    )
