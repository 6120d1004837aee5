"""H23: the proxy spoils calls as its rules say, as boto3 sees it; else the suites beside this file would prove nothing."""

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.settings import Settings
from tests.faults import faults
from tests.faults.proxy import FaultProxy, Rule, fault_proxy
from tests.support.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient


@pytest.fixture
def dynamodb(proxy: FaultProxy, stack: Stack) -> "Iterator[DynamoDBClient]":
    """Our client, one attempt, through the proxy."""
    client = dynamodb_client(_through(proxy), attempts=1)
    yield client
    client.close()


@pytest.fixture
def kinesis(proxy: FaultProxy, stack: Stack) -> "Iterator[KinesisClient]":
    """Our client, one attempt, through the proxy."""
    client = kinesis_client(_through(proxy), attempts=1)
    yield client
    client.close()


def _through(proxy: FaultProxy) -> Settings:
    return Settings(aws_endpoint_url=proxy.url)


def letter(place: str) -> Any:
    return {"shard_id": {"S": "proxy"}, "place": {"S": place}}


def stored(stack: Stack, place: str) -> bool:
    key = {"shard_id": {"S": "proxy"}, "place": {"S": place}}
    return "Item" in stack.dynamodb.get_item(TableName=stack.names.dead_letters, Key=key, ConsistentRead=True)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.drop_before, ConnectionClosedError),
        (faults.drop_after, ConnectionClosedError),
        (faults.hang, ReadTimeoutError),
        (faults.throttle, ClientError),
        (faults.break_down, ClientError),
        (faults.duplicate, None),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_h23_a_fault_does_what_it_says(
    proxy: FaultProxy, dynamodb: "DynamoDBClient", stack: Stack, fault: Any, error: type[Exception] | None
) -> None:
    """To the client, which gets this error or none, and to the table."""
    proxy.rules = [Rule(fault, "DynamoDB", "PutItem", stack.names.dead_letters)]
    name = fault.__name__
    with pytest.raises(error) if error else nullcontext():
        dynamodb.put_item(TableName=stack.names.dead_letters, Item=letter(name))
    assert stored(stack, name) is (fault in (faults.drop_after, faults.duplicate))
    assert proxy.struck[name] == 1


def test_h23_a_rule_strikes_only_what_it_names(proxy: FaultProxy, dynamodb: "DynamoDBClient", stack: Stack) -> None:
    """Another operation, another table and another service pass."""
    proxy.rules = [
        Rule(faults.drop_before, operation="GetItem"),
        Rule(faults.drop_before, table=stack.names.readings),
        Rule(faults.drop_before, service="Kinesis"),
        Rule(faults.drop_before, share=0),
    ]
    dynamodb.put_item(TableName=stack.names.dead_letters, Item=letter("passes"))
    assert stored(stack, "passes")
    assert not proxy.struck


def test_h23_a_retry_that_was_carried_out_twice_is_refused(proxy: FaultProxy, dynamodb: "DynamoDBClient", stack: Stack) -> None:
    """What a lost answer does to a conditional write; the proxy counts the refusal."""
    proxy.rules = [Rule(faults.duplicate, "DynamoDB", "PutItem")]
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        dynamodb.put_item(
            TableName=stack.names.dead_letters, Item=letter("once"), ConditionExpression="attribute_not_exists(place)"
        )
    assert proxy.refused[stack.names.dead_letters] == 1


def test_h23_h14_failed_entries_are_not_stored_and_say_so(proxy: FaultProxy, kinesis: "KinesisClient", stack: Stack) -> None:
    """As many results as entries, in order; only those with a sequence number lie in the stream."""
    proxy.rules = [Rule(faults.fail_entries, "Kinesis", "PutRecords")]
    entries: Any = [{"PartitionKey": str(number), "Data": b"x"} for number in range(20)]
    results = kinesis.put_records(StreamName=stack.names.stream, Records=entries)["Records"]
    failed = [result for result in results if "ErrorCode" in result]
    assert len(results) == 20
    assert 0 < len(failed) < 20
    places = {(result["ShardId"], result["SequenceNumber"]) for result in results if "ErrorCode" not in result}
    assert len(places) == 20 - len(failed)


def test_h23_h16_unprocessed_items_are_left_undone(proxy: FaultProxy, dynamodb: "DynamoDBClient", stack: Stack) -> None:
    """What the answer calls unprocessed is not stored; keys left unprocessed are not in the answer."""
    proxy.rules = [Rule(faults.leave_unprocessed)]
    table = stack.names.dead_letters
    puts: Any = [{"PutRequest": {"Item": letter(f"batch-{number}")}} for number in range(20)]
    left: Any = dynamodb.batch_write_item(RequestItems={table: puts})["UnprocessedItems"].get(table, [])
    undone = {request["PutRequest"]["Item"]["place"]["S"] for request in left}
    assert undone
    assert {f"batch-{n}" for n in range(20) if not stored(stack, f"batch-{n}")} == undone
    proxy.rules = []
    dynamodb.batch_write_item(RequestItems={table: left})
    proxy.rules = [Rule(faults.leave_unprocessed)]
    keys: Any = [letter(f"batch-{number}") for number in range(20)]
    answer: Any = dynamodb.batch_get_item(RequestItems={table: {"Keys": keys}})
    assert len(answer["Responses"][table]) + len(answer["UnprocessedKeys"].get(table, {"Keys": []})["Keys"]) == 20
    assert answer["UnprocessedKeys"]


def test_h23_failed_statements_are_not_executed_and_say_so(proxy: FaultProxy, dynamodb: "DynamoDBClient", stack: Stack) -> None:
    """As many answers as statements; what is said to have failed is not stored."""
    proxy.rules = [Rule(faults.fail_statements, "DynamoDB", "BatchExecuteStatement")]
    insert = f"""INSERT INTO "{stack.names.dead_letters}" VALUE {{'shard_id': ?, 'place': ?}}"""
    places = [f"statement-{number}" for number in range(20)]
    statements: Any = [{"Statement": insert, "Parameters": [letter(p)["shard_id"], letter(p)["place"]]} for p in places]
    answers = dynamodb.batch_execute_statement(Statements=statements)["Responses"]
    done = [place for place, answer in zip(places, answers, strict=True) if "Error" not in answer]
    assert proxy.struck["fail_statements"] == 1
    assert len(done) > 0
    assert [place for place in places if stored(stack, place)] == done


def test_h23_rules_repeat_with_their_seed(endpoint: str, stack: Stack) -> None:
    """The same calls meet the same faults; another seed brings others."""

    def struck(seed: int) -> list[bool]:
        with fault_proxy(endpoint, seed) as proxy:
            proxy.rules = [Rule(faults.throttle, share=0.5)]
            client = dynamodb_client(_through(proxy), attempts=1)
            before = [proxy.struck.total()]
            for _ in range(20):
                with suppress(ClientError):
                    client.list_tables()
                before.append(proxy.struck.total())
            client.close()
        return [after > earlier for earlier, after in pairwise(before)]

    first = struck(7)
    assert first == struck(7) != struck(8)
    assert 0 < sum(first) < 20
