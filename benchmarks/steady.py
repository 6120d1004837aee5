"""P15, P16, P18 and P19: what one shard's child takes in steady state, its calls answered without a network (`one_child.py`).

Told in processor seconds for each second of the log, or for each reading, so that neither the emulator nor what else the
machine does has a part in it.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.child_log import Log
from benchmarks.figures import Figure, ratios
from benchmarks.rig import ROOT, Rig

PAIRS = 3
FULL_SHARD_READINGS_S = 34_000
"""What a shard's megabyte a second holds of them (P6)."""
_EARLY_S = 120
"""After noon: ten minutes do not turn while a large fleet is measured, as they do not in P7."""
_ROOM_S = 100
"""Of log beyond what is measured: for the flushes before, and for the last to end."""
_TASK_S_MAX = 3 * 3600

type Told = dict[str, float]


@dataclass(frozen=True)
class Sample:
    """A log, and how much of it is measured, from one full flush to another; all of it with 0."""

    log: Log
    measured_s: float
    restarted: bool = False
    """Whether the child has forgotten what the log before told it, but for what the tables hold."""


def share_of_a_core(rig: Rig) -> Iterator[Figure]:
    """P18: whole periods between full flushes, of 10,000 sensors at a reading a second each, and of a full shard."""
    for readings_s, reach, then in ((10_000, 35, 28), (FULL_SHARD_READINGS_S, 100, 55)):
        told = _large_fleet(rig.folder, readings_s)
        what = f"share of a core, one child in steady state, 10,000 sensors, {readings_s:,} readings/s"
        yield Figure("P18", what, "%", reach, then, _shares(told), _beside(told), smaller_is_better=True)


def under_doubt(rig: Rig) -> Iterator[Figure]:
    """P19: readings that may have come before, against as many that are newer than all before them."""
    hour = _after_an_hour(rig.folder)
    fast = Log(1, 1000, -60, 600 + _ROOM_S)
    few = Log(300, 300, -240, 300 + _ROOM_S)
    for what, clean, doubted in (
        ("300 sensors, each once up to a day ahead", *_pairs(rig.folder, few, "ahead", 300)),
        ("2,000 sensors, a tenth up to an hour late", hour["clean"], hour["late"]),
        ("one sensor at 1,000/s, out of order by up to a second", *_pairs(rig.folder, fast, "disordered", 600)),
    ):
        beside = {"clean, % of a core": statistics.median(_shares(clean)), **_beside(doubted)}
        values = ratios(_shares(doubted), _shares(clean))
        yield Figure("P19", f"share of a core, {what} ÷ in order", "×", 1.5, 1.2, values, beside, smaller_is_better=True)


def throughput_under_doubt(rig: Rig) -> Iterator[Figure]:
    """P15: readings a processor second, of 720,000 by 2,000 sensors whose last hour was projected before."""
    hour = _after_an_hour(rig.folder)
    doubted = (*hour["repeated"], *hour["late"], *hour["late anew"])
    assert all(told["doubts"] > told["readings"] / 20 for told in doubted), "little was in doubt"
    clean = _rates(hour["clean"])
    for what, name in (("10 % repeats", "repeated"), ("10 % up to an hour late", "late")):
        beside = {"clean readings per CPU s": statistics.median(clean), **_beside(hour[name])}
        what = f"readings a processor second with {what} ÷ clean"  # noqa: PLW2901  said whole
        yield Figure("P15", what, "×", 0.8, 0.9, ratios(_rates(hour[name]), clean), beside)
    anew = hour["late anew"]
    what = "the same with 10 % up to an hour late, by a child that was just started"
    yield Figure("P15", what, "×", None, None, ratios(_rates(anew), clean[:1]), _beside(anew))


def memory(rig: Rig) -> Iterator[Figure]:
    """P16: the most memory a child takes that has a full shard, and one that meets 70,000 sensors in two seconds."""
    burst = Sample(Log(70_000, FULL_SHARD_READINGS_S, _EARLY_S, 60, "burst"), 0)
    for what, reach, told in (
        ("a full shard of 10,000 sensors", 256, _large_fleet(rig.folder, FULL_SHARD_READINGS_S)),
        ("a burst of 70,000 new sensors", 300, taken(rig.folder, [burst])),
    ):
        values = [one["memory_mb"] for one in told]
        what = f"most memory of one shard's child, {what}"  # noqa: PLW2901  said whole
        yield Figure("P16", what, "MB", reach, None, values, _beside(told), smaller_is_better=True)


@cache
def _large_fleet(folder: Path, readings_s: int) -> Sequence[Told]:
    """Of 10,000 sensors. P16 weighs what P18 times."""
    measured_s = 60 if readings_s <= 10_000 else 30
    return taken(folder, [Sample(Log(10_000, readings_s, _EARLY_S, measured_s + _ROOM_S), measured_s)] * PAIRS)


@cache
def _after_an_hour(folder: Path) -> dict[str, Sequence[Told]]:
    """Logs of 2,000 sensors that follow an hour of theirs, each from the very state in which that left a child.

    P15 and P19 ask the same of them in two ways.
    """
    before = Log(2000, 2000, _EARLY_S, 3600)
    clean = Sample(Log(2000, 2000, _EARLY_S + 3600, 360 + _ROOM_S), 360)
    late, repeated = (replace(clean, log=replace(clean.log, kind=kind)) for kind in ("late", "repeated"))
    *told, anew = taken(folder, [*[clean, late, repeated] * PAIRS, replace(late, restarted=True)], before, abreast=3)
    return {"late anew": [anew], **{name: told[n::3] for n, name in enumerate(("clean", "late", "repeated"))}}


def _pairs(folder: Path, clean: Log, kind: Any, measured_s: float) -> tuple[Sequence[Told], Sequence[Told]]:
    """The same sensors in order and not."""
    told = taken(folder, [Sample(clean, measured_s), Sample(replace(clean, kind=kind), measured_s)] * PAIRS, abreast=2)
    return told[::2], told[1::2]


def taken(folder: Path, samples: Sequence[Sample], before: Log | None = None, *, abreast: int = 1) -> Sequence[Told]:
    """What a process of its own tells of each sample; so many that follow each other run abreast."""
    logs = [asdict(sample) for sample in samples]
    task = {"folder": str(folder), "before": before and asdict(before), "logs": logs, "abreast": abreast}
    command = [sys.executable, "-m", "benchmarks.one_child", json.dumps(task)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=_TASK_S_MAX, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _shares(told: Sequence[Told]) -> list[float]:
    return [100 * one["cpu_s"] / one["seconds"] for one in told]


def _rates(told: Sequence[Told]) -> list[float]:
    return [one["readings"] / one["cpu_s"] for one in told]


def _beside(told: Sequence[Told]) -> Told:
    """The middle of all runs: what was done, and what it took."""
    medians = {name: statistics.median(one.get(name, 0) for one in told) for name in told[0]}
    seconds, cpu_s = medians.pop("seconds"), medians.pop("cpu_s")
    rates = {f"{name} per s": float(medians[name] / seconds) for name in ("readings", "items")}
    took = {
        "CPU µs a reading": cpu_s / medians["readings"] * 1e6,
        "canned table's CPU, % of a core": medians.pop("table_s") / seconds * 100,
        "ms of a fixed loop meanwhile": medians.pop("loop_s") / medians["deliveries"] * 1000,
    }
    medians.pop("process_s")
    return {**rates, **took, **{name: float(count) for name, count in medians.items()}}
