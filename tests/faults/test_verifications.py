"""`telemetry verify` again and again while sensors send and processes are killed: what is in motion is no difference."""

import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from random import Random

import pytest

from tests.faults.conftest import FULL, Trial
from tests.faults.test_kills import VICTIMS, kill
from tests.faults.test_whole_log import archiving

FEW = ["API", "record processor"]
"""Who is killed in the short version, the last one first."""
TRIES = 5
"""Of a verification that nobody answers."""


@pytest.mark.timeout(3 * 3600)
def test_tables_are_equal_to_the_log_at_any_moment(trial: Trial, tmp_path: Path) -> None:
    """Whoever is killed while they are read: no verification finds a difference, or anything of the log missing."""
    rng = Random(25)  # noqa: S311  repeatable on purpose
    runs, kills = trial.often(2, 200), 0
    victims = rng.choices(list(VICTIMS), list(VICTIMS.values()), k=10 * runs) if FULL else [*FEW]
    environ = trial.stack.environ
    archiver: AbstractContextManager[None] = nullcontext()
    if FULL:
        environ = {**environ, "ARCHIVE_TARGET": str(tmp_path / "archive")}
        archiver = archiving(trial.stack, environ, tmp_path / "archive.log")
    with trial.serving() as api, trial.consuming() as consumer, archiver, ThreadPoolExecutor(1) as beside:
        with trial.sending(api, seed=25, per_s=trial.often(40, 20)) as load:
            load.wait_for_more(20)
            verified = beside.submit(_verified, environ, runs)
            while not verified.done():
                load.wait_for_more(rng.randrange(20, trial.often(100, 400)), within_s=300)
                if victims:
                    kill(victims.pop(), consumer, api)
                    kills += 1
            verified.result()
        found = trial.check_stored(load)
        _verified(environ, trial.often(0, 1))
    fault = "kill -9 of record processor, daemon, both or API during verifications, none of which found a difference"
    trial.report("2 5", fault, kills, found, verifications=runs)


def _verified(environ: Mapping[str, str], runs: int) -> None:
    for number in range(runs):
        for _ in range(TRIES):
            done = _verify(environ)
            if "Nobody answers" not in done.stderr:
                break  # else it did not look: the emulator is busy with who was killed
        assert done.returncode == 0, f"number {number}: {done.stdout}{done.stderr}"


def _verify(environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("telemetry")), "verify"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=600, check=False)
