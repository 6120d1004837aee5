"""The shape of what we replace: Flask behind uWSGI, and DynamoDB in the request: put the reading, read the sum, write it back.

Run by uWSGI (4 processes of 2 threads, as the original); loses counts when two requests meet, which is why it was replaced.
"""

import os
from decimal import Decimal

import boto3
from flask import Flask, Response, request

PREFIX = os.environ["PREFIX"]
READINGS, SUMS = (f"{PREFIX}-original-{name}" for name in ("readings", "sums"))
KEYS = {READINGS: (("sensor_id", "HASH"), ("timestamp", "RANGE")), SUMS: (("aggregation_period", "HASH"),)}
"""Its two tables; made at the first look whether it has started."""

app = Flask(__name__)
_dynamodb = boto3.resource("dynamodb", region_name="eu-west-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
_readings, _sums = _dynamodb.Table(READINGS), _dynamodb.Table(SUMS)


@app.get("/livez")
def livez() -> str:
    """Whether it has started; makes its tables when they are not there."""
    existing = _dynamodb.meta.client.list_tables()["TableNames"]
    for table, keys in KEYS.items():
        if table not in existing:
            _dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],  # type: ignore[typeddict-item]
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            )
    return "ok"


@app.put("/api/temperature")
def record() -> Response | tuple[dict[str, object], int]:
    """Store a reading and bring the sum up to date."""
    body = request.get_json()
    sensor_id, timestamp = str(body["sensorId"]).strip(), str(body["timestamp"])
    if not sensor_id:
        return {"message": {"sensorId": "This field cannot be blank."}}, 400
    temperature = int(body["temperature"])
    _readings.put_item(Item={"sensor_id": sensor_id, "timestamp": timestamp, "temperature": temperature})
    total = _sums.get_item(Key={"aggregation_period": "total"}, ConsistentRead=True).get("Item")
    count, total_sum = (int(total["count"]), int(total["sum"])) if total else (0, 0)  # type: ignore[arg-type]
    maximum = max(temperature, int(total["maximum"])) if total else temperature  # type: ignore[arg-type]
    minimum = min(temperature, int(total["minimum"])) if total else temperature  # type: ignore[arg-type]
    _sums.put_item(
        Item={
            "aggregation_period": "total",
            "count": Decimal(count + 1),
            "sum": Decimal(total_sum + temperature),
            "maximum": Decimal(maximum),
            "minimum": Decimal(minimum),
        }
    )
    return Response('{"message": "Temperature reading recorded successfully"}\n', mimetype="application/json")
