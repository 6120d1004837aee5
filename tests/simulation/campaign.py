"""Many schedules on several cores."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import batched
from multiprocessing import get_context

from tests.simulation.violation import Violation

SEEDS_A_TASK = 100


type Schedule = Callable[..., None]
"""Runs the schedule of a seed, with a set of bugs or without; raises Violation."""


def violations(seeds: range, jobs: int, run: Schedule) -> Iterator[tuple[int, list[str]]]:
    """For every piece of the seeds, as it is done: how many schedules it had, and what was broken."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as processes:
        pieces = list(batched(seeds, SEEDS_A_TASK, strict=False))
        for piece, broken in zip(pieces, processes.map(partial(_broken, run=run), pieces), strict=True):
            yield len(piece), broken


def seeds_until_caught(bug: object, seeds_max: int, run: Schedule, *, first: Sequence[int] = ()) -> int | None:
    """How many seeds it takes to catch a bug, `first` and then from 0 on; None when they do not suffice."""
    bugs = frozenset({bug})
    seeds = [*first, *range(seeds_max)]
    return next((number for number, seed in enumerate(seeds, 1) if _violation(run, seed, bugs)), None)


def _broken(seeds: tuple[int, ...], run: Schedule) -> list[str]:
    return [text for seed in seeds if (text := _violation(run, seed, frozenset()))]


def _violation(run: Schedule, seed: int, bugs: frozenset[object]) -> str | None:
    try:
        run(seed, bugs)
    except Violation as violation:
        return str(violation)
    return None
