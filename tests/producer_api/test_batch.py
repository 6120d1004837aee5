"""POST /api/temperature/batch against a running API on a real stream: each status, each form, each limit (docs/batch.md)."""

import gzip
import json
import random
import re
import shlex
import subprocess
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from telemetry.events import decode_event, encode_event, event_id
from telemetry.reading import Reading
from telemetry.records import Line, split_record
from tests.faults.faults import drop_after, refuse_with
from tests.faults.proxy import FaultProxy, Rule, fault_proxy
from tests.producer_api.raw import Connection
from tests.producer_api.stream import readings_at, records_by_shard
from tests.support.logs import log_lines
from tests.support.processes import running_api
from tests.support.stack import Stack, at
from tests.support.waiting import eventually
from tests.tidy.tree import ROOT

PATH = "/api/temperature/batch"
JSON, NDJSON, EVENTS = "application/json", "application/x-ndjson", "application/cloudevents-batch+json"
KINDS = [JSON, NDJSON, EVENTS]
BLANK = "This field cannot be blank."
NUMBER = "Expected a number in degrees Celsius. e.g. 18.7"
START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def client(api: str) -> Iterator[httpx.Client]:
    """Connections to the module's API."""
    with httpx.Client(base_url=api, timeout=15) as client:
        yield client


def reading(sensor_id: str = "202", temperature: Any = 18.7, second: int = 0, **more: Any) -> dict[str, Any]:
    """As a sensor writes it."""
    at = (START + timedelta(seconds=second)).isoformat()
    return {"sensorId": sensor_id, "temperature": temperature, "timestamp": at, **more}


def written(kind: str, items: Sequence[Any]) -> bytes:
    """A batch of readings in a form."""
    if kind == NDJSON:
        return b"".join(json.dumps(item).encode() + b"\n" for item in items)
    if kind == EVENTS:
        items = [json.loads(encode_event(parsed(item), 0)) for item in items]
    return json.dumps(items).encode()


def parsed(item: dict[str, Any]) -> Reading:
    """The reading that a well-written item is."""
    at = datetime.fromisoformat(item["timestamp"])
    return Reading(int(at.timestamp()) * 10**6, item["sensorId"], round(item["temperature"] * 10**6))


def post(client: httpx.Client, body: Any, kind: str = JSON, **headers: str) -> httpx.Response:
    """A batch: items, or a body as it is."""
    content = body if isinstance(body, bytes) else written(kind, body)
    return client.post(PATH, content=content, headers={"Content-Type": kind, **headers})


def told(answer: httpx.Response, status: int) -> Any:
    """The members of a batch's answer, whose parts agree."""
    assert answer.status_code == status, answer.text[:1000]
    assert answer.headers["content-type"] == "application/json"
    members = answer.json()
    counts = Counter(result["status"] for result in members["results"])
    assert counts == +Counter({name: members[name] for name in ("stored", "refused", "unknown", "ignored")})
    assert [result["index"] for result in members["results"]] == list(range(len(members["results"])))
    return members


def problem(answer: httpx.Response, status: int) -> Any:
    """The members of a problem."""
    assert answer.status_code == status, answer.text[:1000]
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


