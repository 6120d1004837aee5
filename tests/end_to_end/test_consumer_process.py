"""The consumer as an operator meets it: it starts fast, reads what was there before it, and stops in order."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from consumer.leases import make_leases
from operations.observation import observe
from projections.queries import fleet_stats
from tests.support.logs import log_lines
from tests.support.processes import children, running, running_api, stop
from tests.support.stack import Stack
from tests.support.waiting import eventually


def events(log: Path) -> list[str]:
    """What happened, in order."""
    return [line["event"] for line in log_lines(log)]


def wait_for_count(stack: Stack, count: int, log: Path) -> None:
    """Until the fleet's total has so many readings."""

    def counted() -> None:
        assert fleet_stats(stack.dynamodb, stack.names).stats.count == count, log.read_text()

    eventually(counted, within_s=60)


def put_readings(url: str, first: int, count: int) -> None:
    """PUT readings of as many sensors, so that every shard gets some."""
    for number in range(first, first + count):
        body = {"sensorId": f"s-{number}", "temperature": number, "timestamp": "2026-03-01T00:00:00"}
        assert httpx.put(f"{url}/api/temperature", json=body).status_code == 200


def test_h03_h08_h10_h12_the_consumer_starts_fast_misses_nothing_and_stops_in_order(stack: Stack, log: Path) -> None:
    """What was written before the first lease is projected; leases are there before the daemon; SIGTERM reaches every child."""
    with running_api(stack.environ, log) as url:
        put_readings(url, 0, 20)  # before any consumer ever ran (hazard H12)
        with running("consumer", stack.environ, log) as consumer:
            wait_for_count(stack, 20, log)
            happened = events(log)
            assert happened.index("leases_made") < happened.index("consumer_starting")  # hazard H10
            put_readings(url, 20, 20)
            daemon = eventually(lambda: _only(children(consumer.pid)))
            processors = children(daemon)
            assert stop(consumer) == 0
        stopped = [line for line in log_lines(log) if line["event"] == "shutdown_requested"]
        assert sorted(line["shard_id"] for line in stopped) == ["shardId-000000000000", "shardId-000000000001"]  # hazard H8
        assert "Received error line" not in log.read_text()  # hazard H3: each line of a child comes out once, as it is
        assert not [pid for pid in (daemon, *processors) if _alive(pid)]
        with running("consumer", stack.environ, log):
            eventually(lambda: _are_begun(log, 4), within_s=60)
            wait_for_count(stack, 40, log)
    begun = {line["shard_id"]: line["checkpoint"] for line in log_lines(log) if line["event"] == "shard_started"}
    assert begun == {line["shard_id"]: str(line["position"]) for line in stopped}, "it begins where the one before stopped"


def test_h10_lease_rows_are_made_once_and_left_alone(stack: Stack) -> None:
    """A second worker's preparation changes nothing."""
    seen = observe(stack.kinesis, stack.dynamodb, stack.names)
    make_leases(stack.dynamodb, stack.names.application, seen, "worker-1")
    before = stack.dynamodb.scan(TableName=stack.names.application)["Items"]
    assert make_leases(stack.dynamodb, stack.names.application, seen, "worker-2") == []
    assert stack.dynamodb.scan(TableName=stack.names.application)["Items"] == before


@dataclass(frozen=True)
class Worker:
    """One that runs, and that the tests below treat worse and worse, in their order."""

    process: subprocess.Popen[bytes]
    environ: dict[str, str]
    log: Path


@pytest.fixture(scope="module")
def worker(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A worker at work."""
    folder = tmp_path_factory.mktemp("worker")
    # Killed, it cannot remove its own files: they go with the tests'.
    environ, log = {**stack.environ, "TMPDIR": str(folder)}, folder / "consumer.log"
    with running("consumer", environ, log) as process:
        eventually(lambda: _contains(events(log), "shard_started"), within_s=60)
        yield Worker(process, environ, log)


def test_two_workers_of_one_name_are_refused(worker: Worker) -> None:
    """KCL would take them for the same worker."""
    second = subprocess.run(
        [sys.executable, "-m", "consumer"], env=worker.environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode != 0
    assert "WORKER_ID" in second.stderr


def test_a_daemon_that_was_killed_is_started_again(stack: Stack, worker: Worker, log: Path) -> None:
    """And what was sent meanwhile is counted."""
    before = fleet_stats(stack.dynamodb, stack.names).stats.count
    with running_api(stack.environ, log) as url:
        begun = events(worker.log).count("shard_started")
        os.kill(eventually(lambda: _only(children(worker.process.pid)), within_s=30), signal.SIGKILL)
        put_readings(url, 100, 10)
        wait_for_count(stack, before + 10, worker.log)
    assert events(worker.log).count("shard_started") > begun
    assert events(worker.log).count("consumer_starting") == 2
    assert "consumer_restarting" in events(worker.log)


def test_a_supervisor_that_was_killed_leaves_no_daemon_behind(worker: Worker) -> None:
    """Else its successor would run beside a daemon of the same worker's name."""
    daemon = eventually(lambda: _only(children(worker.process.pid)), within_s=30)
    processors = eventually(lambda: _some(children(daemon)), within_s=60)
    worker.process.kill()

    def gone() -> None:
        assert not [pid for pid in (daemon, *processors) if _alive(pid)]

    eventually(gone, within_s=40)


def _are_begun(log: Path, times: int) -> None:
    assert events(log).count("shard_started") >= times


def _only(pids: list[int]) -> int:
    assert len(pids) == 1, pids
    return pids[0]


def _some(pids: list[int]) -> list[int]:
    assert pids
    return pids


def _contains(seen: list[str], wanted: str) -> None:
    assert wanted in seen, seen


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
