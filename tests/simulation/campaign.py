"""Schedules of any simulator: one run to its end, many on several cores, and how many it takes to catch a bug."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from enum import Enum
from functools import partial
from itertools import batched
from multiprocessing import get_context
from typing import Any, Protocol

from tests.simulation.violation import Violation

SEEDS_A_TASK = 100
TRACE_LINES_SHOWN = 15

type Bugs = frozenset[Any]
"""Bugs that are seeded, of a simulator's own enumeration."""


class Simulation(Protocol):
    """One schedule."""

    trace: list[str]
    """What happened, step by step."""

    def run(self) -> None:
        """Raises Violation."""

    def left_behind(self) -> str:
        """All that a schedule made, as text."""


type Simulator = Callable[[int, Bugs], Simulation]
"""Makes the schedule of a seed. It is a module's own name, so that other processes find it."""


def run_schedule(simulator: Simulator, seed: int, bugs: Bugs = frozenset()) -> None:
    """Run one schedule to its end. Raises Violation with the seed and the last steps."""
    simulation = simulator(seed, bugs)
    try:
        simulation.run()
    except Violation as violation:
        last = "\n  ".join(simulation.trace[-TRACE_LINES_SHOWN:])
        raise Violation(f"seed {seed}, step {len(simulation.trace)}: {violation}\n  {last}") from None


def fingerprint(simulator: Simulator, seed: int) -> str:
    """A hash of everything that a schedule did and left behind."""
    simulation = simulator(seed, frozenset())
    simulation.run()
    return hashlib.sha256("\n".join([*simulation.trace, simulation.left_behind()]).encode()).hexdigest()


def violations(simulator: Simulator, seeds: range, jobs: int) -> Iterator[tuple[int, list[str]]]:
    """For every piece of the seeds, as it is done: how many schedules it had, and what was broken."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as processes:
        pieces = list(batched(seeds, SEEDS_A_TASK, strict=False))
        for piece, broken in zip(pieces, processes.map(partial(_broken, simulator), pieces), strict=True):
            yield len(piece), broken


def require_kept(simulator: Simulator, schedules: int) -> None:
    """Run so many schedules. Raises Violation with the first of those that broke a promise."""
    found = list(violations(simulator, range(schedules), 2))
    assert sum(count for count, _ in found) == schedules
    if broken := [text for _, texts in found for text in texts]:
        raise Violation("\n".join(broken[:3]))


def not_caught(simulator: Simulator, bugs: Iterable[Enum], seeds_max: int, *, first: Sequence[int] = ()) -> list[str]:
    """The names of those bugs that neither the seeds in `first` nor so many from 0 on find."""
    seeds = [*first, *range(seeds_max)]
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        caught = {bug.name: processes.submit(_is_caught, simulator, bug, seeds) for bug in bugs}
        return [name for name, found in caught.items() if not found.result()]


def _is_caught(simulator: Simulator, bug: Enum, seeds: Sequence[int]) -> bool:
    return any(_violation(simulator, seed, frozenset({bug})) for seed in seeds)


def _broken(simulator: Simulator, seeds: tuple[int, ...]) -> list[str]:
    return [text for seed in seeds if (text := _violation(simulator, seed, frozenset()))]


def _violation(simulator: Simulator, seed: int, bugs: Bugs) -> str | None:
    try:
        run_schedule(simulator, seed, bugs)
    except Violation as violation:
        return str(violation)
    return None