def in_the_log(stack: Stack, prefix: str) -> dict[str, list[list[Reading]]]:
    """Readings of the sensors whose id begins so, in the order of the log, by sensor and shard."""
    found: dict[str, list[list[Reading]]] = {}
    for records in records_by_shard(stack).values():
        here: dict[str, list[Reading]] = {}
        for record in records:
            for line in split_record(record.data):
                assert isinstance(line, Line)
                one = decode_event(line.data)
                if one.sensor_id.startswith(prefix):
                    here.setdefault(one.sensor_id, []).append(one)
        for sensor_id, readings in here.items():
            found.setdefault(sensor_id, []).append(readings)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_all_are_stored_and_each_gets_its_receipt(client: httpx.Client, stack: Stack, kind: str) -> None:
    """200; each position names the record that holds the reading, `after` the last one in each shard."""
    items = [reading(f"all-{kind}-{number % 7}", number / 10, number) for number in range(50)]
    members = told(post(client, items, kind), 200)
    assert (members["stored"], members["refused"], members["unknown"]) == (50, 0, 0)
    last: dict[str, int] = {}
    for item, result in zip(items, members["results"], strict=True):
        assert result["eventId"] == event_id(parsed(item))
        shard_id, _, number = result["position"].partition(":")
        last[shard_id] = max(last.get(shard_id, 0), int(number))
    assert members["after"] == [f"{shard_id}:{number}" for shard_id, number in sorted(last.items())]
    by_position = {position: readings_at(stack, position) for position in {one["position"] for one in members["results"]}}
    for item, result in zip(items, members["results"], strict=True):
        assert parsed(item) in by_position[result["position"]]


def test_each_is_stored_or_finally_refused(client: httpx.Client) -> None:
    """207; a refused one says what is wrong as PUT does, with pointers into the batch."""
    items = [reading("mixed"), {}, reading("mixed", "warm", 1, timestamp="nope"), 7, reading("mixed", 19, 3)]
    members = told(post(client, items), 207)
    assert [result["status"] for result in members["results"]] == ["stored", "refused", "refused", "refused", "stored"]
    assert members["results"][1]["message"] == dict.fromkeys(["sensorId", "temperature", "timestamp"], BLANK)
    assert members["results"][2]["errors"][0] == {"pointer": "/2/temperature", "detail": NUMBER}
    assert members["results"][2]["errors"][1]["pointer"] == "/2/timestamp"
    assert members["results"][3]["errors"] == [
        {"pointer": "/3", "detail": "Expected a JSON object with sensorId, temperature and timestamp."}
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_when_all_are_refused_it_is_207_as_well(client: httpx.Client, kind: str) -> None:
    """Senders repeat a 400 for ever; nothing of this would ever be taken."""
    members = told(post(client, b"[1]\n" if kind == NDJSON else b"[[], null, {}]", kind), 207)
    assert (members["stored"], members["after"]) == (0, [])


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (b'{"sensorId": "1", "sensorId": "2"}', {"body": "Expected a JSON object: the name 'sensorId' appears twice."}),
        (b'{"sensorId": "1", "x": {"a": 1, "a": 2}}', {"body": "Expected a JSON object: the name 'a' appears twice."}),
        (b'{"sensorId": "1", "temperature": NaN}', {"temperature": NUMBER}),
        (b'{"sensorId": "1", "x": -Infinity}', {"body": "Expected a JSON object: -Infinity is not a JSON number."}),
        (b'{"x": ' + b"9" * 5000 + b"}", {"body": "Expected a JSON object: a number is beyond the limit of 4300 digits."}),
        (b'{"x": 1e99999999999999999999}', {"body": "Expected a JSON object: a number has an exponent beyond all use."}),
        (b'{"x": ' + b"[" * 600 + b"]" * 600 + b"}", {"body": "Expected a JSON object: nested too deeply."}),
    ],
    ids=lambda value: value[:40].decode() if isinstance(value, bytes) else "",
)
@pytest.mark.parametrize("kind", [JSON, NDJSON])
def test_what_is_json_but_not_strictly_spoils_its_own_item_only(
    client: httpx.Client, kind: str, item: bytes, message: dict[str, str]
) -> None:
    """One sensor's NaN is no reason to lose the others' readings."""
    good = [json.dumps(reading("strict", number)).encode() for number in (1, 2)]
    body = b"\n".join([good[0], item, good[1]]) if kind == NDJSON else b"[" + b", ".join([good[0], item, good[1]]) + b"]"
    members = told(post(client, body, kind), 207)
    assert [result["status"] for result in members["results"]] == ["stored", "refused", "stored"]
    assert members["results"][1]["message"] == message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"{}",
        b"null",
        b'"text"',
        json.dumps(reading()).encode(),
        json.dumps([reading()]).encode()[:-1],
        b"[" + json.dumps(reading()).encode() + b",]",
        json.dumps([reading()]).encode() + b" x",
        b"[" + json.dumps(reading()).encode() * 2 + b"]",
        b'[{"temperature": +18}]',
        b'[{"a": 1, "a": 2}, {]',
        b'["\xff"]',
        json.dumps([reading()]).encode("utf-16"),
        b"[" * 100_000,
        b'[{"a":' * 100_000,
    ],
    ids=[
        *("empty", "open", "object", "null", "text", "a reading alone", "unclosed", "comma at the end", "more behind it"),
        *("no comma", "a plus", "and a bad one behind", "latin-1", "utf-16", "deep arrays", "deep objects"),
    ],
)
@pytest.mark.parametrize("kind", [JSON, EVENTS])
def test_what_is_no_array_is_refused_as_a_whole(client: httpx.Client, kind: str, body: bytes) -> None:
    """400 with the reason in words, quickly; there is nothing to say of single readings."""
    start_s = time.monotonic()
    members = problem(post(client, body, kind), 400)
    assert members["code"] == "invalid-batch"
    assert members["detail"].startswith("This is no batch, and nothing was stored: expected a JSON array: ")
    assert members["message"] == members["detail"]
    assert time.monotonic() - start_s < 2


