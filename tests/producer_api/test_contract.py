"""The HTTP contract, row by row, against a running API on a real stream; no consumer runs."""

import gzip
import json
import re
import socket
import time
import urllib.parse
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.dynamodb import AwsStores
from projections.effects import run
from projections.projector import ShardProjector
from telemetry.events import event_id
from telemetry.reading import Reading
from telemetry.shards import list_shards
from tests.producer_api.forwarder import forwarding
from tests.producer_api.stream import readings_at, records_by_shard
from tests.support.processes import running_api
from tests.support.stack import Stack, at, new_stack
from tests.support.waiting import eventually

BLANK = "This field cannot be blank."
NUMBER = "Expected a number in degrees Celsius. e.g. 18.7"
TIMESTAMP = "Expected ISO 8601 Date/Time format. e.g. 2021-11-26T18:10:00"
AT_US = 1_637_950_200_000_000  # 2021-11-26T18:10:00Z
VALID: dict[str, Any] = {"sensorId": "202", "temperature": 18, "timestamp": "2021-11-26T18:10:00"}
JSON_HEADERS = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def client(api: str) -> Iterator[httpx.Client]:
    """Connections to the module's API."""
    with httpx.Client(base_url=api, timeout=15) as client:
        yield client


class Sensor:
    """Sends readings, and knows what came of them."""

    def __init__(self, client: httpx.Client, stack: Stack) -> None:
        self._client = client
        self._stack = stack

    def put(self, body: bytes | str | None = None, headers: dict[str, str] | None = None, **changed: Any) -> httpx.Response:
        """PUT a valid reading with some fields changed, or a body as it is."""
        content = json.dumps(VALID | changed) if body is None else body
        return self._client.put("/api/temperature", content=content, headers=JSON_HEADERS if headers is None else headers)

    def stored(self, *args: Any, **changed: Any) -> Reading:
        """The reading that the log holds after this PUT, which must be acknowledged."""
        answer = self.put(*args, **changed)
        assert answer.status_code == 200, answer.text
        by_id = {event_id(reading): reading for reading in readings_at(self._stack, answer.headers["X-Stream-Position"])}
        return by_id[answer.headers["X-Event-Id"]]

    def refused(self, *args: Any, **changed: Any) -> Any:
        """What the 400 says under `message` after this PUT."""
        return problem(self.put(*args, **changed), 400)["message"]


@pytest.fixture
def sensor(client: httpx.Client, stack: Stack) -> Sensor:
    """A sensor of the module's API."""
    return Sensor(client, stack)


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The members of an RFC 9457 problem with this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    members: dict[str, Any] = answer.json()
    assert members["type"] == f"/docs/errors/{members['code']}"
    assert members["status"] == status
    assert members["title"]
    assert members["detail"]
    assert members["message"]
    assert "Traceback" not in answer.text
    return members


def raw(url: str, *parts: bytes) -> bytes:
    """All that comes back on a connection on which just these bytes are sent."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    with socket.create_connection((host, port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_c01_a_valid_reading_is_recorded_with_a_receipt(sensor: Sensor, stack: Stack) -> None:
    """The original's body to the letter; the headers name the event, and the record that holds it."""
    answer = sensor.put('{"sensorId":"202","temperature":18,"timestamp":"2021-11-26T18:10:00"}')
    reading = Reading(AT_US, "202", 18_000_000)
    assert answer.status_code == 200
    assert answer.text.rstrip("\n") == '{"message": "Temperature reading recorded successfully"}'
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["X-Event-Id"] == event_id(reading)
    assert re.fullmatch(r"shardId-\d{12}:\d+", answer.headers["X-Stream-Position"])
    assert reading in readings_at(stack, answer.headers["X-Stream-Position"])


@pytest.mark.parametrize("value", [None, "", "   ", "\t"])
def test_c02_a_blank_sensor_id_is_refused_in_the_originals_words(sensor: Sensor, value: str | None) -> None:
    """Null, empty, or blank after trimming."""
    assert sensor.refused(sensorId=value) == {"sensorId": BLANK}


