"""The chain under random schedules of rivals, crashes, lost answers, reshards and trimming; and bugs put in to be found."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest

from tests.simulation.archive.bugs import Bug
from tests.simulation.archive.simulate import fingerprint, run_schedule
from tests.simulation.campaign import seeds_until_caught, violations

SCHEDULES = 200
SEEDS_TO_CATCH_A_BUG_MAX = 1_000
REGRESSION_SEEDS = (3, 85)
"""Schedules that found one of the seeded bugs when few others did; the bugs meet them first."""


@pytest.mark.parametrize("seed", REGRESSION_SEEDS)
def test_a_schedule_that_once_found_a_bug_keeps_the_promises(seed: int) -> None:
    """Seeds worth remembering."""
    run_schedule(seed)


def test_many_schedules_leave_the_log_whole() -> None:
    """Archive and stream together are the log at every moment, once each record, or a gap says what may be missing."""
    schedules = 0
    broken = []
    for count, texts in violations(range(SCHEDULES), 2, run_schedule):
        schedules += count
        broken += texts
    assert schedules == SCHEDULES
    assert not broken, "\n".join(broken[:3])


def test_a_seed_replays_identically() -> None:
    """And another seed is another schedule."""
    assert fingerprint(5) == fingerprint(5) != fingerprint(6)


def test_seeded_bugs_are_caught() -> None:
    """Whoever takes out one of the chain's rules hears of it."""
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        search = partial(seeds_until_caught, seeds_max=SEEDS_TO_CATCH_A_BUG_MAX, run=run_schedule, first=REGRESSION_SEEDS)
        needed = dict(zip([bug.name for bug in Bug], processes.map(search, Bug), strict=True))
    assert all(needed.values()), f"not caught: {[name for name, seeds in needed.items() if seeds is None]}"
