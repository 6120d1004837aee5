"""The promises under random schedules of crashes, zombies, reshards, repeats and faults; and bugs put in to be found."""

import os
import subprocess
import sys

import pytest

from tests.simulation.bugs import Bug
from tests.simulation.campaign import fingerprint, not_caught, require_kept, run_schedule
from tests.simulation.simulate import Simulation

SCHEDULES = 200
"""`make simulate` runs as many as one likes."""
SEEDS_TO_CATCH_A_BUG_MAX = 1_000
REGRESSION_SEEDS = (0, 1, 3, 9, 13, 21, 31, 53, 311, 394, 839)
"""Schedules that found one of the seeded bugs when few others did, and any that ever found one of ours. Seeded bugs meet them
first, so that most are caught within a few schedules; the others are looked for from 0 on."""


@pytest.mark.parametrize("seed", REGRESSION_SEEDS)
def test_a_schedule_that_once_found_a_bug_keeps_the_promises(seed: int) -> None:
    """Seeds worth remembering."""
    run_schedule(Simulation, seed)


def test_many_schedules_keep_the_promises() -> None:
    """Every acknowledged reading is in the log, and every table is the fold of the log's distinct readings."""
    require_kept(Simulation, SCHEDULES)


def test_a_seed_replays_identically() -> None:
    """In this process twice, and in processes whose hashes are salted otherwise."""
    command = [sys.executable, "-m", "tests.simulation", "--fingerprint", "5"]
    elsewhere = {
        subprocess.run(
            command, env=os.environ | {"PYTHONHASHSEED": salt}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for salt in ("1", "2")
    }
    assert elsewhere | {fingerprint(Simulation, 5)} == {fingerprint(Simulation, 5)}
    assert fingerprint(Simulation, 5) != fingerprint(Simulation, 6)


def test_seeded_bugs_are_caught() -> None:
    """Whoever takes out one of the algorithm's precautions hears of it."""
    assert not not_caught(Simulation, Bug, SEEDS_TO_CATCH_A_BUG_MAX, first=REGRESSION_SEEDS)
