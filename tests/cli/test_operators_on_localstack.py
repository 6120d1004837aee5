"""Operators' commands on stream and tables of LocalStack, which the projector fills within the test's process."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import telemetry
from telemetry.events import encode_event
from tests.projections.logs import reading
from tests.support.projected import project
from tests.support.stack import Stack

type Typed = Callable[..., Result]

READINGS = 30


@pytest.fixture
def typed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.setattr("replay.pace.pause_s", lambda _: 0)
    return lambda *words: CliRunner(env={**stack.environ, "PORT": "0"}).invoke(telemetry, words)


def test_operators_decide_and_prove(stack: Stack, typed: Typed) -> None:
    """A letter is retried in vain, and discarded; tables are equal to the log, before and after; a damaged row is named."""
    found = [reading(f"s-{number % 7}", 60 * number, number) for number in range(READINGS)]
    records: Any = [{"PartitionKey": one.sensor_id, "Data": encode_event(one, 0)} for one in (*found, *found[:5])]
    records.append({"PartitionKey": "broken", "Data": b"{broken"})
    stack.kinesis.put_records(StreamName=stack.names.stream, Records=records)
    project(stack)
    answer = typed("verify")
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith(f"Equal: generation 1, {READINGS + 5} readings")

    (letter,) = [json.loads(line) for line in typed("dead-letters", "export").stdout.splitlines()]
    assert typed("dead-letters", "retry").exit_code == 4
    assert "not-json" in typed("dead-letters").stdout
    assert typed("dead-letters", "discard", letter["place"], "--because", "a test", "--by", "ada").exit_code == 0
    project(stack)
    assert "discarded by ada" in typed("dead-letters", "show", letter["place"], "--hex").stdout
    assert typed("verify").exit_code == 0
    told = json.loads(typed("doctor", "--json").stdout)
    sections = {section["name"]: section for section in told["sections"]}
    assert {sections[name]["state"] for name in ("AWS", "clock", "stream", "tables", "ports")} == {"ok"}
    assert "No worker has ever given a sign of life." in {finding["what"] for finding in sections["consumer"]["findings"]}

    key = {"scope": {"S": "sensor#s-3"}, "window": {"S": _total_of(stack, "sensor#s-3")}}
    row = stack.dynamodb.get_item(TableName=stack.names.stats, Key=key)["Item"]
    stack.dynamodb.put_item(TableName=stack.names.stats, Item={**row, "count": {"N": "4711"}})
    answer = typed("verify", "--sensor", "s-3")
    window, _, shard_id = row["window"]["S"].rpartition("#")
    assert answer.exit_code == 4, answer.output
    right = row["count"]["N"]
    assert answer.stdout.splitlines()[0] == f"stats  sensor#s-3 {window} {shard_id}  count: stored 4711, right {right}"


def _total_of(stack: Stack, scope: str) -> str:
    rows = stack.dynamodb.query(
        TableName=stack.names.stats,
        KeyConditionExpression="#scope = :scope",
        ExpressionAttributeNames={"#scope": "scope"},
        ExpressionAttributeValues={":scope": {"S": scope}},
    )["Items"]
    return next(row["window"]["S"] for row in rows if row["window"]["S"].startswith("total#"))


def test_a_generation_without_tables_is_named(stack: Stack, typed: Typed) -> None:
    """It is that, and not the prefix."""
    answer = typed("verify", "g9")
    assert answer.exit_code == 5
    assert answer.stderr.startswith("Error: g9 has no tables here, or was dropped")
    assert "telemetry generations" in answer.stderr
