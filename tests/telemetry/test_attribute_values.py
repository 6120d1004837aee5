"""Attribute values pass the SDK: the same JSON is sent as by its own serializer, the same values read as by its parser."""

import json
from typing import Any

import botocore.session
from botocore.parsers import JSONParser
from botocore.serialize import JSONSerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.attribute_values import AttributeValueParser, AttributeValueSerializer
from telemetry.aws import dynamodb_client
from telemetry.settings import Settings

MODEL = botocore.session.get_session().get_service_model("dynamodb")
plain = st.one_of(
    st.builds(lambda text: {"S": text}, st.text()),
    st.builds(lambda number: {"N": str(number)}, st.integers()),
    st.builds(lambda data: {"B": data}, st.binary()),
    st.builds(lambda truth: {"BOOL": truth}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda texts: {"SS": texts}, st.lists(st.text(), min_size=1)),
    st.builds(lambda numbers: {"NS": [*map(str, numbers)]}, st.lists(st.integers(), min_size=1)),
    st.builds(lambda data: {"BS": data}, st.lists(st.binary(), min_size=1)),
)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists and maps."""
    lists, maps = st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    return st.builds(lambda some: {"L": some}, lists) | st.builds(lambda some: {"M": some}, maps)


values = st.recursive(plain, nested, max_leaves=5)
items = st.dictionaries(st.text(min_size=1), values, max_size=4)


@settings(max_examples=60)
@given(items, st.lists(values, max_size=4))
def test_requests_are_the_same(item: Any, some: Any) -> None:
    """Whether a value stands in an item, a list of parameters or deeper."""
    requests = {
        "PutItem": {"TableName": "t", "Item": item, "ReturnConsumedCapacity": "TOTAL"},
        "BatchWriteItem": {"RequestItems": {"t": [{"PutRequest": {"Item": item}}, {"DeleteRequest": {"Key": item}}]}},
        "BatchExecuteStatement": {"Statements": [{"Statement": "UPDATE", "Parameters": some}]},
        "Query": {"TableName": "t", "ExpressionAttributeValues": item, "ExclusiveStartKey": item, "Limit": 3},
    }
    for name, request in requests.items():
        operation = MODEL.operation_model(name)
        ours = AttributeValueSerializer().serialize_to_request(request, operation)
        theirs = JSONSerializer().serialize_to_request(request, operation)
        assert json.loads(ours.pop("body")) == json.loads(theirs.pop("body"))
        assert ours == theirs


@settings(max_examples=60)
@given(items)
def test_answers_are_the_same_values(item: Any) -> None:
    """In lists of items, by table, and one alone."""
    sent = json.loads(
        JSONSerializer().serialize_to_request({"TableName": "t", "Item": item}, MODEL.operation_model("PutItem"))["body"]
    )
    count = {"TableName": "t", "CapacityUnits": 1.5}
    answers = {
        "Query": {"Items": [sent["Item"]], "Count": 1, "LastEvaluatedKey": sent["Item"], "ConsumedCapacity": count},
        "BatchGetItem": {"Responses": {"t": [sent["Item"]]}, "UnprocessedKeys": {"t": {"Keys": [sent["Item"]]}}},
        "GetItem": {"Item": sent["Item"]},
    }
    for name, answer in answers.items():
        response = {"status_code": 200, "headers": {}, "body": json.dumps(answer).encode()}
        shape: Any = MODEL.operation_model(name).output_shape
        assert AttributeValueParser().parse(response, shape) == JSONParser().parse(response, shape)


def test_clients_of_dynamodb_use_them() -> None:
    """Parsers all of them, serializers those that do not validate."""
    chosen = Settings(aws_endpoint_url="http://127.0.0.1:9", aws_region="eu-north-1")
    for validate in (True, False):
        client: Any = dynamodb_client(chosen, validate=validate)
        assert isinstance(client._endpoint._response_parser_factory.create_parser("json"), AttributeValueParser)
        assert isinstance(client._serializer, AttributeValueSerializer) is not validate
        client.close()