def test_c02_all_bad_fields_are_told_at_once(sensor: Sensor) -> None:
    """Under `message` as the original, under `errors` as RFC 9457 suggests."""
    members = problem(sensor.put("{}"), 400)
    assert members["message"] == dict.fromkeys(["sensorId", "temperature", "timestamp"], BLANK)
    assert members["errors"] == [
        {"pointer": pointer, "detail": BLANK} for pointer in ("/sensorId", "/temperature", "/timestamp")
    ]
    assert sensor.refused(sensorId=202, temperature="warm", timestamp="nope") == {
        "sensorId": 'Expected a string. e.g. "202"',
        "temperature": NUMBER,
        "timestamp": TIMESTAMP,
    }


def test_c03_a_missing_temperature_and_one_that_is_no_number_are_refused(sensor: Sensor) -> None:
    """In the original's words, and in words that say what is expected."""
    assert sensor.refused('{"sensorId":"202","timestamp":"2021-11-26T18:10:00"}') == {"temperature": BLANK}
    values: list[Any] = ["warm", "", "18 °C", [], {}]
    assert [sensor.refused(temperature=value) for value in values] == [{"temperature": NUMBER}] * 5


@pytest.mark.parametrize("value", ["nope", "2021-11-26", "", 1637950200, "26.11.2021 18:10"])
def test_c04_a_timestamp_that_is_not_iso_8601_is_refused(sensor: Sensor, value: Any) -> None:
    """In the original's words."""
    assert sensor.refused(timestamp=value) == {"timestamp": TIMESTAMP}


def test_c05_a_timestamp_without_an_offset_is_utc(sensor: Sensor) -> None:
    """As documented."""
    assert sensor.stored(timestamp="2021-11-26T18:10:00").measured_at_us == AT_US


@pytest.mark.parametrize(("temperature", "micro"), [("18.7", 18_700_000), ("-0.1", -100_000), ("0.000001", 1)])
def test_c06_fractions_are_kept_exactly(sensor: Sensor, temperature: str, micro: int) -> None:
    """The original cut 18.7 to 18."""
    body = f'{{"sensorId":"202","temperature":{temperature},"timestamp":"2021-11-26T18:10:00"}}'
    assert sensor.stored(body).temperature_micro == micro


def test_c07_a_numeric_string_is_its_number(sensor: Sensor) -> None:
    """With spaces around it, as the original took it."""
    assert sensor.stored(temperature=" 18 ").temperature_micro == 18_000_000


def test_c08_true_is_no_temperature(sensor: Sensor) -> None:
    """The original counted it as 1."""
    assert sensor.refused(temperature=True) == {"temperature": NUMBER}


def test_c09_null_is_no_temperature(sensor: Sensor) -> None:
    """The original answered 200 and broke a row."""
    assert sensor.refused(temperature=None) == {"temperature": BLANK}


def test_c10_a_sensor_id_that_is_a_number_is_refused(sensor: Sensor) -> None:
    """The original answered 500."""
    assert sensor.refused(sensorId=202) == {"sensorId": 'Expected a string. e.g. "202"'}


def test_c11_forms_and_query_strings_are_not_read(client: httpx.Client) -> None:
    """A documented difference: both are 415."""
    problem(client.put("/api/temperature", data=VALID), 415)
    problem(client.put("/api/temperature", params=VALID, files={"file": b"x"}), 415)
    problem(client.put("/api/temperature", params=VALID), 415)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"sensorId": "202",}',
        b"null",
        b"[]",
        b'"text"',
        b"\xef\xbb\xbf{}",
        b'{"sensorId": "\xff"}',
        b'{"sensorId": "1", "sensorId": "2", "temperature": 18, "timestamp": "2021-11-26T18:10:00"}',
        b'{"sensorId": "1", "temperature": NaN, "timestamp": "2021-11-26T18:10:00"}',
        b'{"sensorId": "1", "temperature": -Infinity, "timestamp": "2021-11-26T18:10:00"}',
        b'{"sensorId": "1", "temperature": ' + b"9" * 10_000 + b', "timestamp": "2021-11-26T18:10:00"}',
        b'{"sensorId": "1", "temperature": +18, "timestamp": "2021-11-26T18:10:00"}',
        '{"sensorId": "1"}'.encode("utf-16"),
        b"\xef\xbb\xbf\xef\xbb\xbf" + json.dumps(VALID).encode(),
        b'{"sensorId": "1", "temperature": 1e999999999, "timestamp": "2021-11-26T18:10:00"}',
        b'{"sensorId": "1", "temperature": 1e99999999999999999999, "timestamp": "2021-11-26T18:10:00"}',
        b"[" * 16_000,
        b'{"a":' * 3_000,
    ],
    ids=lambda body: body[:80].decode("ascii", "replace") if len(body) < 200 else f"{body[:8]!r}x{len(body)}",
)
def test_c12_what_is_not_a_strict_json_object_is_refused(sensor: Sensor, body: bytes) -> None:
    """400 with a reason, at once, never a 500."""
    start_s = time.monotonic()
    assert sensor.refused(body)
    assert time.monotonic() - start_s < 1


