"""What operators type to see who reads which shard."""

import json
import sys
import time

import click

from cli.contact import contact
from cli.failures import FOUND, GAP
from operations.leasing import LeaseLine, Leases, watch
from operations.observation import observe
from operations.verdicts import STILL_S, ShardVerdict
from projections.generations import check_stream
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.limits import MICRO


@click.command(
    "leases",
    epilog="Exit status: 0 every shard is ok, 1 one is not, 2 not asked as --help says, 5 could not look, 130 interrupted.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def leases(*, as_json: bool) -> None:
    """Show who reads which shard, whether it moves, and a verdict in one word. Takes as long as it has to watch for that."""
    found = seen_leases()
    click.echo(_json(found) if as_json else _table(found))
    if found.worst is not ShardVerdict.OK:
        sys.exit(FOUND)


def seen_leases() -> Leases:
    """What was seen of the live generation's leases."""
    with contact(GAP) as (settings, names, _):
        kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings)
        live = check_stream(kinesis, dynamodb, names).names(settings.prefix)
        click.echo(f"Watching until each shard has moved, {STILL_S} s at most.", err=True)
        return watch(lambda: observe(kinesis, dynamodb, live), time.monotonic, lambda: time.time_ns() // 1000, time.sleep)


def _json(found: Leases) -> str:
    shards = [
        {
            "shardId": line.shard_id,
            "verdict": line.word,
            "owner": line.owner,
            "moving": line.moving,
            "lagMs": None if line.lag_us is None else line.lag_us // 1000,
            "positionAgeMs": None if line.position_age_s is None else int(line.position_age_s * 1000),
            "parents": list(line.parents),
        }
        for line in found.lines
    ]
    return json.dumps({"verdict": found.worst, "leader": found.leader, "watchedS": round(found.watched_s, 1), "shards": shards})


def _table(found: Leases) -> str:
    rows = [("shard", "verdict", "owner", "lease", "lag", "position", "parents"), *map(_row, found.lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    last = f"Leader: {found.leader or 'nobody'}. Worst: {found.worst}. Watched for {found.watched_s:.0f} s."
    return "\n".join([*lines, last])


def _row(line: LeaseLine) -> tuple[str, ...]:
    lease = {True: "moves", False: "still", None: "-"}[line.moving]
    lag = "-" if line.lag_us is None else f"{line.lag_us / MICRO:.1f} s"
    age = "-" if line.position_age_s is None else "moves" if not line.position_age_s else f"since {line.position_age_s:.0f} s"
    return line.shard_id, line.word, line.owner or "-", lease, lag, age, ", ".join(line.parents) or "-"
