"""What operators type while clients ask, and what those are told."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import httpx

from tests.faults.conftest import Trial
from tests.faults.instances import Api
from tests.support.promoting import Answer

CLIENTS = 4


def command(*words: str) -> list[str]:
    """The command line of `telemetry`."""
    return [str(Path(sys.executable).with_name("telemetry")), *words]


def typed(trial: Trial, *words: str) -> subprocess.CompletedProcess[str]:
    """What `telemetry` did and said."""
    return subprocess.run(command(*words), env=trial.stack.environ, capture_output=True, text=True, timeout=300, check=False)


def verified(trial: Trial, name: str) -> str:
    """What `telemetry verify` says of a generation that is equal."""
    told = typed(trial, "verify", name)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


@contextmanager
def clients_asking(trial: Trial, apis: Sequence[Api]) -> Iterator[list[Answer]]:
    """Clients that ask one process of the API or the other, and what they are told."""
    answers: list[Answer] = []
    over = threading.Event()

    def ask(chance: Random) -> None:
        with httpx.Client(timeout=20) as client:
            while not over.wait(chance.uniform(0, 0.2)):
                process, asked_s = chance.randrange(len(apis)), time.monotonic()
                try:
                    answer = client.get(f"{apis[process].url}/api/stats?detail=true")
                except httpx.TransportError:  # not there yet
                    continue
                if answer.status_code == 200:
                    told = answer.json()
                    answers.append(Answer(process, asked_s, time.monotonic(), told["Generation"], told["Count"]))

    threads = [threading.Thread(target=ask, args=(Random(seed),)) for seed in range(CLIENTS)]  # noqa: S311  which is asked
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert len(answers) > CLIENTS, trial.folder.joinpath("api.log").read_text()[-3000:]
