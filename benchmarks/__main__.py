"""`python -m benchmarks [P1 P6 …]`: measure, print a table, and keep the figures in benchmarks/results.json."""

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import (
    archiving,
    closed_shards,
    consuming,
    keyed,
    live,
    one_key,
    page,
    pipeline,
    producing,
    questions,
    rebuilding,
    steady,
    write_units,
)
from benchmarks.figures import Figure
from benchmarks.rig import ROOT, Rig, open_rig

RESULTS = Path(__file__).with_name("results.json")
_PACKAGES = ("boto3", "starlette", "uvicorn", "uvloop", "httptools", "amazon_kclpy")

MEASUREMENTS: dict[str, tuple[Callable[[Rig], Iterator[Figure]], ...]] = {
    "P1": (producing.against_one_put_per_request,),
    "P2": (producing.against_no_op,),
    "P3": (producing.against_original,),
    "P4": (producing.latency,),
    "P5": (producing.aws_client_cost,),
    "P6": (producing.bytes_per_reading,),
    "P7": (write_units.per_reading,),
    "P8": (consuming.against_batch_writes,),
    "P9": (consuming.against_sample_consumer,),
    "P10": (consuming.replay_speed,),
    "P11": (pipeline.freshness,),
    "P12": (pipeline.recovery,),
    "P14": (producing.stats_against_no_op,),
    "P15": (steady.throughput_under_doubt,),
    "P16": (consuming.memory, steady.memory, pipeline.idle),
    "P17": (pipeline.first_reading,),
    "P18": (steady.share_of_a_core,),
    "P19": (steady.under_doubt,),
    "P20": (one_key.of_fleet_rows, one_key.of_the_index, closed_shards.read_units),
    "P21": (questions.history,),
    "P22": (live.streams,),
    "P23": (producing.batches,),
    "P24": (archiving.archiver,),
    "P25": (rebuilding.from_the_archive,),
    "P26": (archiving.parquet,),
    "P27": (page.dashboard,),
    "P28": (keyed.cost, keyed.noisy),
    "grow": (producing.growth,),
}


def main() -> int:
    """Measure what is named, or everything."""
    named = [name for text in sys.argv[1:] for name in text.replace(",", " ").split()]
    if unknown := set(named) - MEASUREMENTS.keys():
        say(f"There is no {', '.join(sorted(unknown))}. There are: {', '.join(MEASUREMENTS)}.")
        return 2
    kept: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"figures": []}
    began_s = time.monotonic()
    with open_rig(ROOT / ".local/bench") as rig:
        for number in named or MEASUREMENTS:
            say(f"{number} … ({time.monotonic() - began_s:.0f} s so far)")
            figures = [figure for measure in MEASUREMENTS[number] for figure in _told(measure(rig))]
            kept["figures"] = [old for old in kept["figures"] if old["number"] != number] + [f.as_json() for f in figures]
            kept |= _circumstances()
            RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False, default=float) + "\n")
    say(f"{RESULTS.relative_to(ROOT)} is written after {time.monotonic() - began_s:.0f} s")
    return 0


def _told(figures: Iterator[Figure]) -> Iterator[Figure]:
    for figure in figures:
        say(figure.line())
        for name, value in figure.beside.items():
            if isinstance(value, float):
                say(f"         {name}: {value:.4g}")
        yield figure


def _circumstances() -> dict[str, Any]:
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ""
    )
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} × {cpu}, {platform.system()} {platform.release()}",
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }


def say(text: str) -> None:
    """To the person at the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
