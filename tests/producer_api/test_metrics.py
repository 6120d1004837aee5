"""What Prometheus is told: by a running API on a real stack, and by what counts alone."""

import json
import re
from collections.abc import Iterator, Mapping

import httpx
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from operations.exposition import ShardsSeen
from operations.verdicts import ShardState, ShardVerdict
from producer_api.operating.metrics import Metrics
from producer_api.operating.outcomes import Outcomes
from telemetry.errors import ReasonCode
from telemetry.records import split_record
from tests.producer_api.raw import ask
from tests.producer_api.server import Server, serving
from tests.producer_api.stream import records_by_shard
from tests.support.logs import log_lines
from tests.support.stack import Stack
from tests.support.waiting import eventually

READING = {"sensorId": "a sensor of note", "temperature": 18, "timestamp": "2021-11-26T18:10:00"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
REQUESTS = "http_server_request_duration_seconds_count"

type Samples = Mapping[str, float]


def samples(text: str) -> Samples:
    """Each sample's value by its name and labels: `name{a=1,b=2}`."""
    found = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {
        f"{one.name}{{{','.join(f'{name}={one.labels[name]}' for name in sorted(one.labels))}}}": one.value for one in found
    }


@pytest.fixture(scope="module")
def server(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An API that nobody else talks to."""
    with serving(stack.environ, tmp_path_factory.mktemp("api") / "api.log") as made:
        yield made


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """Connections to it."""
    with httpx.Client(base_url=server.url, timeout=15) as client:
        yield client


def scrape(client: httpx.Client) -> Samples:
    """What it tells now."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return samples(answer.text)


def test_requests_are_counted_by_route_and_readings_by_their_fate(client: httpx.Client) -> None:
    """Nothing that a client chooses becomes a label: no id, no path, no method of its own."""
    assert client.put("/api/temperature", json=READING).status_code == 200
    assert client.put("/api/temperature", json=READING | {"temperature": "warm"}).status_code == 400
    assert client.get("/wp-login.php").status_code == 404
    assert client.request("PROPFIND", "/api/stats").status_code == 405
    assert client.get("/api/sensors/a%20sensor%20of%20note").status_code == 404
    told = scrape(client)
    put = "http_request_method=PUT,http_response_status_code={},http_route=/api/temperature"
    assert told[f"{REQUESTS}{{{put.format(200)}}}"] == 1
    assert told[f"{REQUESTS}{{{put.format(400)}}}"] == 1
    assert told[f"{REQUESTS}{{http_request_method=GET,http_response_status_code=404,http_route=unmatched}}"] == 1
    assert told[f"{REQUESTS}{{http_request_method=_OTHER,http_response_status_code=405,http_route=/api/stats}}"] == 1
    assert told["telemetry_readings_total{door=put,outcome=stored}"] == 1
    assert told["telemetry_readings_total{door=put,outcome=refused}"] == 1
    assert told["telemetry_refused_total{code=invalid-reading}"] == 1
    assert told["telemetry_refused_total{code=method-not-allowed}"] == 1
    assert told["telemetry_refused_total{code=unknown-sensor}"] == 1
    assert told["telemetry_put_records_calls_total{outcome=stored}"] == 1
    assert told["telemetry_put_records_bytes_total{}"] > 200
    assert told["telemetry_queue_readings{}"] == 0
    assert told["telemetry_live_streams{}"] == 0
    assert told["telemetry_read_units_total{question=sensor}"] == 0  # of nothing counted nothing is read
    assert told["telemetry_read_units_total{question=totals}"] >= 0
    assert told["telemetry_shard_position_age_seconds{shard=shardId-000000000000}"] >= 0
    assert not re.search("note|wp-login|PROPFIND", " ".join(told))


def test_every_refusal_has_a_line_in_the_log(server: Server, client: httpx.Client) -> None:
    """With status, template, code, request id and peer; those too that no endpoint gets to see."""
    cases = {"/api/stats": "invalid-question", "unmatched": "bad-request"}

    def logged() -> None:
        # Again and again, because lines of one kind are thinned out.
        assert client.get("/api/stats?limt=1", headers={"X-Request-Id": "ours-7"}).status_code == 400
        assert ask(server.url, b"GET / HTTP/1.1\r\nX-Request-Id: ours-7\r\n\r\n").status == 400
        lines = [line for line in log_lines(server.log) if line.get("request_id") == "ours-7"]
        assert {line["route"]: line["code"] for line in lines} == cases
        assert all(line["event"] == "request_refused" and line["status"] == 400 for line in lines)
        assert all(re.fullmatch(r"127\.0\.0\.1:\d+", line["peer"]) for line in lines)

    eventually(logged)
    assert scrape(client)["telemetry_refused_total{code=bad-request}"] >= 1


def test_a_trace_leads_into_the_log_and_when_sampled_into_the_event(stack: Stack, server: Server, client: httpx.Client) -> None:
    """One that is not sampled leads into the log alone, one that is not valid nowhere."""
    for flags, logged in (("01", f"{TRACE}-01"), ("00", f"{TRACE}-00"), ("0x", None)):
        headers = {"traceparent": f"{TRACE}-{flags}", "X-Request-Id": f"traced-{flags}"}
        answer = client.put("/api/temperature", json=READING | {"sensorId": f"traced {flags}"}, headers=headers)
        assert answer.status_code == 200

        def told(headers: dict[str, str] = headers, logged: str | None = logged) -> None:
            # Again and again, because lines of one kind are thinned out.
            assert client.get("/nowhere", headers=headers).status_code == 404
            ours = [line for line in log_lines(server.log) if line.get("request_id") == headers["X-Request-Id"]]
            assert {line.get("traceparent") for line in ours} == {logged}

        eventually(told)
    records = [record for shard in records_by_shard(stack).values() for record in shard]
    events = [json.loads(line.data) for record in records for line in split_record(record.data)]
    traced = {event["subject"]: event.get("traceparent") for event in events if event["subject"].startswith("traced")}
    assert traced == {"traced 01": f"{TRACE}-01", "traced 00": None, "traced 0x": None}


def test_openmetrics_is_spoken_to_who_asks_for_it(client: httpx.Client) -> None:
    """As Prometheus does."""
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_shards_and_dead_letters_are_told_as_they_were_seen() -> None:
    """A lag that nobody knows is left out, and so is everything while nothing can be seen."""
    metrics = Metrics(Outcomes())
    shards = [ShardState("one", "me", ShardVerdict.OK, 1_500_000, 2.0), ShardState("two", None, ShardVerdict.STOPPED, None, 0)]
    metrics.shards.seen = ShardsSeen(shards, {"one": {ReasonCode.NOT_JSON: 3}})
    told = samples(generate_latest(metrics.registry).decode())
    assert {name: value for name, value in told.items() if "shard" in name} == {
        "telemetry_shard_lag_seconds{shard=one}": 1.5,
        "telemetry_shard_position_age_seconds{shard=one}": 2,
        "telemetry_shard_position_age_seconds{shard=two}": 0,
        "telemetry_dead_letters_total{code=not-json,shard=one}": 3,
    }
    metrics.shards.seen = ShardsSeen()
    assert not [name for name in samples(generate_latest(metrics.registry).decode()) if "shard=" in name]


def test_methods_of_a_clients_own_take_no_memory() -> None:
    """However many there are."""
    metrics = Metrics(Outcomes())
    for number in range(1000):
        metrics.answered(f"BREW{number}", "/api/stats", 405, 0.001)
    told = samples(generate_latest(metrics.registry).decode())
    assert [value for name, value in told.items() if name.startswith(REQUESTS)] == [1000]
