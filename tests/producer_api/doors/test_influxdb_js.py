"""InfluxDB's client for JavaScript, as it comes from npm: Node-RED's nodes, ioBroker's adapter and the like are built on it."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local.downloads import ensure_node
from infra.local.fetch import DownloadError
from infra.local.tools import MissingToolError, npm_command
from telemetry.keys import Role
from telemetry.reading import Reading
from tests.producer_api.doors.app import listening, stored
from tests.producer_api.fakes import FakeKinesis, store_but_time_out
from tests.producer_api.keys.entrance import Entrance
from tests.support.once import once

SOURCES = Path(__file__).parents[1] / "clients/influxdb"
AT_NS = 1_732_545_600_123_456_789

type Write = Callable[..., list[str]]


@pytest.fixture(scope="session")
def package(request: pytest.FixtureRequest) -> Path:
    """A folder with the package in it, checked against the lock."""

    def install(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, folder)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
        path = {**os.environ, "PATH": f"{node}{os.pathsep}{os.environ.get('PATH', '')}"}
        command = [*npm_command(node), "ci", "--prefix", str(folder), *options]
        done = subprocess.run(command, env=path, capture_output=True, text=True, check=False, timeout=120)
        (folder / "failed").write_text(done.stderr if done.returncode else "")

    try:
        node = ensure_node()
    except (MissingToolError, DownloadError) as error:
        pytest.skip(f"the client of InfluxDB for JavaScript is not tried: {error}")
    folder = once(request, "influxdb-js", install)
    if failed := (folder / "failed").read_text():
        pytest.skip(f"the client of InfluxDB for JavaScript is not tried: npm does not get it: {failed[-300:]}")
    return folder


@pytest.fixture
def write(package: Path) -> Write:
    """Has the client write lines to an address; what it says of them."""

    def run(address: str, *lines: str, token: str = "any") -> list[str]:  # noqa: S107
        command = [str(ensure_node() / "node"), str(SOURCES / "write.mjs"), address, token, *lines]
        done = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_readings_arrive_exactly(write: Write) -> None:
    """Packed, with its own token where keys are on."""
    kinesis, entrance = FakeKinesis(), Entrance()
    token = entrance.table.make("nodered", Role.INGEST, "hall*")
    with listening(kinesis, gate=entrance.gate) as address:
        assert write(address, f"temperature,sensorId=hall\\ 1 value=21.15 {AT_NS}", token=token) == ["done"]
    assert stored(kinesis) == [Reading(AT_NS // 1000, "hall 1", 21_150_000)]


def test_what_may_be_stored_is_repeated_and_counts_once(write: Write) -> None:
    """It repeats a 503 by itself."""
    kinesis = FakeKinesis()
    kinesis.faults.extend([store_but_time_out] * 8)
    with listening(kinesis, deadline_s=0.3) as address:
        *failed, last = write(address, f"temperature,host=pi value=1 {AT_NS}")
    assert last == "done"
    assert failed
    assert all(line.startswith("failed 503") for line in failed)
    assert len(stored(kinesis)) > 1
    assert set(stored(kinesis)) == {Reading(AT_NS // 1000, "pi", 1_000_000)}


def test_a_refusal_is_told_and_not_repeated(write: Write) -> None:
    """400 and 401: it gives up at once, with our reason."""
    kinesis = FakeKinesis()
    with listening(kinesis) as address:
        *_, last = write(address, "temperature,host=pi value=1 1", "temperature,host=pi value=true 2")
    assert last.startswith("gave up: 400")
    assert "line 2: value: Expected a number" in last
    with listening(kinesis, gate=Entrance().gate) as address:
        *_, last = write(address, f"temperature,host=pi value=2 {AT_NS}")
    assert last.startswith("gave up: 401")
    assert len(kinesis.calls) == 1
