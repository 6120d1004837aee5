"""Home Assistant in its version 1 mode: the client of InfluxDB 1 that its integration uses, called as that calls it.

`homeassistant/components/influxdb/__init__.py`: it tries the connection with a write of no points and SHOW DATABASES; a point's
measurement is the unit, its tags domain and entity, its time when the state changed, its fields all that is known of it. A
refusal (400) is dropped, whatever else fails is tried again where `max_retries` says so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError

from telemetry.keys import Credential, Role
from telemetry.reading import Reading
from tests.producer_api.doors.app import listening, stored
from tests.producer_api.fakes import FakeKinesis, store_but_time_out
from tests.producer_api.keys.entrance import Entrance
from tests.producer_api.keys.table import SECRET

FIRED = datetime(2026, 3, 1, 12, 0, 0, 123_456, UTC)
AT_US = 1_772_366_400_123_456


@contextmanager
def client(address: str, **more: Any) -> Iterator[InfluxDBClient]:
    """As the integration makes it."""
    url = urlsplit(address)
    made = InfluxDBClient(host=url.hostname, port=url.port, database="home_assistant", timeout=5, verify_ssl=True, **more)
    try:
        yield made
    finally:
        made.close()


def state(entity: str, value: float | str, *, domain: str = "sensor", unit: str = "°C", **attributes: Any) -> dict[str, Any]:
    """A changed state as it is handed to the client: what is no number has a name of its own."""
    fields = {"friendly_name_str": f"The {entity}", "device_class_str": "temperature", "icon_str": 'mdi:"x"', **attributes}
    name = "value" if isinstance(value, float) else "state"
    tags = {"domain": domain, "entity_id": entity}
    return {"measurement": unit, "tags": tags, "time": FIRED, "fields": {name: value, **fields}}


def test_its_test_of_the_connection_succeeds() -> None:
    """Before it sets itself up: a write of nothing, then which databases there are."""
    kinesis = FakeKinesis()
    with listening(kinesis) as address, client(address) as made:
        assert made.write_points([], time_precision=None)
        assert [point["name"] for point in made.query("SHOW DATABASES;").get_points()] == ["telemetry"]
        assert made.ping()
    assert not kinesis.calls


def test_its_temperatures_arrive_exactly_and_the_rest_is_passed_over() -> None:
    """Each once, also in °F; a thermostat, a lamp and a humidity are no readings."""
    kinesis = FakeKinesis()
    states = [
        state("hall", 21.15, battery_level=90.0),
        state("küche süd", -0.1, unit="°C"),
        state("attic", 70.7, unit="°F"),
        state("hall", 21.0, domain="climate"),
        state("hall_humidity", 40.0, unit="%"),
        state("lamp", "on", domain="light", unit="light.lamp"),
    ]
    for packed in (False, True):
        with listening(kinesis) as address, client(address, gzip=packed) as made:
            assert made.write_points(states, time_precision=None)
    assert set(stored(kinesis)) == {
        Reading(AT_US, "hall", 21_150_000),
        Reading(AT_US, "küche süd", -100_000),
        Reading(AT_US, "attic", 21_500_000),
    }


@pytest.mark.parametrize("precision", ["ms", "s", "ns", "us"])
def test_each_precision_that_it_can_be_told_is_understood(precision: str) -> None:
    """What it cuts off is lost to it, not to us."""
    kept = {"ms": 123_000, "s": 0, "ns": 123_456, "us": 123_456}[precision]
    kinesis = FakeKinesis()
    with listening(kinesis) as address, client(address) as made:
        # The client's own word for microseconds is `u`.
        made.write_points([state("hall", 1.0)], time_precision={"ns": "n", "us": "u"}.get(precision, precision))
    assert stored(kinesis) == [Reading(AT_US - 123_456 + kept, "hall", 1_000_000)]


def test_what_may_be_stored_is_an_error_that_it_tries_again_and_counts_once() -> None:
    """The integration's own retry: the same points once more."""
    kinesis = FakeKinesis()
    with listening(kinesis, deadline_s=0.3) as address, client(address, retries=1) as made:
        kinesis.faults.extend([store_but_time_out] * 100)
        with pytest.raises(InfluxDBServerError):
            made.write_points([state("hall", 1.0)], time_precision=None)
        kinesis.faults.clear()
        made.write_points([state("hall", 1.0)], time_precision=None)
    assert len(stored(kinesis)) > 1
    assert set(stored(kinesis)) == {Reading(AT_US, "hall", 1_000_000)}


def test_what_it_drops_it_drops_for_a_reason_that_it_logs() -> None:
    """400: the integration takes that for its own mistake, and what was good is stored all the same."""
    kinesis = FakeKinesis()
    with listening(kinesis) as address, client(address) as made:
        with pytest.raises(InfluxDBClientError) as refused:
            made.write_points([state("hall", 1.0), state("attic", 99_999.0)], time_precision=None)
        assert refused.value.code == 400
        assert "line 2: value: Expected" in str(refused.value)
    assert stored(kinesis) == [Reading(AT_US, "hall", 1_000_000)]


@pytest.mark.parametrize(("given", "status"), [(Credential("home0000", SECRET).text, 204), ("wrong", 401), ("", 401)])
def test_its_password_is_the_key(given: str, status: int) -> None:
    """Any user's name; without a key it learns so before it sets itself up."""
    kinesis, entrance = FakeKinesis(), Entrance()
    entrance.table.make("home", Role.INGEST)
    known = {"username": "home", "password": given} if given else {}
    with listening(kinesis, gate=entrance.gate) as address, client(address, retries=1, **known) as made:
        if status == 204:
            assert made.write_points([state("hall", 1.0)], time_precision=None)
            return
        with pytest.raises(InfluxDBClientError) as refused:
            made.write_points([], time_precision=None)
        assert refused.value.code == status