def test_c12_the_reason_says_what_is_wrong(sensor: Sensor) -> None:
    """So that the sender can mend it."""
    assert sensor.refused(b"[]") == {"body": "Expected a JSON object with sensorId, temperature and timestamp."}
    assert sensor.refused(b'{"a": 1, "a": 2}') == {"body": "Expected a JSON object: the name 'a' appears twice."}


@pytest.mark.parametrize("number", ["nan", "NaN", "-nan", "-nan(ind)", "inf", "Infinity", "-Infinity", "+inf"])
def test_e12_what_printf_writes_for_no_number_names_the_temperature(sensor: Sensor, number: str) -> None:
    """It is no JSON, but the field can be told."""
    body = f'{{"sensorId": "1", "temperature": {number}, "timestamp": "2021-11-26T18:10:00"}}'
    assert sensor.refused(body) == {"temperature": NUMBER}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_e10_utf_16_is_refused_by_its_name(sensor: Sensor, encoding: str) -> None:
    """With a byte order mark or without."""
    assert "UTF-16" in sensor.refused(json.dumps(VALID).encode(encoding))["body"]


def test_e10_a_byte_order_mark_is_skipped(sensor: Sensor) -> None:
    """One, before the JSON, as tools on Windows write it."""
    assert sensor.stored(b"\xef\xbb\xbf" + json.dumps(VALID).encode()) == Reading(AT_US, "202", 18_000_000)


def gzipped(body: bytes) -> bytes:
    """In two members, which are one body."""
    return gzip.compress(body[:10]) + gzip.compress(body[10:])


