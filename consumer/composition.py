"""Puts a child together from the environment: settings, clients, stores, projector, record processor."""

import time
from collections.abc import Mapping

from consumer.certainty import Certainty
from consumer.processor import ShardRecordProcessor
from projections.dynamodb import CALLS_AT_ONCE, AwsStores
from projections.effects import Stores
from projections.policy import FlushPolicy
from projections.projector import ShardProjector
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.logs import configure_logs
from telemetry.names import ResourceNames
from telemetry.processes import collect_garbage_seldom
from telemetry.settings import Settings

GENERATION_VARIABLE = "PROJECTION_GENERATION"
"""Set by the supervisor for its children: the generation whose tables they fill."""


def record_processor(environ: Mapping[str, str]) -> ShardRecordProcessor:
    """The record processor of a child process."""
    settings = Settings.from_environment(environ)
    configure_logs(settings.log_level, process="consumer")
    collect_garbage_seldom()
    names = ResourceNames(settings.prefix, int(environ.get(GENERATION_VARIABLE, "1")))

    kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings, pool=CALLS_AT_ONCE, validate=False)
    certainty = Certainty(kinesis, dynamodb, names, settings.store_retry_s)

    def open_shard(shard_id: str) -> tuple[ShardProjector, Stores]:
        stores = AwsStores(dynamodb, kinesis, names, settings.store_retry_s)
        projector = ShardProjector(
            certainty.find(shard_id),
            time.time,
            FlushPolicy.for_shards(certainty.open_shards()),
            interval_clock_s=time.monotonic,
            retention_s=certainty.retention_s(),
        )
        return projector, stores

    return ShardRecordProcessor(open_shard, certainty.has_ended)
