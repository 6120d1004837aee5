"""One bucket of write units, on a clock of the test's own, and as a client of DynamoDB is paced by it."""

from multiprocessing import get_context
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from operations.units import Units, pace_writes


class Clock:
    """Time that only waiting lets pass."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def units(clock: Clock) -> Units:
    return Units(500, clock, clock.sleep)


def test_the_rate_is_kept(clock: Clock, units: Units) -> None:
    """Whatever each write takes: what was taken is paid for before the next one begins."""
    for taken in (25, 1, 400, 25, 549) * 20:
        units.wait()
        units.take(taken)
    units.wait()
    assert units.taken == 20_000
    assert clock.now_s == pytest.approx(100 + 20_000 / 500)


def test_who_waits_takes_turns(clock: Clock, units: Units) -> None:
    """Those who wait, however many, do not all go at once when what is taken is paid for, nor for less than they take then."""
    units.take(1_000)
    for turn in range(5):
        units.wait(100)
        assert clock.now_s == pytest.approx(102 + turn * 0.2)
    units.take(-50)
    units.wait()
    assert clock.now_s == pytest.approx(102 + 450 / 500)


def test_who_takes_less_never_waits(clock: Clock, units: Units) -> None:
    """And an hour of silence is not saved up for more than a second."""
    for _ in range(10):
        clock.sleep(1)
        units.take(499)
        before_s = clock.now_s
        units.wait()
        assert clock.now_s == before_s
    clock.sleep(3600)
    units.take(1_000)
    began_s = clock.now_s
    units.wait()
    assert clock.now_s - began_s == pytest.approx(1)


def test_processes_share_one_bucket(clock: Clock) -> None:
    """What another one takes is waited for, and nothing is forgotten that two take at the same time."""
    units = Units(500, clock, clock.sleep, shared=True)
    other = get_context("spawn").Process(target=_take_all, args=(units,))
    other.start()
    while other.is_alive() and not units.taken:
        pass  # until both are at it
    _take_all(units)
    other.join()
    assert units.taken == 2 * 20_000
    units.wait()
    assert clock.now_s == pytest.approx(100 + 2 * 20_000 / 500)


def _take_all(units: Units) -> None:
    for _ in range(20_000):
        units.take(1)


@pytest.fixture
def dynamodb(units: Units) -> Any:
    """A client that is paced, and asks nobody."""
    client = boto3.client("dynamodb", region_name="eu-west-1", aws_access_key_id="t", aws_secret_access_key="t")  # noqa: S106
    pace_writes(client, units)
    return client


ITEM = {"sensor_id": {"S": "a"}}


def test_each_kind_of_write_is_charged_what_it_took(dynamodb: Any, units: Units) -> None:
    """As DynamoDB tells it, of one table or several; where it does not, one unit an item. A refused condition is one, too."""
    told = {"ReturnConsumedCapacity": "TOTAL"}
    with Stubber(dynamodb) as stub:
        batch: Any = {"RequestItems": {"t": [{"PutRequest": {"Item": ITEM}}] * 3}}
        stub.add_response(
            "batch_write_item", {"ConsumedCapacity": [{"TableName": "t", "CapacityUnits": 7.0}]}, {**batch, **told}
        )
        dynamodb.batch_write_item(**batch)
        assert units.taken == 7
        stub.add_response("batch_write_item", {}, {**batch, **told})
        dynamodb.batch_write_item(**batch)
        assert units.taken == 10
        statements: Any = {"Statements": [{"Statement": "UPDATE"}, {"Statement": "UPDATE"}]}
        stub.add_response("batch_execute_statement", {"Responses": [{}, {}]}, {**statements, **told})
        dynamodb.batch_execute_statement(**statements)
        assert units.taken == 12
        put: Any = {"TableName": "t", "Item": ITEM}
        stub.add_response("put_item", {"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 2.0}}, {**put, **told})
        dynamodb.put_item(**put)
        stub.add_client_error("put_item", "ConditionalCheckFailedException", expected_params={**put, **told})
        with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
            dynamodb.put_item(**put)
        assert units.taken == 15


def test_what_is_written_waits_and_what_is_read_does_not(dynamodb: Any, units: Units, clock: Clock) -> None:
    """Reads have units of their own."""
    units.take(1_500)
    with Stubber(dynamodb) as stub:
        stub.add_response("get_item", {}, {"TableName": "t", "Key": ITEM})
        dynamodb.get_item(TableName="t", Key=ITEM)
        assert clock.now_s == 100
        stub.add_response("put_item", {}, {"TableName": "t", "Item": ITEM, "ReturnConsumedCapacity": "TOTAL"})
        dynamodb.put_item(TableName="t", Item=ITEM)
    assert clock.now_s == pytest.approx(103)