def bare(body: bytes) -> bytes:
    """Deflated without zlib's head, as some clients take `deflate`."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzipped),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", bare),
        ("identity", bytes),
        ("gzip, identity", gzip.compress),
        ("", bytes),
    ],
)
def test_e09_a_packed_body_is_unpacked(sensor: Sensor, coding: str, pack: Callable[[bytes], bytes]) -> None:
    """C24: with or without a byte order mark in it."""
    headers = JSON_HEADERS | {"Content-Encoding": coding}
    for body in (json.dumps(VALID).encode(), b"\xef\xbb\xbf" + json.dumps(VALID).encode()):
        assert sensor.stored(pack(body), headers) == Reading(AT_US, "202", 18_000_000)


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "deflate, gzip", "aws-chunked", "utf-8"])
def test_e09_another_coding_is_415_and_told_which_are_taken(client: httpx.Client, coding: str) -> None:
    """RFC 9110, 15.5.16."""
    answer = client.put("/api/temperature", content=b"x", headers=JSON_HEADERS | {"Content-Encoding": coding})
    problem(answer, 415)
    assert answer.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("gzip", gzip.compress(json.dumps(VALID).encode() + b" " * 10_000_000), 413),
        ("gzip", gzip.compress(b" " * 17_000), 413),
        ("gzip", gzip.compress(b"") * 5000, 413),
        ("deflate", zlib.compress(b" " * 10_000_000), 413),
        ("gzip", gzip.compress(b"") * 500, 400),
        ("gzip", gzip.compress(json.dumps(VALID).encode())[:-9], 400),
        ("gzip", gzip.compress(json.dumps(VALID).encode()) + b"rubbish", 400),
        ("gzip", json.dumps(VALID).encode(), 400),
        ("deflate", json.dumps(VALID).encode(), 400),
        ("gzip", b"", 400),
    ],
    ids=[
        "bomb",
        "beyond",
        "members",
        "zlib bomb",
        "nothing in members",
        "cut",
        "rubbish after",
        "plain",
        "plain zlib",
        "empty",
    ],
)
def test_e09_what_cannot_be_unpacked_within_the_bound_is_refused(
    client: httpx.Client, coding: str, body: bytes, status: int
) -> None:
    """16 KiB unpacked, whatever it is packed."""
    answer = client.put("/api/temperature", content=body, headers=JSON_HEADERS | {"Content-Encoding": coding})
    problem(answer, status)


def test_e13_an_id_is_the_same_sensor_however_it_is_composed(sensor: Sensor) -> None:
    """Also the same event."""
    assert sensor.stored(sensorId="Ku\u0308che") == sensor.stored(sensorId="K\u00fcche")
    assert sensor.put(sensorId="Ku\u0308che").headers["X-Event-Id"] == sensor.put(sensorId="K\u00fcche").headers["X-Event-Id"]


@pytest.mark.parametrize(
    "query",
    [
        "sensorID=1",
        "foo=1",
        "sensorId=",
        "sensorId",
        "from=yesterday",
        "detail=True",
        "a=1&a=2",
        "%00=1",
        "_=1",
    ],
)
def test_e06_a_question_with_a_parameter_is_refused(client: httpx.Client, query: str) -> None:
    """Promise 6: never the whole fleet's numbers for a question about something else. The parameter is named."""
    answer = client.get(f"/api/stats?{query}")
    (error, *_) = problem(answer, 400)["errors"]
    assert error["parameter"] == urllib.parse.unquote(query.partition("=")[0])
    assert isinstance(answer.json()["message"], str)
    assert client.head(f"/api/stats?{query}").status_code == 400


def test_e06_a_question_mark_alone_asks_nothing_else(client: httpx.Client) -> None:
    """It is the same resource."""
    assert client.get("/api/stats?").status_code == 200


