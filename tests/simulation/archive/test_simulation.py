"""The chain under random schedules of rivals, crashes, lost answers, reshards and trimming; and bugs put in to be found."""

import pytest

from tests.simulation.archive.bugs import Bug
from tests.simulation.archive.simulate import Simulation
from tests.simulation.campaign import fingerprint, not_caught, require_kept, run_schedule

SCHEDULES = 100
SEEDS_TO_CATCH_A_BUG_MAX = 1_000
REGRESSION_SEEDS = (3, 45, 67, 85, 116, 2_586)
"""Schedules that found a bug, ours or a seeded one, when few others did; the seeded ones meet them first."""


@pytest.mark.parametrize("seed", REGRESSION_SEEDS)
def test_a_schedule_that_once_found_a_bug_keeps_the_promises(seed: int) -> None:
    """Seeds worth remembering."""
    run_schedule(Simulation, seed)


def test_many_schedules_leave_the_log_whole() -> None:
    """Archive and stream together are the log at every moment, once each record, or a gap says what may be missing."""
    require_kept(Simulation, SCHEDULES)


def test_a_seed_replays_identically() -> None:
    """And another seed is another schedule."""
    assert fingerprint(Simulation, 5) == fingerprint(Simulation, 5) != fingerprint(Simulation, 6)


def test_seeded_bugs_are_caught() -> None:
    """Whoever takes out one of the chain's rules hears of it."""
    assert not not_caught(Simulation, Bug, SEEDS_TO_CATCH_A_BUG_MAX, first=REGRESSION_SEEDS)
