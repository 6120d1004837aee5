"""Generations under random schedules of rebuilds, promotes, drops, crashes and zombies; and bugs put in to be found."""

import pytest

from tests.simulation.campaign import fingerprint, not_caught, require_kept, run_schedule
from tests.simulation.generations.bugs import Bug
from tests.simulation.generations.simulate import Simulation

SCHEDULES = 40
"""`make simulate WHAT=generations` runs as many as one likes."""
SEEDS_TO_CATCH_A_BUG_MAX = 1_000
REGRESSION_SEEDS = (1, 2, 3, 4, 12, 44, 60, 881)
"""Schedules that found a bug, a seeded one or one of ours, when few others did. The bugs meet them first."""


@pytest.mark.parametrize("seed", REGRESSION_SEEDS)
def test_a_schedule_that_once_found_a_bug_keeps_the_promises(seed: int) -> None:
    """Seeds worth remembering."""
    run_schedule(Simulation, seed)


def test_many_schedules_keep_the_promises() -> None:
    """No count falls over a promote, all generations are equal in the end, and nobody writes into another one's tables."""
    require_kept(Simulation, SCHEDULES)


def test_a_seed_replays_identically() -> None:
    """And another seed is another schedule."""
    assert fingerprint(Simulation, 5) == fingerprint(Simulation, 5) != fingerprint(Simulation, 6)


def test_seeded_bugs_are_caught() -> None:
    """Whoever takes out one of the rules hears of it."""
    assert not not_caught(Simulation, Bug, SEEDS_TO_CATCH_A_BUG_MAX, first=REGRESSION_SEEDS)
