"""Somebody who asks the read model all the time: what was counted is never taken back."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from projections.dynamodb_reads import AwsReads
from projections.effects import run
from projections.fleet import FleetReader
from projections.ranges import fleet_between
from projections.reads import ReadSteps
from projections.sensors import sensors
from projections.tiles import DAY_US
from telemetry.aws import dynamodb_client
from tests.support.stack import Stack

_PAUSE_S = 0.2


@dataclass
class Watch:
    """What was answered so far, by question."""

    answers: dict[str, int] = field(default_factory=dict)
    taken_back: list[str] = field(default_factory=list)

    def check(self) -> dict[str, int]:
        """How many answers there were to each question; fails when one said less than the one before."""
        assert not self.taken_back, self.taken_back
        assert len(self.answers) == len(_QUESTIONS)
        return self.answers


def _everything(fleet: FleetReader) -> ReadSteps[int]:
    return (yield from fleet.total()).value.count


def _history(fleet: FleetReader) -> ReadSteps[int]:
    """Days from 1970 on, which hold whatever the load's sensors measure."""
    return (yield from fleet_between(fleet, 0, 30_000 * DAY_US)).value.count


def _sensors(fleet: FleetReader) -> ReadSteps[int]:
    page = (yield from sensors(fleet, limit=1000)).value
    return sum(one.stats.count for one in page.sensors)


_QUESTIONS: dict[str, Callable[[FleetReader], ReadSteps[int]]] = {
    "everything": _everything,
    "history": _history,
    "sensors": _sensors,
}


@contextmanager
def watching(stack: Stack) -> Iterator[Watch]:
    """Asks during the block, each question of a reader of its own that lives as long. Raises what asking raised."""
    watch, over = Watch(), threading.Event()
    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(_ask_until, stack, watch, over)
        try:
            yield watch
        finally:
            over.set()
        asking.result()


def _ask_until(stack: Stack, watch: Watch, over: threading.Event) -> None:
    dynamodb = dynamodb_client(stack.settings)
    reads = AwsReads(dynamodb, stack.names)
    fleets = {name: FleetReader() for name in _QUESTIONS}
    counts = dict.fromkeys(_QUESTIONS, 0)
    try:
        while not over.wait(_PAUSE_S):
            for name, ask in _QUESTIONS.items():
                count = run(ask(fleets[name]), reads)
                if count < counts[name]:
                    watch.taken_back.append(f"{name}: {counts[name]}, then {count}")
                counts[name] = count
                watch.answers[name] = watch.answers.get(name, 0) + 1
    finally:
        dynamodb.close()