def test_of_a_batch_that_breaks_off_nothing_is_stored(client: httpx.Client, stack: Stack) -> None:
    """Not even what stands before."""
    problem(post(client, written(JSON, [reading("broken-off", number) for number in range(500)])[:-1]), 400)
    assert not in_the_log(stack, "broken-off")


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/ndjson", "application/jsonl; charset=utf-8"])
def test_a_bad_line_spoils_itself_only(client: httpx.Client, kind: str) -> None:
    """Blank lines are passed over and not counted; CRLF, a byte order mark, no newline at the end are all right."""
    good = [json.dumps(reading("lines", number)).encode() for number in range(3)]
    lines = [b"\xef\xbb\xbf" + good[0], b"", b"  \r", b'{"sensorId": "1"', good[1] + b"\r", b"\xff", b"\t" + good[2]]
    members = told(post(client, b"\n".join(lines), kind), 207)
    assert [result["status"] for result in members["results"]] == ["stored", "refused", "stored", "refused", "stored"]
    assert "Expecting ',' delimiter" in members["results"][1]["message"]["body"]
    assert members["results"][3]["message"] == {"body": "Expected a JSON object: not UTF-8 at byte 0."}


def test_events_are_read_as_readings_whatever_id_and_source_they_bring(client: httpx.Client) -> None:
    """The reading is its own identity; what is wrong is named as the event names it."""
    good = json.loads(encode_event(Reading(0, "event", 18_000_000), 0))
    mine = good | {"id": "mine", "source": "urn:x", "receivedtime": "nope", "datacontenttype": "application/json", "x": 1}
    bad: list[dict[str, Any]] = [
        good | {"specversion": "0.3"},
        good | {"type": "com.example.other"},
        {name: value for name, value in good.items() if name != "type"},
        good | {"subject": " ", "time": "nope", "data": {}},
        good | {"data": "18"},
        good | {"data": {"temperature": -300}},
    ]
    members = told(post(client, json.dumps([good, mine, *bad]).encode(), EVENTS), 207)
    assert [result["eventId"] for result in members["results"][:2]] == [event_id(Reading(0, "event", 18_000_000))] * 2
    temperature = ["data.temperature"]
    assert [list(result["message"]) for result in members["results"][2:]] == [
        *(["specversion"], ["type"], ["type"], ["subject", *temperature, "time"], temperature, temperature)
    ]
    assert members["results"][3]["message"]["type"] == "unknown event type 'com.example.other'"
    assert members["results"][5]["errors"][1]["pointer"] == "/5/data/temperature"


