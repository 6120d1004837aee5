"""The daemon's properties, rendered from the settings. Every key that matters is written down, with its reason."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from consumer.watch import Patience
from telemetry.names import ResourceNames
from telemetry.read_budget import ARCHIVE_CALLS_A_S, CONSUMER_CALLS_A_S, interval_ms
from telemetry.settings import Settings

SHUTDOWN_GRACE_S: Final = 20
"""Without it SIGTERM ends the daemon within milliseconds and no child hears of it (hazard H8)."""

PROCESSOR_MB: Final = 256
"""What a record processor takes at most. Answers of 10 MB alone take 101 MB of it, a dense backlog was seen to take 257."""

SUPERVISOR_MB: Final = 70
JAVA_BEYOND_HEAP_MB: Final = 110
"""What they take beside (measured: 593 MB of memory at a heap of 512)."""

_HEAP_MB: Final = 128
_HEAP_MB_A_SHARD: Final = 96
"""KCL 3.1.3 fetches ahead while less than 8 MB of a shard wait, so up to two answers of 10 MB; a third is being handed over, as
base64 in JSON in UTF-8; a fourth is being received. No property bounds that (`SimpleRecordsFetcherFactory`, read): 256 MB ran
out at four shards with all answers of 10 MB, this does not."""
_HEAP_SHARDS_MIN: Final = 2

BEYOND_RETRIES_S: Final = 30
"""A child retries AWS for up to twice `store_retry_s` and then exits by itself. One that stays silent for this much longer is
hung, and the daemon ends itself and with it the child (hazard H7)."""

TIMING: Final[Mapping[str, Mapping[str, int]]] = {
    # One machine: leases move after a second. No archive is read from the stream, so its call is the consumer's.
    "local": {
        "idleTimeBetweenReadsInMillis": interval_ms(CONSUMER_CALLS_A_S + ARCHIVE_CALLS_A_S),
        "failoverTimeMillis": 1000,
        "leaseAssignmentIntervalMillis": 1000,
        "workerMetricsReporterFreqInMillis": 1000,
        "shardSyncIntervalMillis": 5000,
        "parentShardPollIntervalMillis": 500,
    },
    # On AWS every renewal is a write, and a busy core would lose its leases at one second.
    "aws": {
        "idleTimeBetweenReadsInMillis": interval_ms(CONSUMER_CALLS_A_S),
        "failoverTimeMillis": 10_000,
        "leaseAssignmentIntervalMillis": 10_000,
        "workerMetricsReporterFreqInMillis": 10_000,
        "shardSyncIntervalMillis": 60_000,
        "parentShardPollIntervalMillis": 2000,
    },
}


_WATCH: Final[Mapping[str, Mapping[str, float]]] = {
    "local": {"look_every_s": 1, "leader_s": 10, "daemon_s": 30, "start_s": 60},
    # Above three renewals of a lease and three signs of life.
    "aws": {"look_every_s": 10, "leader_s": 35, "daemon_s": 90, "start_s": 120},
}
_BEFORE_KCL_S: Final = 15


def heap_mb(shards: int) -> int:
    """The daemon's heap when it holds so many shards, in MB. One whose stream has grown beyond it ends, and is started anew."""
    return _HEAP_MB + _HEAP_MB_A_SHARD * max(shards, _HEAP_SHARDS_MIN)


def patience(settings: Settings) -> Patience:
    """How long the supervisor waits for signs of life. A child may retry AWS in place for twice `store_retry_s`."""
    shard_s = int(2 * settings.store_retry_s) + BEYOND_RETRIES_S - _BEFORE_KCL_S
    return Patience(**_WATCH[settings.kcl_timing], shard_s=shard_s)


def render_properties(settings: Settings, names: ResourceNames, executable: Path) -> str:
    """The text of the daemon's properties file. `executable` starts a child; its path must not hold a space."""
    properties: dict[str, object] = {
        "executableName": executable,
        "processingLanguage": "python/3.13",
        "streamName": names.stream,
        "applicationName": names.application,
        "workerIdentifier": settings.worker_id,
        "regionName": settings.aws_region,
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        # LATEST would skip what was written before the first lease (hazard H12).
        "initialPositionInStream": "TRIM_HORIZON",
        # Said out loud, because the default is billed fan-out and one polling property switches silently (hazard H11).
        "retrievalMode": "POLLING",
        # An answer holds 10 MB at most, however many records these are. Fewer of them are less work between two messages.
        "maxRecords": 1000,
        # The idle tick: flushes what is due and renews the progress mark.
        "callProcessRecordsEvenForEmptyRecordList": "true",
        "timeoutInSeconds": int(2 * settings.store_retry_s) + BEYOND_RETRIES_S,
        "shutdownGraceMillis": SHUTDOWN_GRACE_S * 1000,
        # A worker that dies while it hands a lease over leaves a mark: its successor renews that lease for ever and never works
        # on it (KCL 3.1.3, seen). Without handing over a shard begins at its checkpoint; what is read once more counts once.
        "isGracefulLeaseHandoffEnabled": "false",
        # Else KCL drops a KPL aggregate whole and in silence when one key in it hashes outside the shard (hazard H21, S1): it
        # looks up the shard's range for that. Our leases are made beforehand and watched (consumer/oversight.py), and the
        # leader goes on comparing them with the shards.
        "skipShardSyncAtWorkerInitializationIfLeasesExist": "true",
        # CloudWatch bills each of them by shard and worker; the one that an alarm reads is told otherwise (consumer/lag.py).
        "metricsLevel": "NONE",
        **TIMING[settings.kcl_timing],
    }
    endpoints = {"kinesisEndpoint": settings.aws_endpoint_url, "dynamoDBEndpoint": settings.dynamodb_url}
    properties |= {key: url for key, url in endpoints.items() if url}
    return "".join(f"{key} = {value}\n" for key, value in properties.items())
