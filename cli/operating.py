"""What operators type."""

import sys
import time

import click

from cli.contact import contact
from operations.doctor import diagnose
from operations.observation import observe
from projections.generations import check_stream
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.names import ResourceNames


@click.command("doctor", epilog="Exit status: 0 all is well, 1 something is wrong or could not be seen, 130 interrupted.")
def doctor() -> None:
    """Look at stream, leases, workers and progress, and say what is wrong. Exit status 1 when something is."""
    with contact() as (settings, names, _):
        kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings)
        pointer = check_stream(kinesis, dynamodb, names)
        seen = observe(kinesis, dynamodb, ResourceNames(settings.prefix, pointer.generation))
    findings = diagnose(seen, time.time_ns() // 1000)
    for finding in findings:
        click.echo(finding)
    if findings:
        sys.exit(1)
    click.echo(f"All is well: {len(seen.shards.open)} open shards, each with a worker and up to date.")