@pytest.mark.parametrize("kind", ["text/plain", "application/senml+json", "application/cloudevents+json", "text/csv", "é"])
def test_other_content_types_are_refused_and_those_that_are_read_are_named(client: httpx.Client, kind: str) -> None:
    """In the text and in Accept-Post."""
    answer = client.post(PATH, content=b"[]", headers={b"Content-Type": kind.encode("latin-1")})
    problem(answer, 415)
    assert answer.headers["accept-post"].split(", ")[:2] == [JSON, NDJSON]


def test_a_body_that_does_not_say_what_it_is_is_json(api: str) -> None:
    """As with PUT."""
    body = json.dumps([reading()]).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with Connection(api) as connection:
        assert connection.send(head.encode() + body).answer().status == 200


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
@pytest.mark.parametrize("kind", KINDS)
def test_packed_batches_are_unpacked(client: httpx.Client, kind: str, coding: str, pack: Any) -> None:
    """In every form."""
    body = pack(written(kind, [reading("packed", number) for number in range(100)]))
    assert told(post(client, body, kind, **{"Content-Encoding": coding}), 200)["stored"] == 100


def test_what_is_not_packed_as_it_says_is_refused(client: httpx.Client) -> None:
    """400: it is no batch."""
    members = problem(post(client, b"[]", **{"Content-Encoding": "gzip"}), 400)
    assert members["code"] == "invalid-batch"
    assert "Expected a body in gzip" in members["detail"]


@pytest.mark.parametrize("kind", [JSON, NDJSON])
def test_5000_readings_are_a_batch_and_one_more_is_too_many(client: httpx.Client, kind: str) -> None:
    """413 says so."""
    items = [reading(f"many-{number % 100}", number / 100, number) for number in range(5001)]
    assert told(post(client, items[:5000], kind), 200)["stored"] == 5000
    detail = problem(post(client, items, kind), 413)["detail"]
    assert detail == "The batch holds more than 5000 readings. Nothing was stored; send fewer at once."


def test_two_mebibytes_are_a_batch_and_one_byte_more_is_too_much(client: httpx.Client) -> None:
    """Plain or unpacked, 413 says so."""
    body = written(JSON, [reading("large")])
    full = body + b" " * (2 * 1024 * 1024 - len(body))
    detail = "The body is larger than 2097152 bytes."
    assert told(post(client, full), 200)["stored"] == 1
    assert problem(post(client, full + b" "), 413)["detail"] == detail
    assert told(post(client, gzip.compress(full), **{"Content-Encoding": "gzip"}), 200)["stored"] == 1
    assert problem(post(client, gzip.compress(full + b" "), **{"Content-Encoding": "gzip"}), 413)["detail"] == detail
    assert told(post(client, b"\n" * (2 * 1024 * 1024), NDJSON), 200)["stored"] == 0


@pytest.mark.parametrize(("kind", "body"), [(JSON, b" [ ] "), (NDJSON, b""), (NDJSON, b"\n \r\n"), (EVENTS, b"[]")])
def test_an_empty_batch_is_stored_at_once(client: httpx.Client, kind: str, body: bytes) -> None:
    """There is nothing wrong with it."""
    assert told(post(client, body, kind), 200) == {
        "stored": 0,
        "refused": 0,
        "unknown": 0,
        "ignored": 0,
        "after": [],
        "results": [],
    }


def test_equal_readings_are_one_event(client: httpx.Client, stack: Stack) -> None:
    """Each gets the answer; the log has it once."""
    equal: list[dict[str, Any]] = [reading("equal", 18), reading("equal", 18.0), reading(" equal ", "18"), reading("equal", 19)]
    equal.append(equal[0] | {"timestamp": "2026-03-01T01:00:00+01:00"})
    results = told(post(client, equal), 200)["results"]
    assert len({(results[number]["eventId"], results[number]["position"]) for number in (0, 1, 2, 4)}) == 1
    assert results[3]["eventId"] != results[0]["eventId"]
    assert sorted(one.temperature_micro for one in in_the_log(stack, "equal")["equal"][0]) == [18_000_000, 19_000_000]


