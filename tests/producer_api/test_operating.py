"""What the API says and does while AWS, its log's reader or its surroundings are not as they should be (E7, E14 to E22)."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest

from projections.generations import stream_created
from telemetry.errors import InvalidSettings
from telemetry.settings import Settings
from tests.faults.faults import hang, refuse_with
from tests.faults.proxy import FaultProxy, Rule, fault_proxy
from tests.producer_api.raw import ask
from tests.producer_api.server import serving
from tests.support.logs import log_lines
from tests.support.processes import children, free_port, running_api
from tests.support.stack import Stack, at, new_stack
from tests.support.waiting import eventually

READING = {"sensorId": "202", "temperature": 18, "timestamp": "2021-11-26T18:10:00"}
REFUSED = "The log does not take readings at the moment: this one was not stored. Send it again later."


@pytest.fixture(scope="module")
def proxy(endpoint: str) -> Iterator[FaultProxy]:
    """A proxy before the module's API."""
    with fault_proxy(endpoint) as made:
        yield made


@pytest.fixture(scope="module")
def api_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of the module's API."""
    return tmp_path_factory.mktemp("api") / "api.log"


@pytest.fixture(scope="module")
def client(stack: Stack, proxy: FaultProxy, api_log: Path) -> Iterator[httpx.Client]:
    """Connections to an API behind the proxy."""
    environ = {**stack.environ, **at(proxy.url), "PUT_DEADLINE_S": "2"}
    with running_api(environ, api_log) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


@pytest.fixture(autouse=True)
def mended(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test leaves the proxy without rules and the API ready."""
    yield
    if "proxy" in request.fixturenames:
        request.getfixturevalue("proxy").rules = ()
        client = request.getfixturevalue("client")

        def well() -> None:
            assert put(client).status_code == 200
            assert client.get("/readyz").status_code == 200

        eventually(well)


def put(client: httpx.Client) -> httpx.Response:
    return client.put("/api/temperature", json=READING)


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
        "KMSOptInRequired",
        "ResourceNotFoundException",
        "ExpiredTokenException",
        "UnrecognizedClientException",
        "IncompleteSignatureException",
    ],
)
def test_e14_what_is_known_not_to_be_stored_is_said_at_once(client: httpx.Client, proxy: FaultProxy, code: str) -> None:
    """After one call, with a longer Retry-After; readiness turns red for it, and tells the code and nothing else."""
    before = proxy.calls.total()
    proxy.rules = [Rule(refuse_with(code), operation="PutRecords")]
    answer = put(client)
    assert (answer.status_code, answer.json()["detail"]) == (503, REFUSED)
    assert int(answer.headers["retry-after"]) >= 10
    assert sum(calls for name, calls in proxy.calls.items() if "PutRecords" in name) <= before + 1
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["checks"] == {"stream": "ok", "stats": "ok", "writes": code}
    assert "123456789012" not in ready.text + answer.text


def test_e14_a_wrong_clock_is_said_in_one_sentence(client: httpx.Client, proxy: FaultProxy, api_log: Path) -> None:
    """With how far it is off, as AWS's own time tells; nothing needs a restart once it is right."""
    aws_time = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)
    signature = "Signature expired: 20261125T180000Z is now earlier than 20261125T180500Z (20261125T181000Z - 5 min.)"
    proxy.rules = [Rule(refuse_with("InvalidSignatureException", signature, Date=aws_time), operation="PutRecords")]
    begin_bytes = api_log.stat().st_size
    assert put(client).json()["detail"] == REFUSED
    assert client.get("/readyz").json()["checks"]["writes"] == "WrongClock"

    def said() -> None:
        lines = [line for line in log_lines(api_log, begin_bytes) if line["event"] == "clock_is_wrong"]
        assert len(lines) == 1
        assert re.match("This machine's clock is .* behind AWS's", lines[0]["error"])

    eventually(said)


def test_e15_retry_after_differs_from_client_to_client(client: httpx.Client, proxy: FaultProxy) -> None:
    """So that a fleet does not come back in the same second."""
    proxy.rules = [Rule(refuse_with("AccessDeniedException"), operation="PutRecords")]
    assert len({put(client).headers["retry-after"] for _ in range(30)}) >= 4


def test_a_status_that_cannot_be_seen_is_a_503(client: httpx.Client, proxy: FaultProxy) -> None:
    """Leases away, as before a set-up: nothing is told of the rest, and no text of AWS's."""
    proxy.rules = [Rule(refuse_with("ResourceNotFoundException"), operation="Scan")]
    answer = client.get("/api/status")
    assert (answer.status_code, answer.json()["code"]) == (503, "projection-unavailable")
    assert "123456789012" not in answer.text


def test_e19_a_store_that_never_answers_is_away_after_two_seconds(client: httpx.Client, proxy: FaultProxy) -> None:
    """Statistics and readiness have a deadline, and readiness asks side by side; PUT does not need the store."""
    proxy.rules = [Rule(hang, service="DynamoDB")]
    stats, ready = client.get("/api/stats"), client.get("/readyz")
    assert (stats.status_code, ready.status_code) == (503, 503)
    assert ready.json()["checks"]["stats"] == "StoreUnavailable"
    assert (stats.elapsed + ready.elapsed).total_seconds() < 10
    assert put(client).status_code == 200


def test_e21_readiness_tells_names_and_codes_and_the_log_the_text(
    client: httpx.Client, proxy: FaultProxy, api_log: Path
) -> None:
    """Account, role and addresses are for the operator."""
    proxy.rules = [Rule(refuse_with("AccessDeniedException"), operation="DescribeStreamSummary")]

    def not_ready() -> None:
        answer = client.get("/readyz")
        assert answer.json()["checks"]["stream"] == "AccessDeniedException"
        assert "arn:" not in answer.text
        assert any("arn:aws:iam::123456789012" in line.get("error", "") for line in log_lines(api_log))

    eventually(not_ready)


