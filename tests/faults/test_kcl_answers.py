"""What KCL's own classes make of answers of Kinesis that LocalStack does not give."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from consumer.daemon import Daemon
from consumer.leases import make_leases
from consumer.properties import render_properties
from infra.local.downloads import ensure_node
from operations.observation import Observation
from telemetry.limits import HASH_KEY_MAX
from telemetry.names import ResourceNames
from telemetry.settings import Settings
from telemetry.shards import Shard, ShardMap
from tests.faults.conftest import Trial
from tests.support.waiting import eventually

FAKE = Path(__file__).with_name("kinesis_http2.cjs")
RECORDS_AN_ANSWER = 10

SLOW_PROCESSOR = """
import json, re, sys, time

for line in sys.stdin:
    if count := line.count('"sequenceNumber"') if '"records":' in line else 0:
        with open({noted!r}, "a") as noted:
            noted.write(f"{{count}}\\n")
        time.sleep(0.5)  # so that KCL fetches all it may meanwhile
    actions = re.findall(r'"action":"(\\w+)"', line[:200] + line[-200:])
    if action := next((action for action in actions if action != "record"), None):
        print("\\n" + json.dumps({{"action": "status", "responseFor": action}}), flush=True)
"""


@contextmanager
def _daemon(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, arguments: tuple[int, int, int], processor: Path | None = None
) -> Iterator[Daemon]:
    """A daemon that reads the fake's records, and keeps its leases where it always does."""
    command = [str(ensure_node() / "node"), str(FAKE), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as fake:
        assert fake.stdout
        port = fake.stdout.readline().strip()

        def rendered(settings: Settings, names: ResourceNames, executable: Path) -> str:
            text = render_properties(settings, names, processor or executable)
            ours = f"kinesisEndpoint = {settings.aws_endpoint_url}"
            assert ours in text
            return text.replace(ours, f"kinesisEndpoint = http://127.0.0.1:{port}")

        monkeypatch.setattr("consumer.daemon.render_properties", rendered)
        run = trial.folder / "run"
        run.mkdir()
        stack = trial.stack
        seen = Observation(_shards(arguments[0]), {}, {}, None, {})
        make_leases(stack.dynamodb, stack.names.application, seen, stack.settings.worker_id)
        daemon = Daemon(stack.settings, stack.names, run, stack.environ, shards=arguments[0])
        try:
            yield daemon
        finally:
            daemon.kill()
            fake.kill()


def _shards(count: int) -> ShardMap:
    """Those of the fake."""
    width = (HASH_KEY_MAX + 1) // count
    return ShardMap(Shard(f"shardId-{number:012}", number * width, (number + 1) * width - 1) for number in range(count))


@pytest.mark.full
def test_s08_answers_of_ten_megabytes_fit_into_the_heap(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every shard has a backlog, its processor is slower than the stream, and KCL holds as much as it ever does."""
    shards, answers = 4, trial.often(3, 10)
    noted, program = trial.folder / "noted", trial.folder / "slow.py"
    program.write_text(SLOW_PROCESSOR.format(noted=str(noted)))
    slow = trial.folder / "slow"
    slow.write_text(f"#!/bin/sh\nexec {sys.executable} {program}\n")
    slow.chmod(0o755)
    with _daemon(trial, monkeypatch, (shards, answers, 0), slow) as daemon:

        def delivered() -> None:
            assert daemon.poll() is None
            assert noted.exists()
            assert sum(map(int, noted.read_text().split())) == shards * answers * RECORDS_AN_ANSWER

        eventually(delivered, within_s=200)
        peak_mb = int(Path(f"/proc/{daemon.pid}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    trial.report("7", "a backlog in answers of 10 MB", shards * answers, java_peak_mb=round(peak_mb))


@pytest.mark.full
def test_s03_one_shard_that_is_not_found_ends_the_run_and_not_the_shard(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """KCL takes the one answer for the shard's end; the processor asks the stream, where it is open, and exits."""
    monkeypatch.setenv("STORE_RETRY_S", "1")
    with _daemon(trial, monkeypatch, (2, 0, 1)) as daemon:

        def exited() -> None:
            assert daemon.dead_processor() or daemon.poll() is not None

        eventually(exited, within_s=120)
    assert "is said to have ended" in "".join(capfd.readouterr())
    leases = trial.stack.dynamodb.scan(TableName=trial.stack.names.application)["Items"]
    assert {item["checkpoint"]["S"] for item in leases} == {"TRIM_HORIZON"}
    trial.report("2 4", "GetRecords answers once that an open shard is not there", 1)
