"""Many schedules on several cores."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import batched
from multiprocessing import get_context

from tests.simulation.bugs import NONE, Bug, Bugs
from tests.simulation.simulate import run_schedule
from tests.simulation.violation import Violation

SEEDS_A_TASK = 100


def violations(seeds: range, jobs: int) -> Iterator[tuple[int, list[str]]]:
    """For every piece of the seeds, as it is done: how many schedules it had, and what was broken."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as processes:
        pieces = list(batched(seeds, SEEDS_A_TASK, strict=False))
        for piece, broken in zip(pieces, processes.map(_broken, pieces), strict=True):
            yield len(piece), broken


def seeds_until_caught(bug: Bug, seeds_max: int) -> int | None:
    """How many seeds it takes to catch a bug; None when they do not suffice."""
    bugs = frozenset({bug})
    return next((seed + 1 for seed in range(seeds_max) if _violation(seed, bugs)), None)


def _broken(seeds: tuple[int, ...]) -> list[str]:
    return [text for seed in seeds if (text := _violation(seed, NONE))]


def _violation(seed: int, bugs: Bugs) -> str | None:
    try:
        run_schedule(seed, bugs)
    except Violation as violation:
        return str(violation)
    return None
