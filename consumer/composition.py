"""Puts a child together from the environment: settings, clients, stores, projector, record processor."""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from consumer.certainty import Certainty
from consumer.following import Following
from consumer.processor import ShardRecordProcessor
from projections.dynamodb import CALLS_AT_ONCE, AwsStores
from projections.effects import Stores
from projections.generations import read_pointer
from projections.policy import FlushPolicy
from projections.projector import ShardProjector
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import WrongStream
from telemetry.logs import configure_logs
from telemetry.names import ResourceNames
from telemetry.processes import collect_garbage_seldom
from telemetry.retry import patiently
from telemetry.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

GENERATION_VARIABLE = "PROJECTION_GENERATION"
"""Set by the supervisor for its children: the generation whose tables they fill."""
STREAM_VARIABLE = "LOG_STREAM"
"""And which of the log's streams they read, counted from 1."""
PINNED_VARIABLE = "PROJECTION_PINNED"
"""`1` when that generation is to be filled whether it is live or not."""


def record_processor(environ: Mapping[str, str]) -> ShardRecordProcessor:
    """The record processor of a child process."""
    settings = Settings.from_environment(environ)
    configure_logs(settings.log_level, process="consumer")
    collect_garbage_seldom()

    # One attempt: the stores try again by themselves, and ask before each try whether they still may.
    kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings, attempts=1, pool=CALLS_AT_ONCE, validate=False)
    names = _names(settings, environ, dynamodb)
    pinned = environ.get(PINNED_VARIABLE) == "1"
    following = Following(partial(read_pointer, dynamodb, names), names.generation, pinned=pinned)
    certainty = Certainty(kinesis, dynamodb, names, settings.store_retry_s)

    def open_shard(shard_id: str) -> tuple[ShardProjector, Stores]:
        stores = AwsStores(dynamodb, kinesis, names, settings.store_retry_s, following.leave)
        projector = ShardProjector(
            certainty.find(shard_id),
            time.time,
            FlushPolicy.for_shards(certainty.open_shards()),
            interval_clock_s=time.monotonic,
            retention_s=certainty.retention_s(),
        )
        return projector, stores

    return ShardRecordProcessor(open_shard, certainty.has_ended, names.place, following)


def _names(settings: Settings, environ: Mapping[str, str], dynamodb: "DynamoDBClient") -> ResourceNames:
    """What this child works on. Raises WrongStream when the log has gone on in another stream since the daemon was started."""
    names = ResourceNames(settings.prefix, int(environ.get(GENERATION_VARIABLE, "1")))
    number = int(environ.get(STREAM_VARIABLE, "1"))
    if number == names.place.number:
        return names
    # What its first shards descend from is told by the pointer alone.
    pointer = patiently(lambda: read_pointer(dynamodb, names), settings.store_retry_s)
    if pointer is None or pointer.place.number != number:
        raise WrongStream(f"stream {number} of the log is not its last any more")
    return replace(names, place=pointer.place)
