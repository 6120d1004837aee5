"""`python -m benchmarks.one_child <task as JSON>`: what one shard's child takes in steady state, a line of JSON for each log.

Nothing waits for anything: the log's clock moves, and what is measured is the processor time of projecting. What the canned
table takes of it is subtracted and told beside; how the log is made and brought here is left out.
"""

import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
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
    """Take the log `before`, if the task has one; then each of its `logs` as if it alone followed."""
    task = json.loads(sys.argv[1])
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    child, folder = Child(), Path(task["folder"])
    try:
        if task["before"]:
            _work_through(child, _table(folder), task["before"])
        for sample in task["logs"]:
            # In a fork, memory and table are as the log before left them, and stay so here.
            if pid := os.fork():
                assert not os.waitpid(pid, 0)[1], f"{sample}: see above"
                continue
            if (left := _table(folder, os.getppid())).exists():
                shutil.copyfile(left, _table(folder))
            sys.stdout.write(json.dumps(_measured(child, _table(folder), **sample)) + "\n")
            break
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


def _measured(child: Child, table: Path, *, log: Json, measured_s: float, restarted: bool) -> Sums:
    """What was taken from one full flush to another, so many seconds of the log or more; of the whole log with 0 seconds."""
    if restarted:
        child.forget()
    sums: Sums = defaultdict(float)
    begun: Sums | None = None if measured_s else {}
    with opened(table) as (stores, canned):
        for delivery in _deliveries(log):
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