def test_a_batch_and_single_puts_make_the_same_events(client: httpx.Client, stack: Stack) -> None:
    """But for when they were received, byte by byte."""
    items = [reading("same", value, number, more=[1]) for number, value in enumerate([18, 0.1, -0.0, 1e2, "+7", 1.0000005])]
    puts = [client.put("/api/temperature", json=item) for item in items]
    members = told(post(client, items), 200)
    assert [result["eventId"] for result in members["results"]] == [put.headers["X-Event-Id"] for put in puts]
    lines: Counter[bytes] = Counter()
    for records in records_by_shard(stack).values():
        for record in records:
            found = (line.data for line in split_record(record.data) if b'"subject":"same"' in line.data)
            lines.update(re.sub(rb'"receivedtime":"[^"]+"', b"", line) for line in found)
    assert list(lines.values()) == [2] * len(items)


def test_a_sensors_readings_stand_in_the_log_in_their_order(client: httpx.Client, stack: Stack) -> None:
    """Of 5,000 of seven sensors, not in the order of time, and of one with more than a record holds."""
    chance = random.Random(1)  # noqa: S311  repeatable on purpose
    items = [reading(f"order-{chance.choice('aaaaabcdefg')}", number / 100, chance.randrange(10**6)) for number in range(5000)]
    told(post(client, items), 200)
    wanted: dict[str, list[Reading]] = {}
    for item in items:
        wanted.setdefault(item["sensorId"], []).append(parsed(item))
    assert in_the_log(stack, "order-") == {sensor_id: [readings] for sensor_id, readings in wanted.items()}


def test_other_methods_are_refused_with_allow(client: httpx.Client) -> None:
    """As everywhere."""
    for method in ("GET", "PUT", "DELETE"):
        answer = client.request(method, PATH)
        problem(answer, 405)
        assert answer.headers["allow"] == "OPTIONS, POST"
    assert client.options(PATH).status_code == 200


@pytest.fixture(scope="module")
def proxy(endpoint: str) -> Iterator[FaultProxy]:
    """A proxy before an API of its own."""
    with fault_proxy(endpoint) as made:
        yield made


