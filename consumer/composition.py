"""Puts a child together from the environment: settings, clients, stores, projector, record processor."""

import time
from collections.abc import Mapping

from consumer.processor import ShardRecordProcessor
from projections.dynamodb import CALLS_AT_ONCE, AwsStores
from projections.effects import Stores
from projections.projector import ShardProjector
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.limits import HASH_KEY_MAX
from telemetry.logs import configure_logs
from telemetry.names import ResourceNames
from telemetry.retry import patiently
from telemetry.settings import Settings
from telemetry.shards import Shard, list_shards

GENERATION_VARIABLE = "PROJECTION_GENERATION"
"""Set by the supervisor for its children: the generation whose tables they fill."""


def record_processor(environ: Mapping[str, str]) -> ShardRecordProcessor:
    """The record processor of a child process."""
    settings = Settings.from_environment(environ)
    configure_logs(settings.log_level, process="consumer")
    names = ResourceNames(settings.prefix, int(environ.get(GENERATION_VARIABLE, "1")))

    def open_shard(shard_id: str) -> tuple[ShardProjector, Stores]:
        kinesis = kinesis_client(settings)
        shards = patiently(lambda: list_shards(kinesis, names.stream), settings.store_retry_s).shards
        # A shard that is no longer listed has no records left either, so its range does not matter.
        shard = shards.get(shard_id) or Shard(shard_id, 0, HASH_KEY_MAX, closed=True)
        stores = AwsStores(dynamodb_client(settings, pool=CALLS_AT_ONCE), kinesis, names, settings.store_retry_s)
        return ShardProjector(shard, time.time), stores

    return ShardRecordProcessor(open_shard)
