"""What operators type to see which projection generations there are, and to drop one."""

import json
import sys
import time
from functools import partial

import click

from cli.contact import contact
from cli.failures import FOUND, GAP
from cli.parameters import Generation
from operations.continuing import WATCHED_S
from operations.dropping import drop as drop_generation
from operations.generations import LOOK_EVERY_S, Watch, look, watched
from operations.lacking import shards_named
from operations.stages import Stage, State
from projections.generations import check_stream
from replay.progress import duration
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.limits import MICRO


@click.command(
    "generations",
    epilog="Exit status: 0 said, 1 one of them has failed, 2 not asked as --help says, 5 could not look, 130 interrupted.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--watch", "follow", is_flag=True, help="Look again every second, until interrupted.")
def generations(*, as_json: bool, follow: bool) -> None:
    """Show every projection generation, where it is on its way, and what it waits for, once it is seen who works on it.

    filling, from the archive; lagging, from the stream; ready to be promoted; live; standby, fed by nobody; dropped; failed.
    """
    with contact(GAP) as (settings, _, _):
        kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings)
        patience_s = WATCHED_S["local" if settings.aws_endpoint_url else settings.kcl_timing]
        look_again = partial(look, kinesis, dynamodb, settings.prefix)
        if follow:
            watch = Watch(patience_s)
            while True:
                _show(watch.see(look_again(), time.monotonic()), as_json=as_json, again=True)
                time.sleep(LOOK_EVERY_S)
        states = watched(look_again, time.monotonic, time.sleep, patience_s)
    _show(states, as_json=as_json)
    if any(state.stage is Stage.FAILED for state in states):
        sys.exit(FOUND)


@click.command(
    "drop",
    epilog="Exit status: 0 dropped, 1 not, 2 not asked as --help says, 130 interrupted.",
)
@click.argument("generation", type=Generation())
def drop(generation: int) -> None:
    """Delete the tables of GENERATION (g2), for good: its number is never used again.

    The live generation is not dropped, nor one that is being promoted.
    """
    with contact() as (settings, names, _):
        kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings)
        pointer = check_stream(kinesis, dynamodb, names)
        here = settings.aws_endpoint_url is not None
        deleted, left = drop_generation(dynamodb, settings.prefix, pointer, generation, time.time_ns() // 1000, delete=here)
    if left:
        click.echo(
            f"g{generation} is dropped: no worker goes on with it. Its tables are Terraform's to delete: take {generation} out "
            f"of generations in infra/terraform/environment and apply ({', '.join(left)})."
        )
        return
    click.echo(f"g{generation} is dropped; {len(deleted)} tables are deleted.")


def _show(states: list[State], *, as_json: bool, again: bool = False) -> None:
    if again and not as_json and sys.stdout.isatty():
        click.clear()
    click.echo(_json(states) if as_json else _table(states))


def _table(states: list[State]) -> str:
    rows = [("generation", "state", "readings", "shards", "behind live", "workers"), *map(_row, states)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for number, state in enumerate(states, 1):
        lines[number] += f"  {state.why}" * bool(state.why)
        if state.gaps:
            lines[number] += f"  may lack readings of {shards_named(state.gaps)}"
    return "\n".join(lines)


def _row(state: State) -> tuple[str, ...]:
    behind = "-" if state.behind_us is None else duration(state.behind_us / MICRO) if state.behind_us >= MICRO else "no"
    return (
        f"g{state.number}",
        state.stage,
        f"{state.readings:,}",
        str(state.shards),
        behind,
        ", ".join(state.workers) or "-",
    )


def _json(states: list[State]) -> str:
    told = [
        {
            "generation": state.number,
            "state": state.stage,
            "why": state.why,
            "readings": state.readings,
            "shards": state.shards,
            "behindLiveMs": None if state.behind_us is None else state.behind_us // 1000,
            "workers": list(state.workers),
            "gaps": list(state.gaps),
        }
        for state in states
    ]
    return json.dumps({"generations": told})
