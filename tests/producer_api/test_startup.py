"""The process: what it refuses to start with, where it listens, and how it ends."""

import http.client
import json
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from projections.generations import created_us, stream_created
from telemetry.reading import rfc3339
from tests.producer_api.forwarder import forwarding
from tests.producer_api.stream import readings_at
from tests.support.processes import free_port, running, running_api
from tests.support.stack import Stack, at, new_stack
from tests.support.waiting import eventually

_START_S_MAX = 30
_STOP_S_MAX = 20


def answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Asserts that the API is up."""
    assert process.poll() is None, log.read_text()
    try:
        assert httpx.get(f"{url}/livez").status_code == 200
    except httpx.TransportError as error:
        raise AssertionError(log.read_text()) from error


def make_stream_again(stack: Stack) -> None:
    """Delete the stream and make another one under its name."""
    before, name = stream_created(stack.kinesis, stack.names), stack.names.stream
    stack.kinesis.delete_stream(StreamName=name)
    stack.kinesis.get_waiter("stream_not_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    stack.kinesis.create_stream(StreamName=name, ShardCount=2)
    stack.kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    assert stream_created(stack.kinesis, stack.names) != before


def test_h29_the_api_refuses_a_stream_that_was_made_again(endpoint: str, java: str, log: Path) -> None:
    """Shard ids would repeat and positions begin anew: it ends with an error, and its log names the reason and the fix."""
    with new_stack(endpoint, java) as stack:
        make_stream_again(stack)
        with running("producer_api", stack.environ | {"PORT": str(free_port())}, log) as process:
            assert process.wait(_START_S_MAX) != 0
    assert f"{stack.names.stream} was created at" in log.read_text()
    assert "set up again" in log.read_text()


def test_h29_a_running_api_is_not_ready_once_its_stream_was_made_again(endpoint: str, java: str, log: Path) -> None:
    """It goes on answering that it lives, and says what is wrong."""
    with new_stack(endpoint, java) as stack, running_api(stack.environ, log) as url:
        created = rfc3339(created_us(stream_created(stack.kinesis, stack.names)))
        assert httpx.get(f"{url}/readyz").json() == {
            "status": "ok",
            "checks": {"stream": "ok", "stats": "ok", "writes": "ok"},
            "streamCreated": created,
        }
        make_stream_again(stack)

        def not_ready() -> None:
            answer = httpx.get(f"{url}/readyz")
            assert answer.status_code == 503
            assert answer.json()["checks"]["stream"] == "WrongStream"

        eventually(not_ready)
        assert httpx.get(f"{url}/livez").status_code == 200


def test_without_stream_and_tables_the_api_does_not_start(stack: Stack, log: Path) -> None:
    """It names what is missing."""
    with running("producer_api", stack.environ | {"PREFIX": "never-made", "PORT": str(free_port())}, log) as process:
        assert process.wait(_START_S_MAX) != 0
    assert "ResourceNotFoundException" in log.read_text()


def test_settings_that_cannot_be_used_are_all_told_and_nothing_starts(stack: Stack, log: Path) -> None:
    """Without a traceback."""
    bad = {"PORT": "eighty", "PUT_DEADLINE_S": "0", "TEMPERATURE_MIN": "-300", "CORS_ORIGINS": "a.example"}
    with running("producer_api", stack.environ | bad, log) as process:
        assert process.wait(_START_S_MAX) == 1
    text = log.read_text()
    assert text.startswith("These settings cannot be used:")
    assert all(f"{name}='{value}'" in text for name, value in bad.items())
    assert "Traceback" not in text


def test_the_api_listens_on_loopback_only_by_default(stack: Stack, log: Path) -> None:
    """Not on another address of this machine, not on IPv6."""
    port = free_port()
    environ = {name: value for name, value in stack.environ.items() if name != "HOST"} | {"PORT": str(port)}
    with running("producer_api", environ, log) as process:
        eventually(lambda: answers(f"http://127.0.0.1:{port}", process, log))
        for family, address in ((socket.AF_INET, "127.0.0.2"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as other, pytest.raises(OSError, match=r"refused|assign|unreachable"):
                other.connect((address, port))


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_under_load_answers_every_request_and_exits_0(stack: Stack, log: Path, sign: signal.Signals) -> None:
    """Forty readings are waiting for the store when it comes: all are stored and acknowledged, and then the process ends."""
    port = free_port()
    with forwarding(stack.settings.aws_endpoint_url or "") as forwarder:
        environ = stack.environ | {**at(forwarder.url), "PORT": str(port)}
        with running("producer_api", environ, log) as process:
            eventually(lambda: answers(f"http://127.0.0.1:{port}", process, log))
            forwarder.flowing.clear()
            waiting = [put(port, number) for number in range(40)]
            # Whoever asked before a later request was answered has been read.
            httpx.get(f"http://127.0.0.1:{port}/livez").raise_for_status()
            process.send_signal(sign)
            eventually(lambda: stops_listening(port))
            forwarder.flowing.set()
            answers_got = [(reply := connection.getresponse(), reply.read()) for connection in waiting]
            status = process.wait(_STOP_S_MAX)
            for connection in waiting:
                connection.close()
    assert [reply.status for reply, _ in answers_got] == [200] * 40, log.read_text()
    for number, (reply, _) in enumerate(answers_got):
        assert f"load-{number}" in {r.sensor_id for r in readings_at(stack, reply.headers["X-Stream-Position"])}
    assert status == 0
    assert "error" not in [json.loads(line)["level"] for line in log.read_text().splitlines()]


def put(port: int, number: int) -> http.client.HTTPConnection:
    """A connection on which a PUT was sent and its answer not yet read."""
    connection = http.client.HTTPConnection(urlsplit(f"http://127.0.0.1:{port}").netloc, timeout=_STOP_S_MAX)
    connection.request("GET", "/livez")
    connection.getresponse().read()
    body = json.dumps({"sensorId": f"load-{number}", "temperature": 18, "timestamp": "2021-11-26T18:10:00"})
    connection.request("PUT", "/api/temperature", body, {"Content-Type": "application/json"})
    return connection


def stops_listening(port: int) -> None:
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
