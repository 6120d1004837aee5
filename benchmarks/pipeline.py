"""P11, P12, P16 and P17: the whole pipeline, KCL's daemon among it."""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from benchmarks.figures import Figure
from benchmarks.rig import ROOT, Rig, cpu_s, memory_mb
from projections.queries import fleet_stats
from telemetry.processes import end_with_parent
from tests.faults.instances import Consumer
from tests.support.processes import free_port
from tests.support.stack import Stack
from tests.support.waiting import eventually

STARTS = 5
FRESH_SAMPLES = 200
FRESH_SENSORS = (200, 10_000)
HALF_LOAD_PER_S = 500
LOOK_EVERY_S = 0.01
"""A client that asked without a pause would take the processor from those that it watches."""
IDLE_S = 20


@contextmanager
def consuming(rig: Rig, stack: Stack) -> Iterator[Consumer]:
    """A worker of the stack's own."""
    folder = rig.folder / stack.settings.prefix
    folder.mkdir(exist_ok=True)
    consumer = Consumer(stack.environ, folder / "consumer.log")
    try:
        yield consumer
    finally:
        consumer.stop()


def freshness(rig: Rig) -> Iterator[Figure]:
    """P11: from the answer to a PUT until GET /api/stats shows it, while others PUT at half of what the machine sustains."""
    for sensors in FRESH_SENSORS:
        samples = _freshness_beside(rig, sensors)
        what = f"acknowledged until in GET /api/stats, {HALF_LOAD_PER_S} PUT/s of {sensors:,} sensors beside"
        beside = {"samples": samples}
        yield Figure("P11", f"p50 of {what}", "s", 0.35, None, [statistics.median(samples)], beside, smaller_is_better=True)
        yield Figure("P11", f"p99 of {what}", "s", 0.6, 0.5, [samples[len(samples) * 99 // 100]], smaller_is_better=True)


def _freshness_beside(rig: Rig, sensors: int) -> list[float]:
    """Samples in order, the smallest first."""
    with rig.stack() as stack, rig.server(stack, "producer_api") as server, consuming(rig, stack) as consumer:
        consumer.wait_for("consumer_working", within_s=90)
        command = [sys.executable, "-m", "benchmarks.load", server.url, "--clients", "32", "--readings", "1000000"]
        crowd = subprocess.Popen(
            [*command, "--per-s", str(HALF_LOAD_PER_S), "--sensors", str(sensors)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            preexec_fn=end_with_parent,  # noqa: PLW1509  it only makes a system call
        )
        try:
            return sorted(_sample_freshness(server.url, FRESH_SAMPLES))
        finally:
            crowd.terminate()
            crowd.wait()


def _sample_freshness(url: str, count: int) -> list[float]:
    """Each sample is a new maximum, so that its arrival shows."""
    seconds = []
    with httpx.Client(base_url=url, timeout=30) as client:
        for number in range(-5, count):
            hottest = 1000 + (number + 5) / 10
            body = {"sensorId": f"probe-{number % 16}", "temperature": hottest, "timestamp": "2026-03-01T00:00:00"}
            assert client.put("/api/temperature", json=body).status_code == 200
            began_s = time.perf_counter()
            while client.get("/api/stats").json()["Maximum"] != hottest:
                assert time.perf_counter() - began_s < 30
                threading.Event().wait(LOOK_EVERY_S)
            if number >= 0:  # the first few warm everything up
                seconds.append(time.perf_counter() - began_s)
    return seconds


def recovery(rig: Rig) -> Iterator[Figure]:
    """P12: a reading that waits in the log is projected: after a start, and after kill -9 of each process."""
    starts, kills = [], []
    for _ in range(STARTS):
        with rig.stack() as stack:
            _put(stack, 0)
            began_s = time.perf_counter()
            with consuming(rig, stack) as consumer:
                eventually(lambda stack=stack: _counted(stack, 1), within_s=60)  # type: ignore[misc]
                starts.append(time.perf_counter() - began_s)
                consumer.wait_for("consumer_working")
                consumer.signal(signal.SIGKILL, consumer.processors()[:1])
                _put(stack, 1)
                began_s = time.perf_counter()
                eventually(lambda stack=stack: _counted(stack, 2), within_s=60)  # type: ignore[misc]
                kills.append(time.perf_counter() - began_s)
    yield Figure("P12", "consumer's start until the first reading is projected", "s", 7, 5, starts, smaller_is_better=True)
    yield Figure("P12", "kill -9 of a record processor until the next is", "s", 7, 5, kills, smaller_is_better=True)
    recorded = json.loads((ROOT / "docs/reliability.json").read_text())
    [row] = [row for row in recorded if "leading worker" in row["fault"] and "median_s" in row["figures"]]
    values = [row["figures"][name] for name in ("min_s", "median_s", "max_s")]
    note = "from docs/reliability.json: make test-faults ONLY=test_h09"
    yield Figure("P12", "leader's death until every shard moves", "s", 25, 20, values, smaller_is_better=True, note=note)


def _put(stack: Stack, number: int) -> None:
    event = (
        f'{{"specversion":"1.0","type":"telemetry.temperature.recorded.v1","source":"/api/temperature","id":"{number}",'
        f'"subject":"202","time":"2026-03-01T00:00:0{number}Z","data":{{"temperature":1}}}}\n'
    )
    stack.kinesis.put_record(StreamName=stack.names.stream, PartitionKey="202", Data=event.encode())


def _counted(stack: Stack, count: int) -> None:
    assert fleet_stats(stack.dynamodb, stack.names).stats.count == count


def idle(rig: Rig) -> Iterator[Figure]:
    """P16: what a shard costs in which nothing happens: its child, and its share of the daemon."""
    with rig.stack() as stack, consuming(rig, stack) as consumer:
        consumer.wait_for("consumer_working", within_s=90)
        threading.Event().wait(10)  # let the daemon's start-up pass: its JIT is not what a quiet shard costs
        children, daemon = consumer.processors(), consumer.daemon()
        before = [cpu_s(pid) for pid in (*children, daemon)]
        threading.Event().wait(IDLE_S)
        used = [100 * (cpu_s(pid) - old) / IDLE_S for pid, old in zip((*children, daemon), before, strict=True)]
        sizes = [memory_mb(pid) for pid in children]
        beside = {"daemon's share, %": used[-1] / len(children), "daemon MB": memory_mb(daemon)}
    yield Figure("P16", "idle CPU of a shard's child", "% a core", 1, None, used[:-1], beside, smaller_is_better=True)
    yield Figure("P16", "idle memory of a shard's child", "MB", 75, None, sizes, smaller_is_better=True)


def first_reading(rig: Rig) -> Iterator[Figure]:
    """P17: `make run` on a machine that has run it before, until a first reading shows in the stats."""
    seconds = []
    for _ in range(3):
        port, localstack_port = free_port(), free_port()
        kept = tempfile.mkdtemp(dir=rig.folder)  # of its own: what an earlier run kept would show at once
        own = {"PORT": str(port), "LOCALSTACK_PORT": str(localstack_port), "ARCHIVE_TARGET": kept}
        environ = {**os.environ, **own}
        began_s = time.perf_counter()
        with (rig.folder / "run.log").open("ab") as log:
            process = subprocess.Popen(["make", "run"], cwd=ROOT, env=environ, stdout=log, stderr=log, start_new_session=True)
        try:
            eventually(lambda port=port: _shows(f"http://127.0.0.1:{port}"), within_s=120)  # type: ignore[misc]
            seconds.append(time.perf_counter() - began_s)
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # a shell may have SIGINT ignored
            process.wait(60)
            shutil.rmtree(kept, ignore_errors=True)
    yield Figure("P17", "make run until a first reading is in the stats", "s", 15, 10, seconds, smaller_is_better=True)


def _shows(url: str) -> None:
    """Send the same reading until it is answered, and look: a sensor would do no other."""
    body = {"sensorId": "202", "temperature": 18.7, "timestamp": "2021-11-26T18:10:00"}
    try:
        assert httpx.put(f"{url}/api/temperature", json=body, timeout=5).status_code == 200
        assert httpx.get(f"{url}/api/stats", timeout=5).json()["Maximum"] == 18.7
    except httpx.TransportError as error:
        raise AssertionError(str(error)) from error
