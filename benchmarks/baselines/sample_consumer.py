"""The usual shape of a KCL consumer: for each record one PutItem and one UpdateItem that adds. Run as a module it is a child.

Counts twice what is delivered twice, which is why ours is shaped otherwise.
"""

import json
import os
import sys
from decimal import Decimal
from typing import Any

import boto3
from amazon_kclpy.kcl import KCLProcess
from amazon_kclpy.v3.processor import RecordProcessorBase

from telemetry.names import ResourceNames

names = ResourceNames(os.environ["PREFIX"])


class SampleProcessor(RecordProcessorBase):  # type: ignore[misc]  # amazon_kclpy has no types
    """Stores each record as it comes, and checkpoints after each delivery."""

    def initialize(self, _: Any) -> None:
        """Open the client."""
        dynamodb = boto3.resource("dynamodb", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
        self._readings, self._stats = dynamodb.Table(names.readings), dynamodb.Table(names.stats)

    def process_records(self, process_records_input: Any) -> None:
        """One record after the other."""
        for record in process_records_input.records:
            event = json.loads(record.binary_data, parse_float=Decimal)
            temperature = event["data"]["temperature"]
            self._readings.put_item(
                Item={"sensor_id": event["subject"], "pack": event["time"], "temperature": temperature, "id": event["id"]}
            )
            self._stats.update_item(
                Key={"scope": "all", "window": "total"},
                UpdateExpression="ADD #count :one, #sum :temperature",
                ExpressionAttributeNames={"#count": "count", "#sum": "sum"},
                ExpressionAttributeValues={":one": 1, ":temperature": temperature},
            )
        process_records_input.checkpointer.checkpoint()

    def lease_lost(self, _: Any) -> None:
        """Nothing is held."""

    def shard_ended(self, shard_ended_input: Any) -> None:
        """As every sample has it."""
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input: Any) -> None:
        """As every sample has it."""
        shutdown_requested_input.checkpointer.checkpoint()


if __name__ == "__main__":
    KCLProcess(SampleProcessor(), sys.stdin, sys.stdout, sys.stderr).run()
