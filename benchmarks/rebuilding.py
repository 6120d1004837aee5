"""P25: a rebuild from an archive folder, and the verification of the tables that come of it.

Both are the commands' own work on real clients, whose calls are answered from a file in place of a socket. Processor time is
told, without what the answering takes, which stands beside it. A run that lost a reading, or in which anything differs, fails.

`python -m benchmarks.rebuilding READINGS` does it once, for a log of any length: 10,000,000 take ten minutes.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.figures import Figure
from benchmarks.rig import ROOT, Rig

_READINGS: Final = 400_000
_RUNS: Final = 3
_STEP_S_MAX: Final = 3600

type Told = dict[str, float]


def from_the_archive(rig: Rig) -> Iterator[Figure]:
    """P25: readings a second of one core."""
    runs = [steps(rig.folder, _READINGS) for _ in range(_RUNS)]
    figure = partial(
        Figure, "P25", unit="/s", note="1,000 sensors at a reading in ten seconds, one shard, calls answered from a file"
    )
    for step, what, reach, then in (
        ("fill", "rebuild from the archive, readings/s a core", 40_000, 100_000),
        ("verify", "verify, readings/s a core", 60_000, None),
    ):
        told = [run[step] for run in runs]
        values = [one["readings"] / one["CPU s"] for one in told]
        yield figure(what=what, reach=reach, then=then, values=values, beside=_medians(told))


def steps(folder: Path, readings: int) -> dict[str, Told]:
    """What each step told, in its order. Fails unless each reading was counted and compared."""
    with TemporaryDirectory(prefix="telemetry-bench-", dir=folder) as place:
        found = {step: _step(step, place, readings) for step in ("archive", "fill", "verify")}
    assert found["fill"]["readings"] == found["verify"]["readings"] == readings, found
    assert found["fill"]["items written"] >= found["verify"]["items read"] > 0, found
    return found


def _step(step: str, folder: str, readings: int) -> Told:
    command = [sys.executable, "-m", "benchmarks.one_proof", step, folder, str(readings)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=_STEP_S_MAX, check=True)
    told: Told = json.loads(done.stdout.splitlines()[-1])
    return told


def _medians(told: Sequence[Told]) -> Told:
    medians = {name: float(median(one[name] for one in told)) for name in told[0]}
    return {"CPU s a million": medians["CPU s"] / medians["readings"] * 1e6, **medians}


def main() -> None:
    """Say of each step what it took."""
    folder = ROOT / ".local/bench"
    folder.mkdir(parents=True, exist_ok=True)
    for step, told in steps(folder, int(sys.argv[1])).items():
        what = ", ".join(f"{name} {value:,.0f}" for name, value in told.items())
        sys.stdout.write(f"{step}: {what}\n")


if __name__ == "__main__":
    main()
