"""Clients that nobody wants, beside sensors that do as they should: these must not notice."""

import json
import statistics
import subprocess
import sys
from collections import Counter

import pytest

from tests.faults.conftest import Trial
from tests.faults.hostile import READING
from tests.faults.instances import Api
from tests.faults.load import Load, Operation
from tests.faults.test_outages import lasts

SEED = 11


def hostile(api: Api, seed: int, count: int, per_s: float) -> Counter[str]:
    """Another process's worth of hostile clients, until it has done; how many of each kind there were."""
    command = [sys.executable, "-m", "tests.faults.hostile", api.url, "--seed", str(seed), "--count", str(count)]
    done = subprocess.run([*command, "--per-s", str(per_s)], stdout=subprocess.PIPE, text=True, check=True)
    return Counter(json.loads(done.stdout))


def honest(load: Load, begin: int) -> list[Operation]:
    """What sensors sent since; what they send malformed is left out."""
    return [operation for operation in load.operations[begin:] if operation.message.reading]


def p99_ms(operations: list[Operation]) -> int:
    """So long the slowest hundredth took at least."""
    return round(1000 * statistics.quantiles((o.ended_s - o.began_s for o in operations), n=100)[98])


@pytest.mark.timeout(6000)
def test_hostile_clients_beside_honest_ones(trial: Trial) -> None:
    """All kinds at random: honest sensors are answered 200 and stored, and memory and descriptors stay what they were."""
    rounds, count, quiet_s = trial.often(1, 6), trial.often(2_000, 175_000), trial.often(3, 30)
    alone: list[Operation] = []
    beside: list[Operation] = []
    made: Counter[str] = Counter()
    with trial.serving(CONNECTIONS_MAX="120") as api, trial.counting():
        with trial.sending(api, seed=12, per_s=20, clients=8) as load:
            load.wait_for_more(20)
            memory_mb, descriptors = [api.memory_mb()], [api.descriptors()]
            for number in range(rounds):
                begin = len(load.operations)
                lasts(quiet_s)
                alone += honest(load, begin)
                begin = len(load.operations)
                made += hostile(api, SEED + number, count, trial.often(2_000, 290))
                beside += honest(load, begin)
                memory_mb.append(api.memory_mb())
                lasts(quiet_s)
                descriptors.append(api.descriptors())
        told = Counter(operation.status for operation in alone + beside)
        figures = {
            "made": " ".join(f"{name} {number}" for name, number in sorted(made.items())),
            "honest_answered_200": told[200],
            "p99_ms_alone": p99_ms(alone),
            "p99_ms_beside": p99_ms(beside),
            "memory_mb": " ".join(f"{size:.0f}" for size in memory_mb),
            "descriptors": " ".join(map(str, descriptors)),
        }
        assert set(told) == {200}, (told, figures)
        assert min(made.values()) >= count / 1000, figures
        assert max(descriptors) <= descriptors[0] + 20, figures
        assert max(memory_mb) < memory_mb[0] + 40, figures
        found = trial.check_stored(load, READING)
    what = f"hostile clients of {len(made)} kinds at random (seed {SEED})"
    trial.report("1 2 4 6", what, made.total(), found, **figures)
