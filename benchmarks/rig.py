"""What every measurement stands on: one LocalStack, a stack of its own for each run, servers, and the load generator."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from infra.local.downloads import ensure_java
from infra.local.localstack import LocalStack
from telemetry.keys import KEY_VARIABLE
from telemetry.processes import end_with_parent
from tests.support.processes import children, free_port
from tests.support.stack import Stack, new_stack
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[1]
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_LOAD_S_MAX = 120


@dataclass(frozen=True)
class Server:
    """A server under load."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """Processor seconds it and its children have used."""
        return sum(map(cpu_s, [self.pid, *children(self.pid)]))


@dataclass(frozen=True)
class Rig:
    """One LocalStack for all runs, and a folder for logs."""

    endpoint: str
    java: str
    folder: Path

    @contextmanager
    def stack(self, shards: int = 2) -> Iterator[Stack]:
        """A stream and tables of a run's own."""
        with new_stack(self.endpoint, self.java, shards) as made:
            yield made

    @contextmanager
    def server(self, stack: Stack, *command: str, **environ: str) -> Iterator[Server]:
        """Run a server, given PORT, for the block; `command` is a Python module with its arguments, or a program's path."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        program = [*command] if command[0].startswith("/") else [sys.executable, "-m", *command]
        with (self.folder / "servers.log").open("ab") as log:
            process = subprocess.Popen(
                [part.replace("{port}", str(port)) for part in program],
                env={**stack.environ, "PORT": str(port), **environ},
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509  it only makes a system call
            )

        def answers() -> None:
            assert process.poll() is None, (self.folder / "servers.log").read_text()[-2000:]
            try:
                httpx.get(f"{url}/livez")
            except httpx.TransportError as error:
                raise AssertionError(str(error)) from error

        try:
            eventually(answers)
            yield Server(url, process.pid)
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def open_rig(folder: Path) -> Iterator[Rig]:
    """Start a LocalStack, which ends with the block."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
    folder.mkdir(parents=True, exist_ok=True)
    java = str(ensure_java())
    with LocalStack() as localstack:
        yield Rig(localstack.endpoint, java, folder)


def load(url: str, **options: object) -> dict[str, float]:
    """What `benchmarks.load` says of one run; its CPU is not the server's. `key` is sent along."""
    key = str(options.pop("key", ""))
    named = ((f"--{name.replace('_', '-')}", value) for name, value in options.items())
    arguments = [text for name, value in named for text in ([name] if value is True else [name, str(value)])]
    command = [sys.executable, "-m", "benchmarks.load", url, *arguments]
    environ = {**os.environ, KEY_VARIABLE: key}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_LOAD_S_MAX, check=False, env=environ)
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout)
    assert not result["refused"], result
    return result


def cpu_s(pid: int) -> float:
    """Processor seconds of one process, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def memory_mb(pid: int, what: str = "VmRSS") -> float:
    """Resident memory of a process, or with `VmHWM` the most it ever had."""
    return int(Path(f"/proc/{pid}/status").read_text().partition(f"{what}:")[2].split()[0]) / 1024
