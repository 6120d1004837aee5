"""A running API that asks for keys, on the real stack: keys made by the command, and everything that takes one."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from cli.main import telemetry
from operations.canary import CanaryFailed, asker, fly
from producer_api.keys.ring import FRESH_S
from tests.producer_api.test_contract import project
from tests.support.processes import running_api
from tests.support.secrets import leaks
from tests.support.stack import Stack
from tests.support.waiting import eventually

AT = "2026-03-01T12:00:00Z"

type Typed = Callable[..., Result]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the API says."""
    return tmp_path_factory.mktemp("keyed") / "api.log"


@pytest.fixture(scope="module")
def url(stack: Stack, log: Path) -> Iterator[str]:
    """An API with keys."""
    with running_api({**stack.environ, "KEYS": "true"}, log) as address:
        yield address


@pytest.fixture
def typed(stack: Stack) -> Typed:
    """The command, with a key in its environment or without one."""

    def run(*words: str, key: str = "") -> Result:
        return CliRunner(env={**stack.environ, "API_KEY": key}).invoke(telemetry, [*words])

    return run


@pytest.fixture
def new(typed: Typed) -> Callable[..., str]:
    """Makes a key."""

    def make(role: str, *words: str) -> str:
        done = typed("keys", "new", "--role", role, *words)
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    return make


def as_bearer(key: str) -> dict[str, str]:
    """How a key is sent."""
    return {"Authorization": f"Bearer {key}"}


def put(url: str, key: str) -> int:
    """The answer to a reading."""
    reading = {"sensorId": "hall-1", "temperature": 18.7, "timestamp": AT}
    return httpx.put(f"{url}/api/temperature", json=reading, headers=as_bearer(key)).status_code


def test_commands_that_send_take_a_key(url: str, new: Callable[..., str], typed: Typed, tmp_path: Path) -> None:
    """From API_KEY; without one, or with one for another sensor, they say why not."""
    ingest, other = new("ingest"), new("ingest", "--sensors", "cellar-*")
    assert typed("send", "hall-1", "18.7", "--url", url, key=ingest).exit_code == 0
    refused = typed("send", "hall-1", "18.7", "--url", url)
    assert refused.exit_code == 1
    assert "This needs a key" in refused.stderr
    assert typed("send", "hall-1", "18.7", "--url", url, key=other).exit_code != 0
    table = tmp_path / "t.ndjson"
    table.write_text("\n".join(json.dumps({"sensorId": f"s-{n}", "temperature": n, "timestamp": AT}) for n in range(20)))
    assert typed("import", str(table), "--url", url, key=ingest).stdout.startswith("20 readings stored")
    assert "readings stored" in typed("simulate", "--for", "0.1", "--url", url, key=ingest).stdout


def test_a_replay_into_what_it_reads_is_refused_with_a_key_to_send(url: str, new: Callable[..., str], typed: Typed) -> None:
    """Which stream an API writes to needs no key to ask for."""
    answer = typed("replay", "--into-url", url, key=new("ingest"))
    assert (answer.exit_code, "which is what is read" in answer.stderr) == (2, True), answer.output


def test_the_canary_flies_with_its_two_keys(stack: Stack, url: str, new: Callable[..., str]) -> None:
    """One stores the reading of its sensor and nothing else, the other asks; without them it says what is wrong."""
    stores, asks = new("ingest", "--sensors", "canary"), new("read")
    with pytest.raises(CanaryFailed, match="not stored: 401"):
        fly(asker(url))
    with pytest.raises(CanaryFailed, match="not stored: 403"):
        fly(asker(url, asks, asks))
    assert put(url, stores) == 403
    # Nobody consumes here: it is counted beforehand, and the same reading is the same one.
    ask = asker(url, stores, asks)
    ask("PUT", "/api/temperature", b'{"sensorId": "canary", "temperature": 0.0, "timestamp": "2020-01-01T00:00:00"}')
    project(stack)
    counted = ask("GET", "/api/stats", None)
    assert counted.status == 200


def test_pages_and_metrics_are_for_who_may_see_them(url: str, new: Callable[..., str]) -> None:
    """Prometheus with a key for admin, Grafana with one to read; neither is shown a key."""
    read, admin = new("read"), new("admin")
    for path, key, status in (
        ("/metrics", read, 403),
        ("/metrics", admin, 200),
        ("/connect", admin, 200),
        ("/", read, 200),
        ("/api/stats/history?from=-1h", read, 200),
        ("/api/sensors", "", 401),
    ):
        answer = httpx.get(f"{url}{path}", headers=as_bearer(key) if key else {}, timeout=15)
        assert answer.status_code == status, (path, answer.text[:300])
        assert not any(one[13:43] in answer.text for one in (read, admin)), path


def test_a_revoked_key_and_its_live_stream_end_within_ten_seconds(
    url: str, new: Callable[..., str], typed: Typed, log: Path
) -> None:
    """Counted from the command; others go on."""
    ingest, read, other = new("ingest"), new("read"), new("ingest")
    assert (put(url, ingest), put(url, other)) == (200, 200)
    with httpx.Client(timeout=30) as client, client.stream("GET", f"{url}/api/live", headers=as_bearer(read)) as live:
        assert live.status_code == 200
        lines = live.iter_lines()
        assert next(lines)
        for key in (ingest, read):
            assert typed("keys", "revoke", key[4:12]).exit_code == 0
        revoked_s = time.monotonic()

        def refused() -> None:
            assert put(url, ingest) == 401

        eventually(refused, within_s=FRESH_S + 5)
        assert time.monotonic() - revoked_s <= FRESH_S + 1
        for _ in lines:  # it ends by itself, or the client's time is up
            assert time.monotonic() - revoked_s < FRESH_S + 10
    assert put(url, other) == 200
    assert not leaks([log])
