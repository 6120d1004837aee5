"""A fleet of thousands that is late, repeats itself and has wrong clocks, while its consumer is killed at random."""

import signal
import time
from functools import partial
from random import Random
from statistics import median
from typing import Any

import pytest

from projections.queries import fleet_stats
from tests.faults.checker import events_in_log
from tests.faults.conftest import Trial
from tests.faults.fleet import Lag, fleet_sending, lag_watched
from tests.faults.instances import Consumer
from tests.faults.test_outages import lasts
from tests.support.oracle import eventually_equal
from tests.support.waiting import eventually

LAG_S_MAX = 5
RECOVERY_S_MAX = 300
"""Who is restarted looks thousands of late readings up in their packs, which takes DynamoDB Local milliseconds each."""


@pytest.mark.full
@pytest.mark.timeout(5400)
def test_a_fleet_is_kept_up_with_and_counted_over_kills(trial: Trial) -> None:
    """Outside the kills totals are never more than seconds behind, and in the end every table is what was sent."""
    rng = Random(13)  # noqa: S311  repeatable on purpose
    kills, sensors = 0, 2_000
    with trial.consuming() as consumer:
        with lag_watched(trial.stack, LAG_S_MAX) as lag, fleet_sending(trial.stack, sensors, seed=13) as fleet:
            lag.killed()  # as one that has just started, it has to catch up
            eventually(partial(_recovered, lag), within_s=60)
            end_s = time.monotonic() + 1_800
            while time.monotonic() < end_s:
                lasts(rng.randrange(5, 55))
                consumer.signal(signal.SIGKILL, _victims(consumer, rng))
                lag.killed()
                eventually(partial(_recovered, lag), within_s=RECOVERY_S_MAX)
                kills += 1
            lasts(5)
        log = set(fleet.sent)
        told: dict[str, Any] = {
            "looks": len(lag.lags_s),
            "median_lag_s": round(median(lag.lags_s), 2),
            "worst_lag_s": round(max(lag.lags_s), 2),
            "slowest_recovery_s": round(max(lag.recoveries_s), 1),
        }
        print(f"{kills} kills, {told}")  # noqa: T201  of half an hour that may end in another failure
        assert events_in_log(trial.stack).keys() == log
        eventually(lambda: _counted(trial, len(log)), within_s=120)
        eventually_equal(trial.stack, log, within_s=300)
    assert max(lag.lags_s) <= LAG_S_MAX
    trial.report(
        "2 5 7",
        f"kill -9 of record processors, daemon or both, {sensors} sensors at 1/s, a tenth late, repeats, clocks ahead",
        kills,
        readings=len(log),
        repeats=len(fleet.sent) - len(log),
        **told,
    )


def _victims(consumer: Consumer, rng: Random) -> list[int]:
    """A record processor, all of them, the daemon, or everything below the supervisor."""
    processors, daemon = consumer.processors(), consumer.daemon()
    return rng.choice([processors[:1], processors, [daemon], [*processors, daemon]])


def _recovered(lag: Lag) -> None:
    assert lag.recovered


def _counted(trial: Trial, readings: int) -> None:
    assert fleet_stats(trial.stack.dynamodb, trial.stack.names).stats.count == readings
