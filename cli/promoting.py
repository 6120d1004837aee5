"""What operators type to have another generation answer."""

import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import click

from cli.contact import contact
from cli.failures import FOUND
from cli.parameters import Generation
from operations.promoting import Asked, Ending, World, take_back
from operations.switching import AwsWorld, promote_or_take_back
from operations.verified import Verified, read_verified, unproved
from projections.effects import run
from projections.generations import Next, check_stream
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.reading import rfc3339


class Desk(NamedTuple):
    """What the command works on."""

    world: World
    verified: Callable[[int], Verified | None]
    """What was last found equal, of a generation."""


@contextmanager
def desk() -> Iterator[Desk]:
    """Pointer and tables, once it is known that they belong to the stream that is there."""
    with contact() as (settings, names, _):
        kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings)
        check_stream(kinesis, dynamodb, names)
        world = AwsWorld(kinesis, dynamodb, names, partial(click.echo, err=True))
        yield Desk(world, partial(read_verified, dynamodb, names))


@click.command(
    "promote",
    epilog="Exit status: 0 the generation is live (with --take-back: no promote is under way), 1 it is not, 2 not asked as "
    "--help says, 130 interrupted, with nothing left behind.",
)
@click.argument("generation", type=Generation(), required=False)
@click.option("--unverified", is_flag=True, help="Although no telemetry verify of the last hour found it equal to the log.")
@click.option("--forget-unarchived", is_flag=True, help="Although the log has lost the end of a shard, and Count falls.")
@click.option("--forget-before", is_flag=True, help="Although the log does not hold a shard from its beginning, or has a gap.")
@click.option("--take-back", "taking_back", is_flag=True, help="End a promote that was killed: the live generation goes on.")
def promote(
    generation: int | None, *, unverified: bool, forget_unarchived: bool, forget_before: bool, taking_back: bool
) -> None:
    """Make GENERATION (g2) the live one, so that no client sees a count go back. Figures stand still for some seconds."""
    if (generation is None) is not taking_back or (taking_back and (unverified or forget_unarchived or forget_before)):
        raise click.UsageError("Say which generation is to be live, e.g. g2; or --take-back, and nothing else.")
    with desk() as found:
        if generation is None:
            click.echo(run(take_back(), found.world).why)
            return
        now_us = time.time_ns() // 1000
        asked = Asked(
            Next(generation, rfc3339(now_us), secrets.token_hex(8)),
            "" if unverified else _unproved(found, generation, now_us),
            forget_unarchived=forget_unarchived,
            forget_before=forget_before,
        )
        outcome = promote_or_take_back(found.world, asked)
    if outcome.ending is not Ending.LIVE:
        click.ClickException(outcome.why).show()
        sys.exit(FOUND)
    click.echo(f"g{generation} is live.{f' {outcome.why}' if outcome.why else ''}")
    if outcome.forgotten:
        click.echo(f"It counts {outcome.forgotten:,} readings fewer, or more than that.", err=True)


def _unproved(found: Desk, generation: int, now_us: int) -> str:
    """Why it is not known to be equal to the log; nothing where it is, or has no tables, which the promote says."""
    progress = found.world.progress(generation)
    return "" if progress is None else unproved(found.verified(generation), generation, progress, now_us)