@pytest.fixture(scope="module")
def log_of_proxied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its log."""
    return tmp_path_factory.mktemp("api") / "api.log"


@pytest.fixture(scope="module")
def proxied(stack: Stack, proxy: FaultProxy, log_of_proxied: Path) -> Iterator[httpx.Client]:
    """Connections to the API behind the proxy."""
    environ = {**stack.environ, **at(proxy.url)}
    with running_api(environ, log_of_proxied) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


def test_a_batch_of_unknown_fate_is_sent_again_whole_and_counts_once(
    proxied: httpx.Client, proxy: FaultProxy, stack: Stack
) -> None:
    """Stored without an answer: 503 within the deadline, with Retry-After and the same body; then all are stored."""
    items = [reading(f"unknown-{number % 300}", number / 100, number // 300) for number in range(4999)]
    proxy.rules = [Rule(drop_after, operation="PutRecords")]
    start_s = time.monotonic()
    answer = post(proxied, [*items, {}])
    took_s = time.monotonic() - start_s
    proxy.rules = ()
    members = told(answer, 503)
    assert int(answer.headers["retry-after"]) >= 1
    assert (members["stored"], members["refused"], members["unknown"], members["after"]) == (0, 1, 4999, [])
    assert took_s < 5
    assert "may be stored" in members["results"][0]["detail"]
    assert told(post(proxied, items), 200)["stored"] == 4999
    counted = {one for sensors in in_the_log(stack, "unknown-").values() for readings in sensors for one in readings}
    assert counted == set(map(parsed, items))


def test_a_log_that_refuses_is_said_at_once_to_have_stored_nothing(
    proxied: httpx.Client, proxy: FaultProxy, log_of_proxied: Path
) -> None:
    """503 with a longer Retry-After: it is the log's trouble, never the sender's mistake; one line of ours tells it."""
    proxy.rules = [Rule(refuse_with("AccessDeniedException"), operation="PutRecords")]
    start_s = time.monotonic()
    answer = post(proxied, [reading("no", number) for number in range(2000)])
    took_s = time.monotonic() - start_s
    proxy.rules = ()
    members = told(answer, 503)
    assert int(answer.headers["retry-after"]) >= 10
    assert {result["detail"] for result in members["results"]} == {
        "The log does not take readings at the moment: this one was not stored. Send it again later."
    }
    assert took_s < 3
    assert "batch_not_stored" in [line["event"] for line in log_lines(log_of_proxied)]


def test_a_gateway_that_hangs_up_disturbs_nobody(api: str, client: httpx.Client, stack: Stack) -> None:
    """In the middle of its batch, or before its answer."""
    body = written(JSON, [reading("gone", number) for number in range(5000)])
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for piece in (head + body[:1000], head + body):
        with Connection(api) as connection:
            connection.send(piece)

    def served() -> None:
        assert told(post(client, [reading("served")]), 200)["stored"] == 1

    eventually(served)


def test_single_readings_are_served_while_batches_are_in_hand(api: str, client: httpx.Client) -> None:
    """Ten batches of 5,000 at once are all stored, and a PUT does not wait for their end."""
    bodies = [written(JSON, [reading(f"busy-{one}-{n % 50}", n / 100, n) for n in range(5000)]) for one in range(10)]
    connections = [Connection(api) for _ in bodies]
    for connection, body in zip(connections, bodies, strict=True):
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.send(head.encode() + body)
    start_s = time.monotonic()
    assert client.put("/api/temperature", json=reading("single")).status_code == 200
    single_s = time.monotonic() - start_s
    statuses = [connection.answer().status for connection in connections]
    all_s = time.monotonic() - start_s
    for connection in connections:
        connection.close()
    assert set(statuses) <= {200, 503}
    assert single_s < all_s / 2


ITEMS = st.one_of(
    st.builds(reading, st.sampled_from(["a", "b", " ", "東"]), st.integers() | st.floats() | st.text(max_size=3)),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=4,
    ),
)
BODIES = st.one_of(
    st.binary(),
    st.lists(ITEMS, max_size=5).map(lambda items: json.dumps(items).encode()),
    st.lists(ITEMS, max_size=5).map(lambda items: b"\n".join(json.dumps(item).encode() for item in items)),
)


@settings(max_examples=300)
@given(
    body=BODIES,
    kind=st.sampled_from([*KINDS, "", "application/jsonl", "text/plain"]),
    coding=st.sampled_from(["", "", "", "gzip", "br"]),
    packed=st.booleans(),
)
@example(body=b"[" + b"1," * 5000 + b"1]", kind=JSON, coding="", packed=False)
def test_no_batch_is_ever_a_server_error(client: httpx.Client, body: bytes, kind: str, coding: str, packed: bool) -> None:
    """Each is answered reading by reading, or refused with a problem."""
    content = gzip.compress(body) if packed else body
    answer = client.post(PATH, content=content, headers={"Content-Type": kind, "Content-Encoding": coding})
    if answer.status_code in (200, 207):
        told(answer, answer.status_code)
    else:
        assert answer.status_code in (400, 413, 415)
        problem(answer, answer.status_code)


def test_the_document_shows_what_comes_back(api: str) -> None:
    """Its curl line as it stands; positions differ from run to run."""
    text = (ROOT / "docs/batch.md").read_text()
    [(command, shown)] = re.findall(r"^```console\n\$ (curl .*)\n(.*)\n```", text, re.MULTILINE)
    words = shlex.split(command.replace("http://127.0.0.1:8080", api))
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
    answer, promised = (re.sub(r"shardId-\d+:\d+", "…", one.strip()) for one in (done.stdout, shown))
    assert answer == promised
