"""`python -m benchmarks.one_child <task as JSON>`: what one shard's child takes in steady state, a line of JSON for each log.

Nothing waits for anything: the log's clock moves, and what is measured is the processor time of projecting. What the canned
table takes of it is subtracted and told beside; how the log is made and brought here is left out. Logs that are compared run
abreast, one delivery of each in turn: so whatever else slows the machine for a while slows them alike.
"""

import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import batched
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

from benchmarks.canned import CannedDynamoDB
from benchmarks.child import DELIVERIES_A_SECOND, Child, Delivery, opened
from projections.dynamodb import AwsStores

_FLUSHES_BEFORE: Final = 2
"""Full flushes before anything is measured: with the first, rows are made that are changed ever after."""

_LOOP_TURNS: Final = 5_000

type Json = dict[str, Any]
type Sums = dict[str, float]


def main() -> None:
    """Take the log `before`, if the task has one; then each of its `logs` as if it alone followed, so many `abreast`."""
    task = json.loads(sys.argv[1])
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    child, folder = Child(), Path(task["folder"])
    try:
        if task["before"]:
            _work_through(child, _table(folder), task["before"])
        for samples in batched(task["logs"], task["abreast"], strict=False):
            for told in _abreast(child, folder, samples):
                sys.stdout.write(json.dumps(told) + "\n")
    finally:
        _table(folder).unlink(missing_ok=True)


def _abreast(child: Child, folder: Path, samples: Sequence[Json]) -> Iterable[Sums]:
    """What each tells. In a fork, memory and table are as the log before left them, and stay so here."""
    told: dict[int, Sums] = {}
    with ExitStack() as opened_turns:
        running: dict[int, Connection] = {}
        for number, sample in enumerate(samples):
            turns, theirs = multiprocessing.Pipe()
            multiprocessing.get_context("fork").Process(target=_take, args=(child, folder, sample, theirs)).start()
            theirs.close()
            running[number] = opened_turns.enter_context(turns)
        while running:
            for number, turns in list(running.items()):
                turns.send(None)
                if sums := turns.recv():  # EOFError: it failed, and has said why
                    told[number] = sums
                    del running[number]
    return [told[number] for number in sorted(told)]


def _take(child: Child, folder: Path, sample: Json, turns: Connection) -> None:
    try:
        if (left := _table(folder, os.getppid())).exists():
            shutil.copyfile(left, _table(folder))
        turns.send(_measured(child, _table(folder), turns, **sample))
    finally:
        _table(folder).unlink(missing_ok=True)


def _table(folder: Path, pid: int | None = None) -> Path:
    """Each process has its own."""
    return folder / f"one-child-{pid or os.getpid()}.db"


def _work_through(child: Child, table: Path, log: Json) -> None:
    with opened(table) as (stores, _):
        for delivery in _deliveries(log):
            child.project(delivery, stores)
        child.check(stores)


def _measured(child: Child, table: Path, turns: Connection, *, log: Json, measured_s: float, restarted: bool) -> Sums:
    """What was taken from one full flush to another, so many seconds of the log or more; of the whole log with 0 seconds."""
    if restarted:
        child.forget()
    sums: Sums = defaultdict(float)
    begun: Sums | None = None if measured_s else {}
    with opened(table) as (stores, canned):
        for delivery in _in_turn(_deliveries(log), turns):
            flushed = _project(child, delivery, stores, sums)
            if flushed and begun is None and sums["flushes"] == _FLUSHES_BEFORE:
                begun = _with_calls(sums, canned, child)
            elif flushed and begun and sums["deliveries"] - begun["deliveries"] >= measured_s * DELIVERIES_A_SECOND:
                break
        else:
            assert not measured_s, "the log is too short"
        assert begun is not None
        told = {name: value - begun.get(name, 0) for name, value in _with_calls(sums, canned, child).items()}
        child.check(stores)
    seconds, cpu_s = told["deliveries"] / DELIVERIES_A_SECOND, told["process_s"] - told["table_s"]
    return {**told, "seconds": seconds, "cpu_s": cpu_s, "memory_mb": most_memory_mb()}


def _project(child: Child, delivery: Delivery, stores: AwsStores, sums: Sums) -> bool:
    before_s = time.process_time()
    flushed = child.project(delivery, stores)
    sums["process_s"] += time.process_time() - before_s
    sums["deliveries"] += 1
    sums["readings"] += delivery.readings
    sums["repeated"] += delivery.repeated
    sums["flushes"] += flushed
    sums["loop_s"] += _loop_s()
    return flushed


def _loop_s() -> float:
    """Processor seconds of a fixed piece of Python: how fast this machine and interpreter are at the moment."""
    before_s, texts = time.process_time(), dict[int, str]()
    for turn in range(_LOOP_TURNS):
        texts[turn % 1000] = str(turn)
    return time.process_time() - before_s


def _with_calls(sums: Sums, canned: CannedDynamoDB, child: Child) -> Sums:
    calls = {f"{operation} calls": float(count) for operation, count in canned.calls.items()}
    asked = {"look-ups": canned.calls["Query"], "doubts": child.doubts}
    return {**sums, **calls, **asked, "items": canned.written.total(), "table_s": canned.cpu_s}


def _in_turn(deliveries: Iterator[Delivery], turns: Connection) -> Iterator[Delivery]:
    """Each when its turn has come, which ends when the next is asked for; the last one with what is told."""
    turns.recv()
    for delivery in deliveries:
        yield delivery
        turns.send(None)
        turns.recv()


def _deliveries(log: Json) -> Iterator[Delivery]:
    """From a file that another process has made before the first is drawn.

    Two processes at once would share a core's threads and caches: a reading was seen to take half as long again.
    """
    with TemporaryFile() as made:
        subprocess.run([sys.executable, "-m", "benchmarks.child_log", json.dumps(log)], stdout=made, check=True)
        made.seek(0)
        while made.peek(1):
            yield pickle.load(made)  # noqa: S301  from our own process


def most_memory_mb() -> float:
    """The most memory this process ever had."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
