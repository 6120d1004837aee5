"""The real processes under test, started as a user would start them and ended by their id."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from telemetry.processes import end_with_parent
from tests.support.waiting import eventually

_STOP_WAIT_S = 40


def free_port() -> int:
    """A port of the loopback address that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(module: str, environ: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """`python -m module` in a session of its own, its output appended to `log`; it ends with us."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", module],
            env=environ,
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509  it only makes a system call
        )


@contextmanager
def running(module: str, environ: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process for the block; SIGTERM at the end, SIGKILL if it must be."""
    process = start(module, environ, log)
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> int:
    """End a process in order and return its exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(_STOP_WAIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


@contextmanager
def running_api(environ: Mapping[str, str], log: Path) -> Iterator[str]:
    """The API on a free port; yields its base URL once it answers."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running("producer_api", {**environ, "PORT": str(port)}, log) as process:

        def answers() -> None:
            assert process.poll() is None, log.read_text()
            try:
                assert httpx.get(f"{url}/livez").status_code == 200
            except httpx.TransportError as error:
                raise AssertionError(log.read_text()) from error

        eventually(answers)
        yield url


def children(pid: int) -> list[int]:
    """Process ids of the direct children of a process."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(line) for line in found.split()]
