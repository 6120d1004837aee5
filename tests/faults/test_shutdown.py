"""SIGTERM under load: the consumer leaves in order, again and again."""

import time

import pytest

from consumer.properties import SHUTDOWN_GRACE_S
from tests.faults.conftest import Trial
from tests.support.logs import log_lines


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_h08_sigterm_during_load(trial: Trial) -> None:
    """Every shard's processor hears of it, flushes and checkpoints; the next worker starts where it stopped."""
    times = 50
    seconds = []
    with trial.serving() as api, trial.sending(api, seed=8, per_s=10) as load:
        for _ in range(times):
            with trial.consuming() as consumer:
                load.wait_for_more(10)
                began_s = time.monotonic()
                assert consumer.stop() == 0
                seconds.append(time.monotonic() - began_s)
        with trial.consuming() as consumer:
            load.stop()
            found = trial.check(load)
    assert max(seconds) < SHUTDOWN_GRACE_S
    lines = log_lines(consumer.log)
    asked = [line for line in lines if line["event"] == "shutdown_requested"]
    assert len(asked) == 2 * (times + 1), "a processor did not hear of the shutdown"
    assert redelivered(lines) == 0
    trial.report(
        "1 2 4", "SIGTERM of the consumer under load", times, found, slowest_exit_s=round(max(seconds), 2), redelivered=0
    )


def redelivered(lines: list[dict[str, object]]) -> int:
    """How often a shard was begun before the place where its last processor stopped."""
    stopped: dict[object, object] = {}
    again = 0
    for line in lines:
        if line["event"] == "shutdown_requested" and line["position"]:
            stopped[line["shard_id"]] = str(line["position"])
        elif line["event"] == "shard_started" and line["shard_id"] in stopped:
            again += stopped[line["shard_id"]] != line["checkpoint"]
    return again
