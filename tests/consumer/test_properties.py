"""The daemon's properties file."""

from contextlib import closing
from pathlib import Path

import pytest

from consumer.properties import SHUTDOWN_GRACE_S, TIMING, render_properties
from telemetry.aws import dynamodb_client
from telemetry.names import ResourceNames
from telemetry.read_budget import SHARD_CALLS_A_S
from telemetry.settings import Settings

NAMES = ResourceNames("telemetry-test", 3)


def rendered(**environ: str) -> dict[str, str]:
    """The properties for these settings, read back."""
    text = render_properties(Settings.from_environment(environ), NAMES, Path("/tmp/child"))  # noqa: S108  only rendered
    assert text.endswith("\n")
    pairs = [line.split(" = ") for line in text.splitlines()]
    assert all(len(pair) == 2 and pair[1].strip() == pair[1] != "" for pair in pairs)
    properties = {key: value for key, value in pairs}  # noqa: C416  keys are counted below
    assert len(properties) == len(pairs), "a key is there twice"
    return properties


def test_stream_application_and_worker_are_named() -> None:
    """They come from the names of the generation and from the settings."""
    properties = rendered(WORKER_ID="worker-7", AWS_REGION="eu-central-1")
    assert properties["streamName"] == NAMES.stream
    assert properties["applicationName"] == NAMES.application
    assert properties["workerIdentifier"] == "worker-7"
    assert properties["regionName"] == "eu-central-1"
    assert properties["executableName"] == "/tmp/child"  # noqa: S108


def test_h11_retrieval_is_polling_said_out_loud() -> None:
    """The default is billed fan-out, and any polling property would switch it silently."""
    properties = rendered()
    assert properties["retrievalMode"] == "POLLING"


@pytest.mark.parametrize(("timing", "others"), [("aws", 2), ("local", 1)], ids=["aws", "local"])
def test_l07_the_consumer_leaves_others_their_reads(timing: str, others: int) -> None:
    """Of the five a second that a shard allows: one to replay, and on AWS one to the archiver. The rest is the consumer's."""
    apart_ms = int(rendered(KCL_TIMING=timing)["idleTimeBetweenReadsInMillis"])
    assert 1000 / apart_ms + others <= SHARD_CALLS_A_S < 1000 / (apart_ms - 1) + others


def test_h12_starts_at_trim_horizon() -> None:
    """LATEST would lose what was written before the first lease."""
    assert rendered()["initialPositionInStream"] == "TRIM_HORIZON"


def test_h08_a_shutdown_has_its_grace() -> None:
    """Without a grace, SIGTERM ends the daemon before any child hears of it."""
    assert 20_000 <= int(rendered()["shutdownGraceMillis"]) == SHUTDOWN_GRACE_S * 1000 <= 25_000


def test_h07_a_hung_child_is_ended_after_it_could_have_exited_by_itself() -> None:
    """The daemon's patience is above the longest time for which a child may be set to retry in place."""
    for store_retry_s in ("1", "30", "50"):
        assert int(rendered(STORE_RETRY_S=store_retry_s)["timeoutInSeconds"]) > 2 * int(store_retry_s)
    with pytest.raises(ValueError, match="less than or equal to 50"):
        Settings(store_retry_s=51)


def test_s01_kcl_drops_no_aggregate_for_its_keys() -> None:
    """When KCL knows the shard's range, one foreign key loses a whole aggregate in silence; it asks for it unless told so."""
    assert rendered()["skipShardSyncAtWorkerInitializationIfLeasesExist"] == "true"


def test_leases_are_taken_not_handed_over() -> None:
    """In KCL 3.1.3 a lease whose owner dies in the middle of handing it over is stuck until somebody mends the row."""
    assert rendered()["isGracefulLeaseHandoffEnabled"] == "false"


def test_s08_a_delivery_is_no_more_than_a_thousand_records() -> None:
    """What the daemon holds, and what a child does between two messages, is bounded by it."""
    assert rendered()["maxRecords"] == "1000"


def test_idle_shards_are_called_too() -> None:
    """Flushes that are due and the renewal of the progress mark hang on the empty deliveries."""
    assert rendered()["callProcessRecordsEvenForEmptyRecordList"] == "true"


@pytest.mark.parametrize("timing", ["local", "aws"])
def test_there_are_two_sets_of_intervals(timing: str) -> None:
    """The setting picks one of the two, whole."""
    properties = rendered(KCL_TIMING=timing)
    assert {key: int(properties[key]) for key in TIMING[timing]} == TIMING[timing]


def test_leases_last_longer_on_aws() -> None:
    """Both sets name the same keys; on AWS a busy core would lose its leases at one second."""
    assert TIMING["local"].keys() == TIMING["aws"].keys()
    assert TIMING["local"]["failoverTimeMillis"] == 1000
    assert TIMING["aws"]["failoverTimeMillis"] == 10_000


@pytest.mark.parametrize("environ", [{}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}])
def test_kcl_sends_no_metrics(environ: dict[str, str]) -> None:
    """Each would be billed by shard and worker; how far the projection is behind is told in the log."""
    assert rendered(**environ)["metricsLevel"] == "NONE"


def test_with_an_endpoint_everything_goes_there() -> None:
    """And without one nothing is written down of it."""
    properties = rendered(AWS_ENDPOINT_URL="http://127.0.0.1:4566")
    assert properties["kinesisEndpoint"] == properties["dynamoDBEndpoint"] == "http://127.0.0.1:4566"
    assert not [key for key in rendered() if key.endswith("Endpoint")]


def test_dynamodb_may_have_an_endpoint_of_its_own() -> None:
    """For leases as for what we store."""
    apart = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8000"}
    properties = rendered(**apart)
    assert (properties["kinesisEndpoint"], properties["dynamoDBEndpoint"]) == tuple(apart.values())
    with closing(dynamodb_client(Settings.from_environment(apart))) as client:
        assert client.meta.endpoint_url == apart["AWS_ENDPOINT_URL_DYNAMODB"]