def test_e18_the_api_starts_and_stores_while_the_tables_are_away(stack: Stack, endpoint: str, log: Path) -> None:
    """Only the stream is needed; the pointer is checked as soon as it can be."""
    with fault_proxy(endpoint) as proxy:
        proxy.rules = [Rule(hang, service="DynamoDB")]
        with running_api({**stack.environ, **at(proxy.url)}, log) as url, httpx.Client(base_url=url) as client:
            assert put(client).status_code == 200
            proxy.rules = ()

            def whole() -> None:
                assert client.get("/readyz").status_code == 200

            eventually(whole)


def test_s02_a_stream_made_again_is_noticed_and_nothing_is_acknowledged(endpoint: str, java: str, log: Path) -> None:
    """PUT and statistics say so, and it is over by itself when the stream's tables were set up for it."""
    with new_stack(endpoint, java) as stack, running_api(stack.environ, log) as url, httpx.Client(base_url=url) as client:
        assert put(client).status_code == 200
        before, name = stream_created(stack.kinesis, stack.names), stack.names.stream
        stack.kinesis.delete_stream(StreamName=name)
        stack.kinesis.get_waiter("stream_not_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
        gone = put(client)
        stack.kinesis.create_stream(StreamName=name, ShardCount=2)
        stack.kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
        created = stream_created(stack.kinesis, stack.names)
        assert created != before

        def refused() -> None:
            for answer in (put(client), client.get("/api/stats")):
                assert answer.status_code == 503
                assert "not the one that the statistics are made from" in answer.json()["detail"]

        eventually(refused)
        stack.dynamodb.update_item(
            TableName=stack.names.generations,
            Key={"name": {"S": "live"}},
            UpdateExpression="SET stream_created = :now",
            ExpressionAttributeValues={":now": {"S": created}},
        )

        def ours_again() -> None:
            assert put(client).status_code == 200

        eventually(ours_again)
    assert (gone.status_code, gone.json()["detail"]) == (503, REFUSED)


def test_e07_a_log_that_nobody_reads_stops_nothing(stack: Stack) -> None:
    """The pipe is full, as after Ctrl-S: requests are answered, those that leave lines in it too, and the end is in order."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while True:
            os.write(write, b"x" * 4096)
    os.set_blocking(write, True)
    port = free_port()
    environ = {**stack.environ, "PORT": str(port), "LOG_LEVEL": "debug"}
    process = subprocess.Popen([sys.executable, "-m", "producer_api"], env=environ, stderr=write, start_new_session=True)
    os.close(write)
    url = f"http://127.0.0.1:{port}"
    try:

        def stores() -> None:
            try:
                assert httpx.put(f"{url}/api/temperature", json=READING).status_code == 200
            except httpx.TransportError as error:
                raise AssertionError from error

        eventually(stores, 30)
        for _ in range(600):
            assert ask(url, b"nonsense\r\n\r\n").status == 400
        stores()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        os.close(read)


def test_e22_settings_for_browsers_proxies_and_workers(stack: Stack, log: Path) -> None:
    """Origins that are named may call, others not; the page shows the public address; other variables change nothing."""
    environ = {
        **stack.environ,
        "CORS_ORIGINS": "https://a.example,https://b.example:8443",
        "PUBLIC_URL": "https://telemetry.example",
        "WEB_CONCURRENCY": "4",
        "FORWARDED_ALLOW_IPS": "*",
    }
    preflight = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
    with serving(environ, log) as server, httpx.Client(base_url=server.url) as client:
        asked = client.options("/api/temperature", headers={"Origin": "https://b.example:8443", **preflight})
        stranger = client.options("/api/temperature", headers={"Origin": "https://evil.example", **preflight})
        told = client.put("/api/temperature", json={}, headers={"Origin": "https://a.example"})
        page = client.get("/", headers={"X-Forwarded-Proto": "ftp"})
        workers = children(server.process.pid)
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == "https://b.example:8443"
    assert (stranger.status_code, stranger.headers["content-type"]) == (400, "application/problem+json")
    assert "access-control-allow-origin" not in stranger.headers
    assert (told.status_code, told.headers["access-control-allow-origin"]) == (400, "https://a.example")
    assert "access-control-allow-credentials" not in told.headers
    assert "curl https://telemetry.example/api/stats" in page.text
    assert workers == [], "one process, whose queue all share"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"PUT_DEADLINE_S": "40"}, "STOP_TIMEOUT_S=30 would cut it short"),
        ({"STOP_TIMEOUT_S": "5"}, "STOP_TIMEOUT_S=5 would cut it short"),
        ({"LOAD_BALANCER_IDLE_S": "5"}, "LOAD_BALANCER_IDLE_S=5 is not above PUT_DEADLINE_S=5"),
        ({"KEEP_ALIVE_S": "60"}, "KEEP_ALIVE_S=60 is not above LOAD_BALANCER_IDLE_S=60"),
        ({"CORS_ORIGINS": "a.example"}, "CORS_ORIGINS='a.example'"),
        ({"PUBLIC_URL": "telemetry.example"}, "PUBLIC_URL='telemetry.example'"),
    ],
)
def test_e20_settings_that_contradict_each_other_are_refused(settings: dict[str, str], told: str) -> None:
    """Naming both. That a process ends at its start with what is said here is tried in test_startup.py."""
    with pytest.raises(InvalidSettings) as refused:
        Settings.from_environment(settings)
    assert told in str(refused.value).replace("\n", " ")