def test_e22_answers_keep_a_browser_from_taking_them_for_something_else(client: httpx.Client) -> None:
    """Good ones, problems, the page."""
    for path in ("/", "/api/stats", "/livez", "/nowhere", "/api/temperature"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "access-control-allow-origin" not in headers


def test_c13_unknown_fields_are_ignored(sensor: Sensor) -> None:
    """Whatever they hold."""
    assert sensor.stored(unit="C", nested={"a": [None, 1.5]}) == Reading(AT_US, "202", 18_000_000)


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE", "PATCH"])
def test_c14_other_methods_are_not_allowed_on_temperature(client: httpx.Client, method: str) -> None:
    """405 with the original's message and the methods that are."""
    answer = client.request(method, "/api/temperature")
    assert problem(answer, 405)["message"] == "The method is not allowed for the requested URL."
    assert set(answer.headers["allow"].split(", ")) == {"OPTIONS", "PUT"}


def test_c14_other_methods_are_not_allowed_on_stats(client: httpx.Client) -> None:
    """The same for the read side."""
    answer = client.put("/api/stats")
    problem(answer, 405)
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_c15_head_and_options_are_answered(client: httpx.Client) -> None:
    """HEAD as GET without its body; OPTIONS with what is allowed."""
    head, get = client.head("/api/stats"), client.get("/api/stats")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
    for path, methods in (("/api/stats", {"GET", "HEAD", "OPTIONS"}), ("/api/temperature", {"PUT", "OPTIONS"})):
        options = client.options(path)
        assert options.status_code == 200
        assert set(options.headers["allow"].split(", ")) == methods


def project(stack: Stack) -> None:
    """Fold the whole log into the tables, in this process."""
    stores = AwsStores(stack.dynamodb, stack.kinesis, stack.names, 10)
    shards = list_shards(stack.kinesis, stack.names.stream).shards
    for shard_id, records in records_by_shard(stack).items():
        projector = ShardProjector(shards[shard_id], time.time)
        run(projector.start(), stores)
        run(projector.project(records, caught_up=True), stores)
        run(projector.flush(), stores)
    stores.close()


def test_c16_stats_are_maximum_minimum_and_average(endpoint: str, java: str, log: Path) -> None:
    """In this order; 18.0 prints as 18; 9.125 is 9.12, half-even; the reading sent twice counts once."""
    with new_stack(endpoint, java) as stack, running_api(stack.environ, log) as url, httpx.Client(base_url=url) as client:
        sensor = Sensor(client, stack)
        sensor.stored(temperature=18.0)
        sensor.stored(temperature=" 18 ")
        sensor.stored(sensorId="203", temperature=0.25)
        project(stack)

        def counted() -> None:
            assert client.get("/api/stats").text.rstrip("\n") == '{"Maximum": 18, "Minimum": 0.25, "Average": 9.12}'

        eventually(counted)
        answer = client.get("/api/stats")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-cache"


def test_c17_without_readings_there_are_three_nulls(client: httpx.Client) -> None:
    """A documented difference: the original answered zeros that nobody had measured."""
    answer = client.get("/api/stats")
    assert answer.status_code == 200
    assert answer.text.rstrip("\n") == '{"Maximum": null, "Minimum": null, "Average": null}'


def test_c18_while_the_store_is_away_the_answer_is_503(stack: Stack, log: Path) -> None:
    """In time, with Retry-After, saying that a repeat is safe; and all is well when the store is back."""
    with forwarding(stack.settings.aws_endpoint_url or "") as forwarder:
        environ = stack.environ | {**at(forwarder.url), "PUT_DEADLINE_S": "1"}
        with running_api(environ, log) as url, httpx.Client(base_url=url, timeout=30) as client:
            forwarder.cut()
            got = client.get("/api/stats")
            start_s = time.monotonic()
            put = client.put("/api/temperature", json=VALID)
            took_s = time.monotonic() - start_s
            ready = client.get("/readyz")
            alive = client.get("/livez")
            forwarder.mend()

            def recovered() -> None:
                assert client.put("/api/temperature", json=VALID).status_code == 200
                assert client.get("/api/stats").status_code == 200
                assert client.get("/readyz").status_code == 200

            eventually(recovered)
    assert problem(got, 503)["detail"] == "The projection cannot be read at the moment. Try again."
    assert "Send it again" in problem(put, 503)["message"]
    assert int(got.headers["retry-after"]) >= 1
    assert int(put.headers["retry-after"]) >= 1
    assert 1 <= took_s < 2
    assert (ready.status_code, alive.status_code) == (503, 200)
    assert "ok" not in (ready.json()["checks"]["stream"], ready.json()["checks"]["stats"])


def test_c18_a_store_that_does_not_answer_is_one_that_is_away(stack: Stack, log: Path) -> None:
    """The deadline holds while the call hangs; nothing stays behind when it ends."""
    with forwarding(stack.settings.aws_endpoint_url or "") as forwarder:
        environ = stack.environ | {**at(forwarder.url), "PUT_DEADLINE_S": "1"}
        with running_api(environ, log) as url, httpx.Client(base_url=url, timeout=30) as client:
            assert client.put("/api/temperature", json=VALID).status_code == 200
            forwarder.flowing.clear()
            start_s = time.monotonic()
            put = client.put("/api/temperature", json=VALID)
            took_s = time.monotonic() - start_s
            forwarder.flowing.set()

            def recovered() -> None:
                assert client.put("/api/temperature", json=VALID).status_code == 200

            eventually(recovered)
    assert "Send it again" in problem(put, 503)["message"]
    assert 1 <= took_s < 2


def test_c19_a_body_over_16_kib_is_too_large(sensor: Sensor, api: str) -> None:
    """To the byte; also when it comes in chunks, of which the server takes no more than it must."""
    body = json.dumps(VALID)
    assert sensor.put(body + " " * (16 * 1024 - len(body))).status_code == 200
    assert (
        problem(sensor.put(body + " " * (16 * 1024 - len(body) + 1)), 413)["detail"] == "The body is larger than 16384 bytes."
    )
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    head = b"PUT /api/temperature HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw(api, head + chunk * 5 + b"0\r\n\r\n").startswith(b"HTTP/1.1 413 ")


def test_c20_a_timestamp_far_ahead_of_the_servers_clock_is_refused(sensor: Sensor) -> None:
    """More than 24 h; the answer says what the clock says."""
    now = datetime.now(UTC)
    sensor.stored(timestamp=(now + timedelta(hours=23, minutes=59)).isoformat())
    message = sensor.refused(timestamp=(now + timedelta(hours=24, minutes=1)).isoformat())["timestamp"]
    assert message.startswith("More than 24 h ahead of the server's clock, which says 2")


@pytest.mark.parametrize("value", ["a" * 257, "🌡" * 129, "2\x002", "2\n2", "2\x7f2", "2\x852", "2\ud8002"])
def test_c21_a_sensor_id_that_cannot_be_a_key_is_refused(sensor: Sensor, value: str) -> None:
    """Too long, control characters, lone surrogates."""
    assert list(sensor.refused(sensorId=value)) == ["sensorId"]


@pytest.mark.parametrize("value", ["a" * 256, "東" * 256, "🌡" * 128, " Dach 東 ", 'a"b\\c'])
def test_c21_any_other_text_is_a_sensor_id_once_trimmed(sensor: Sensor, value: str) -> None:
    """256 characters of any alphabet."""
    assert sensor.stored(sensorId=value).sensor_id == value.strip()


@pytest.mark.parametrize(
    "value", ["1_000", "１８", "1e999", "--1", "0x12", "40,78", "21.", "21.5 °C", "−21", "-273.16", "10000.01", -300, 10_000.5]
)
def test_c22_numbers_of_other_syntax_or_beyond_nature_are_refused(sensor: Sensor, value: Any) -> None:
    """Also as strings."""
    assert list(sensor.refused(temperature=value)) == ["temperature"]


@pytest.mark.parametrize(("value", "micro"), [("1.0000005", 1_000_000), ("1.0000015", 1_000_002), ("-0", 0), (-0.0, 0)])
def test_c22_more_than_six_decimals_are_rounded_half_even(sensor: Sensor, value: Any, micro: int) -> None:
    """And minus zero is zero."""
    assert sensor.stored(temperature=value).temperature_micro == micro


@pytest.mark.parametrize(
    ("value", "at_us"),
    [
        ("2021-11-26T18:10", AT_US),
        ("2021-11-26 18:10:00Z", AT_US),
        ("2021-11-26T20:10:00+02:00", AT_US),
        ("2021-11-26T18:10:00.1234569", AT_US + 123_456),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_c23_these_timestamps_are_read(sensor: Sensor, value: str, at_us: int) -> None:
    """With or without seconds and offset, T or a space; fractions are cut to microseconds."""
    assert sensor.stored(timestamp=value).measured_at_us == at_us


@pytest.mark.parametrize(
    "value",
    [
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59-00:01",
        "2021-02-30T00:00:00",
        "2021-11-26T25:00:00",
    ],
)
def test_c23_impossible_times_are_refused(sensor: Sensor, value: str) -> None:
    """400, never a 500."""
    assert list(sensor.refused(timestamp=value)) == ["timestamp"]


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/senml+json", "application/vnd.x+JSON;v=1"]
)
def test_c24_json_by_any_of_its_names_is_read(sensor: Sensor, kind: str) -> None:
    """Parameters and case do not matter."""
    assert sensor.put(headers={"Content-Type": kind}).status_code == 200


def test_c24_a_body_that_does_not_say_what_it_is_is_read(api: str) -> None:
    """Old sensors send no Content-Type."""
    body = json.dumps(VALID).encode()
    head = f"PUT /api/temperature HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    assert raw(api, head.encode() + body).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "text/json", "application/jsonx", "json", "é"]
)
def test_c24_other_content_types_are_refused(client: httpx.Client, kind: str) -> None:
    """Whatever the body is."""
    headers = {b"Content-Type": kind.encode("latin-1")}
    problem(client.put("/api/temperature", content=json.dumps(VALID), headers=headers), 415)


def test_the_same_reading_sent_again_is_the_same_event(sensor: Sensor) -> None:
    """18, 18.0 and "18" are one temperature, equal instants one time; another temperature is another reading."""
    same = [
        sensor.put(),
        sensor.put(temperature=18.0),
        sensor.put(temperature="18"),
        sensor.put(timestamp="2021-11-26T19:10:00+01:00", sensorId=" 202 "),
    ]
    assert [answer.status_code for answer in same] == [200] * 4
    assert len({answer.headers["X-Event-Id"] for answer in same}) == 1
    assert len({answer.headers["X-Stream-Position"] for answer in same}) == 4
    assert sensor.put(temperature=18.1).headers["X-Event-Id"] != same[0].headers["X-Event-Id"]


@pytest.mark.parametrize("path", ["/nowhere", "/api", "/api/temperature/202", "/%ff%00", "/<script>"])
def test_a_path_with_nothing_behind_it_is_a_problem_404(client: httpx.Client, path: str) -> None:
    """For every method."""
    for method in ("GET", "PUT", "OPTIONS"):
        assert problem(client.request(method, path), 404)["title"] == "Not Found"


@pytest.mark.parametrize("given_id", ["a", "7f3c-11:22_x.y", "A" * 128])
def test_a_sane_request_id_is_taken_over(client: httpx.Client, given_id: str) -> None:
    """On good answers and on bad ones."""
    for path in ("/livez", "/nowhere"):
        assert client.get(path, headers={"X-Request-Id": given_id}).headers["X-Request-Id"] == given_id


@pytest.mark.parametrize("given_id", ["", "a b", "A" * 129, "<script>", "a,b", "é", '"'])
def test_a_request_id_that_is_not_sane_is_replaced(client: httpx.Client, given_id: str) -> None:
    """By one nobody else has."""
    headers = {b"X-Request-Id": given_id.encode("latin-1")}
    ids = {client.get("/livez", headers=headers).headers["X-Request-Id"] for _ in range(2)}
    assert len(ids) == 2
    assert all(re.fullmatch(r"[0-9a-f]{32}", made) for made in ids)


def test_a_sensor_that_hangs_up_in_the_middle_is_no_internal_error(stack: Stack, log: Path) -> None:
    """Nobody is there to be answered, and nobody need be woken."""
    with running_api(stack.environ, log) as url:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        with socket.create_connection((host, port), timeout=10) as connection:
            connection.sendall(b"PUT /api/temperature HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            httpx.get(f"{url}/livez").raise_for_status()
        for _ in range(3):
            httpx.get(f"{url}/livez").raise_for_status()
    assert "error" not in [json.loads(line)["level"] for line in log.read_text().splitlines()]


NEAR_READINGS = st.dictionaries(
    st.sampled_from(["sensorId", "temperature", "timestamp", "extra"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(list(VALID.values())),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    ),
).map(lambda value: json.dumps(value).encode())


@settings(max_examples=300)
@given(body=st.binary() | NEAR_READINGS)
def test_no_body_is_ever_a_server_error(client: httpx.Client, body: bytes) -> None:
    """It is recorded, or refused with a problem."""
    answer = client.put("/api/temperature", content=body, headers=JSON_HEADERS)
    if answer.status_code != 200:
        problem(answer, 400)


HEADER_VALUES = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E) | st.characters(min_codepoint=0xA0, max_codepoint=0xFF)
)


@settings(max_examples=100)
@given(
    path=st.binary(max_size=30),
    name=st.sampled_from(["Accept", "Host", "X-Request-Id", "Content-Type", "Cookie"]),
    value=HEADER_VALUES,
)
def test_no_path_and_no_header_is_ever_a_server_error(client: httpx.Client, path: bytes, name: str, value: str) -> None:
    """It is answered, or refused with a problem."""
    quoted = "".join(f"%{byte:02x}" for byte in path)
    for method, target in (("GET", f"/{quoted}"), ("GET", f"/api/stats?{quoted}={quoted}"), ("PUT", "/api/temperature")):
        answer = client.request(method, target, headers={name.encode(): value.strip().encode("latin-1")})
        if answer.status_code not in (200, 307):
            assert problem(answer, answer.status_code)["status"] < 500
