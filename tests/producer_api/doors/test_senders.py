"""Senders as they are, over a socket: an InfluxDB client of PyPI, with payloads as Home Assistant hands them over."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write.retry import WritesRetry
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from telemetry.reading import Reading
from tests.producer_api.doors.app import listening, stored
from tests.producer_api.fakes import FakeKinesis, refused_with, store_but_time_out

AT_NS = 1_732_545_600_123_456_789
AT_US = AT_NS // 1000


@contextmanager
def client(address: str) -> Iterator[InfluxDBClient]:
    """InfluxDB 2's, which repeats writes that may pass, as its batching writer does, but sooner."""
    retries = WritesRetry(total=3, retry_interval=0, max_retry_delay=1, allowed_methods={"POST"})
    with InfluxDBClient(address, token="any", org="any", enable_gzip=True, retries=retries) as made:  # noqa: S106
        yield made


def write(made: InfluxDBClient, record: Any) -> None:
    """At once."""
    made.write_api(write_options=SYNCHRONOUS).write(bucket="any", record=record)


def home_assistant(**changed: Any) -> dict[str, Any]:
    """A state of a sensor, as Home Assistant's integration makes it of an event."""
    fields = {
        "value": 70.7,
        "battery_level": 90.0,
        "friendly_name_str": 'The "hall"\nupstairs',
        "device_class_str": "temperature",
    }
    tags = {"domain": "sensor", "entity_id": "hall"}
    return {"measurement": "°F", "tags": tags, "time": AT_NS, "fields": fields} | changed


def test_readings_arrive_exactly() -> None:
    """Points, dictionaries as Home Assistant's, lines; packed."""
    kinesis = FakeKinesis()
    with listening(kinesis) as address, client(address) as made:
        assert made.ping()
        assert made.version()
        write(made, Point("temperature").tag("sensorId", "a b,c=d").field("value", 21.15).time(AT_NS))
        write(made, [home_assistant(), home_assistant(tags={"domain": "climate", "entity_id": "hall"})])
        write(made, f"temperature,host=pi value=-0.1 {AT_NS}")
    assert stored(kinesis) == [
        Reading(AT_US, "a b,c=d", 21_150_000),
        Reading(AT_US, "hall", 21_500_000),
        Reading(AT_US, "pi", -100_000),
    ]


def test_a_repeat_of_what_may_be_stored_counts_once() -> None:
    """The client repeats a 503 by itself."""
    kinesis = FakeKinesis()
    with listening(kinesis, deadline_s=0.3) as address, client(address) as made:
        kinesis.faults.extend([store_but_time_out] * 3)
        write(made, f"temperature,host=pi value=1 {AT_NS}")
    assert len(stored(kinesis)) > 1
    assert set(stored(kinesis)) == {Reading(AT_US, "pi", 1_000_000)}


def test_a_refusal_is_understood_and_not_repeated() -> None:
    """The client hands the reason on."""
    kinesis = FakeKinesis()
    with listening(kinesis) as address, client(address) as made:
        with pytest.raises(ApiException) as refused:
            write(made, ["temperature,host=pi value=1 1", "temperature,host=pi value=true 2"])
        assert refused.value.status == 400
        assert "line 2: value: Expected a number" in str(refused.value)
    assert [reading.measured_at_us for reading in stored(kinesis)] == [0]
    assert len(kinesis.calls) == 1


def test_an_outage_is_told_to_the_client_in_the_end() -> None:
    """After its repeats; it then knows that nothing was stored."""
    kinesis = FakeKinesis()
    kinesis.faults.extend([refused_with("AccessDeniedException")] * 1000)
    with listening(kinesis, deadline_s=0.2) as address:
        made = InfluxDBClient(address, token="any", org="any", retries=WritesRetry(total=0))  # noqa: S106
        with made, pytest.raises(ApiException) as refused:
            write(made, f"temperature,host=pi value=1 {AT_NS}")
    assert refused.value.status == 503
    assert not stored(kinesis)
