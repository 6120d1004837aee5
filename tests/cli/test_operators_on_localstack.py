"""Operators' commands on stream and tables of LocalStack, which the projector fills within the test's process."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import telemetry
from projections import sheets
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
    stack.dynamodb.put_item(TableName=stack.names.stats, Item=row)


def test_whatever_is_damaged_is_named(stack: Stack, typed: Typed) -> None:
    """A count, a bin of a histogram, a cell of a sheet, a pack and a dead letter, each by its own line; and nothing else."""
    found = [reading(f"s-{number % 3}", 60 * number, number) for number in range(READINGS)]
    records: Any = [{"PartitionKey": one.sensor_id, "Data": encode_event(one, 0)} for one in found]
    records.append({"PartitionKey": "broken", "Data": b"{broken"})
    stack.kinesis.put_records(StreamName=stack.names.stream, Records=records)
    project(stack)
    for table, begin, attribute, change, _ in DAMAGES:
        _damage(stack, getattr(stack.names, table), begin, attribute, change)
    answer = typed("verify")
    assert answer.exit_code == 4, answer.output
    *lines, last = answer.stdout.splitlines()
    assert last.startswith("5 differences: generation 1"), answer.output
    for _, _, _, _, named in DAMAGES:
        assert sum(re.match(named, line) is not None for line in lines) == 1, (named, lines)


def _next_cell(was: Any) -> Any:
    """A sheet whose first cell has another sum."""
    cells = list(sheets.decode(was["B"]))
    number, cell = next((number, cell) for number, cell in enumerate(cells) if cell)
    cells[number] = cell._replace(sum_micro=cell.sum_micro + 1)
    return {"B": sheets.encode(tuple(cells))}


DAMAGES: list[tuple[str, str, str, Callable[[Any], Any], str]] = [
    ("stats", "sensor#s-0 total#", "count", lambda _: {"N": "4711"}, "stats  sensor#s-0 total .*  count: stored 4711, right"),
    (
        *("stats", "sensor#s-1 total#", "histogram"),
        lambda was: {"B": was["B"][:-1] + bytes([was["B"][-1] ^ 1])},
        "stats  sensor#s-1 total .*  histogram: stored",
    ),
    ("stats", "all sheet#", "cells", _next_cell, "stats  all sheet#.*  cell [0-9]+: stored"),
    ("readings", "s-2 ", "readings", lambda was: {"S": "0:00=99 " + was["S"]}, "readings  s-2 .*  pack: stored"),
    ("dead_letters", "shardId-", "data", lambda _: {"B": b"{brokem"}, "dead letters  shardId-.*  data: stored"),
]
"""A table, what the key of an item begins with, an attribute, what becomes of it, and how it is named."""


def _damage(stack: Stack, table: str, begin: str, attribute: str, change: Callable[[Any], Any]) -> None:
    keys = [key["AttributeName"] for key in stack.dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]]
    pages = stack.dynamodb.get_paginator("scan").paginate(TableName=table)
    found: list[Any] = [item for page in pages for item in page["Items"] if attribute in item]
    item = next(item for item in found if " ".join(item[key]["S"] for key in keys).startswith(begin))
    stack.dynamodb.put_item(TableName=table, Item={**item, attribute: change(item[attribute])})


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
