"""The consumer comes back by itself from what KCL does not notice, and several workers share the shards."""

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from operations.observation import observe
from tests.faults.conftest import Trial
from tests.faults.instances import Consumer, restart_reasons
from tests.support.waiting import eventually


@pytest.mark.parametrize("victim", ["record processor", pytest.param("daemon", marks=pytest.mark.full)])
def test_h07_h24_what_hangs_is_ended_and_started_anew(trial: Trial, victim: str) -> None:
    """SIGSTOP. KCL renews a hung processor's lease for ever, and nobody else would miss the daemon of a lone worker."""
    patience = {"STORE_RETRY_S": "1"} if victim == "record processor" else {}
    with trial.serving() as api, trial.consuming(**patience) as consumer:
        with trial.sending(api, seed=7, per_s=trial.often(8, 20)) as load:
            load.wait_for_more(20)
            target = consumer.processors()[:1] if victim == "record processor" else [consumer.daemon()]
            consumer.signal(signal.SIGSTOP, target)
            consumer.wait_for("consumer_restarting", within_s=120)
            consumer.wait_for("consumer_working", times=2, within_s=90)
        found = trial.check(load)
    (reason,) = restart_reasons(consumer)
    assert ("has not moved" if victim == "record processor" else "no sign of life") in reason
    trial.report("2 7", f"a {victim} that hangs (SIGSTOP)", 1, found)


@pytest.mark.full
def test_h13_a_deleted_lease_is_made_again_and_the_doctor_says_it_is_missing(trial: Trial) -> None:
    """KCL itself notices only after minutes."""
    with trial.serving() as api, trial.consuming() as consumer:
        with trial.sending(api, seed=13, per_s=20) as load:
            load.wait_for_more(20)
            key = {"leaseKey": {"S": "shardId-000000000001"}}
            trial.stack.dynamodb.delete_item(TableName=trial.stack.names.application, Key=key)
            eventually(partial(_doctor_says, trial, "shardId-000000000001 has no lease"), within_s=20)
            consumer.wait_for("shards_without_lease")
            consumer.wait_for("shard_started", times=3)
        found = trial.check(load)
        eventually(partial(_doctor_says, trial, "All is well"), within_s=30)
    assert restart_reasons(consumer) == []
    trial.report("2", "a lease row deleted by hand", 1, found)


@pytest.mark.full
def test_several_workers_share_the_shards(trial: Trial) -> None:
    """The second takes one of the first's two, and what it takes it goes on with; the status of each tells its share."""
    with trial.serving() as api, trial.consuming("first") as first, trial.sending(api, seed=14, per_s=20) as load:
        with trial.consuming("second") as second:
            eventually(partial(_shares, trial, {"first": 1, "second": 1}), within_s=90)
            for worker in (first, second):
                eventually(partial(_works_on_one, trial, worker), within_s=60)
        eventually(partial(_shares, trial, {"first": 2}), within_s=90)
        load.stop()
        found = trial.check(load)
    trial.report("2", "a second worker that joins, takes its share, and leaves", 1, found)


def _doctor_says(trial: Trial, words: str) -> None:
    command = [str(Path(sys.executable).with_name("telemetry")), "doctor"]
    environ = {**trial.stack.environ, "PORT": "0"}  # whoever listens at the usual one is nobody's business here
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert words in done.stdout, done.stdout + done.stderr
    assert done.returncode == (words != "All is well")


def _shares(trial: Trial, shares: dict[str, int]) -> None:
    seen = observe(trial.stack.kinesis, trial.stack.dynamodb, trial.stack.names)
    assert {worker: len(seen.held(worker)) for worker in shares} == shares


def _works_on_one(trial: Trial, worker: Consumer) -> None:
    environ = {**trial.stack.environ, "WORKER_ID": worker.name, "TMPDIR": str(worker.log.parent)}
    command = [sys.executable, "-m", "consumer.status"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    status = json.loads(done.stdout)
    assert (done.returncode, status["phase"], len(status["shards"]["working"])) == (0, "working", 1), status
