"""Webhooks of LoRaWAN servers: messages as these write them, on a stream in memory."""

import json
from typing import Any

import httpx

from telemetry.reading import Reading
from tests.producer_api.doors.app import asking, stored
from tests.producer_api.fakes import FakeKinesis, refused_with
from tests.producer_api.test_writer import scenario

TTN, CHIRPSTACK = "/api/webhooks/ttn", "/api/webhooks/chirpstack?event=up"
AT = "2026-03-01T12:00:00.123456789Z"
AT_US = 1_772_366_400_123_456


def ttn(**payload: Any) -> dict[str, Any]:
    """An uplink as The Things Stack posts it, cut to what matters and some of what does not."""
    return {
        "end_device_ids": {
            "device_id": "cellar-1",
            "application_ids": {"application_id": "house"},
            "dev_eui": "0004A30B001B0530",
        },
        "correlation_ids": ["as:up:01"],
        "received_at": AT,
        "uplink_message": {
            "f_port": 2,
            "frm_payload": "AQ==",
            "decoded_payload": payload,
            "rx_metadata": [{"gateway_ids": {"gateway_id": "g"}, "rssi": -42}],
            "received_at": "2026-03-01T11:59:59.9Z",
        },
    }


def chirpstack(**decoded: Any) -> dict[str, Any]:
    """An event of ChirpStack 4."""
    return {
        "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
        "time": AT.replace("Z", "+00:00"),
        "deviceInfo": {"applicationName": "house", "deviceName": "cellar", "devEui": "0101010101ABCDEF"},
        "fPort": 1,
        "data": "qg==",
        "object": decoded,
        "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -48}],
    }


async def post(client: httpx.AsyncClient, path: str, message: Any) -> httpx.Response:
    """A message."""
    return await client.post(path, json=message)


@scenario
async def test_a_temperature_is_stored_and_once_only(kinesis: FakeKinesis) -> None:
    """Device and time are the message's own, so that a server that sends it again does no harm."""
    async with asking(kinesis) as client:
        for _ in range(2):
            for path, message in ((TTN, ttn(temperature=21.5, humidity=40)), (CHIRPSTACK, chirpstack(temperature=21.5))):
                answer = await post(client, path, message)
                assert (answer.status_code, answer.json()) == (200, {"stored": 1, "ignored": None})
                assert answer.headers["x-event-id"]
        assert client.outcomes.readings == {("ttn", "stored"): 2, ("chirpstack", "stored"): 2}
    assert set(stored(kinesis)) == {
        Reading(AT_US, "cellar-1", 21_500_000),
        Reading(AT_US, "0101010101abcdef", 21_500_000),
    }


@scenario
async def test_zero_degrees_are_a_temperature(kinesis: FakeKinesis) -> None:
    """And minus zero too."""
    async with asking(kinesis) as client:
        for path, message in ((TTN, ttn(temperature=0)), (CHIRPSTACK, chirpstack(temperature=-0.0))):
            assert (await post(client, path, message)).json()["stored"] == 1
    assert [reading.temperature_micro for reading in stored(kinesis)] == [0, 0]


@scenario
async def test_what_holds_no_temperature_is_200_and_says_why(kinesis: FakeKinesis) -> None:
    """A server that got an error would alarm somebody for a join."""
    join = {"end_device_ids": {"device_id": "cellar-1"}, "received_at": AT, "join_accept": {"session_key_id": "x"}}
    undecoded = {name: value for name, value in chirpstack().items() if name != "object"}
    async with asking(kinesis) as client:
        for path, message in (
            (TTN, ttn()),
            (TTN, ttn(temperature=None)),
            (TTN, join),
            (CHIRPSTACK, chirpstack(humidity=4)),
            (CHIRPSTACK, undecoded),
            ("/api/webhooks/chirpstack?event=join", {"time": AT}),
            ("/api/webhooks/chirpstack?event=ack", chirpstack(temperature=1)),
        ):
            answer = await post(client, path, message)
            assert (answer.status_code, answer.json()["stored"]) == (200, 0), message
            assert answer.json()["ignored"].startswith(("No temperature: ", "Not an uplink"))
    assert not stored(kinesis)


@scenario
async def test_without_a_device_or_a_time_it_is_400(kinesis: FakeKinesis) -> None:
    """Everything that is wrong is named where it stands; so is a temperature that is none."""
    blank = "This field cannot be blank."
    async with asking(kinesis) as client:
        message = ttn(temperature="warm") | {"received_at": None, "end_device_ids": {}}
        answer = await post(client, TTN, message)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-reading")
        assert answer.json()["errors"] == [
            {"pointer": "/end_device_ids/device_id", "detail": blank},
            {
                "pointer": "/uplink_message/decoded_payload/temperature",
                "detail": "Expected a number in degrees Celsius. e.g. 18.7",
            },
            {"pointer": "/received_at", "detail": blank},
        ]
        for path in (TTN, CHIRPSTACK):
            for body in (b"", b"[]", b"{}", b"null", b"\xff", b'{"time": 1, "time": 2}'):
                answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
                assert answer.status_code == 400, body
        assert client.outcomes.readings == {("ttn", "refused"): 7, ("chirpstack", "refused"): 6}


@scenario
async def test_what_is_not_stored_is_503(kinesis: FakeKinesis) -> None:
    """Servers that repeat do so."""
    async with asking(kinesis, deadline_s=0.2) as client:
        kinesis.faults.extend([refused_with("AccessDeniedException")] * 200)
        answer = await post(client, TTN, ttn(temperature=1))
        kinesis.faults.clear()
        assert (answer.status_code, answer.json()["code"]) == (503, "log-refuses")


@scenario
async def test_other_bodies_are_415_and_larger_ones_413(kinesis: FakeKinesis) -> None:
    """As at every door."""
    async with asking(kinesis) as client:
        assert (await client.post(TTN, content=b"x", headers={"Content-Type": "text/plain"})).status_code == 415
        large = json.dumps(ttn(temperature=1) | {"x": "x" * 300_000}).encode()
        assert (await client.post(TTN, content=large)).status_code == 413
