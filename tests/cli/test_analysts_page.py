"""docs/analysts.md: each of its commands runs as printed, against a log that holds something."""

import gzip
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.support.processes import running_api, start, stop
from tests.support.stack import Stack, new_stack
from tests.support.waiting import eventually
from tests.tidy.tree import ROOT

PAGE = (ROOT / "docs/analysts.md").read_text()
THROUGH_THE_API = {"send", "simulate", "import"}
NOW = datetime.now(UTC).isoformat()
READINGS = [("202", 18.7, NOW), ("203", -3.5, NOW), ("202", 17.25, "2026-11-15T12:00:00Z")]
"""Something for each question to find."""


def blocks(language: str) -> list[str]:
    """What the page shows in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if not line.startswith("export")]
"""The settings of the page's shell are the stack's here."""


class Analyst(NamedTuple):
    """Somebody with a shell in a folder, a stack, and two APIs, of which the second writes into a stream of its own."""

    folder: Path
    environ: dict[str, str]
    api: str
    other_api: str
    other_stream: str

    def types(self, command: str) -> "subprocess.Popen[str]":
        """A command at the addresses of this test, a minute of it as a second."""
        if command.split()[1] in THROUGH_THE_API:
            command += f" --url {self.api}"
        command = command.replace(".venv/bin/telemetry", str(Path(sys.executable).with_name("telemetry")))
        command = command.replace("http://127.0.0.1:8081", self.other_api).replace("--for 60", "--for 1")
        command = command.replace("other-temperature-events", self.other_stream)
        return subprocess.Popen(
            ["bash", "-c", command if ">" in command else f"exec {command}"],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Which a shell ignores for what it runs in the background.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  it only makes a system call
        )


@pytest.fixture
def analyst(stack: Stack, api: str, endpoint: str, java: str, tmp_path: Path) -> Iterator[Analyst]:
    """With a log of some readings, which are archived, and a table of more."""
    for sensor_id, celsius, at in READINGS:
        body = {"sensorId": sensor_id, "temperature": celsius, "timestamp": at}
        assert httpx.put(f"{api}/api/temperature", json=body).status_code == 200
    environ = {**stack.environ, "ARCHIVE_TARGET": str(tmp_path / "archive"), "ARCHIVE_INTERVAL_S": "1"}
    archiver = start("archive", environ, tmp_path / "archiver.log")
    try:
        eventually(lambda: _is_archived(tmp_path / "archive", len(READINGS)), within_s=60)
    finally:
        stop(archiver)
    (tmp_path / "measurements.csv").write_text(f"station,temperature,when\n204,21.125,{NOW}\n205,0,2026-11-15T12:00\n")
    with new_stack(endpoint, java) as other, running_api(other.environ, tmp_path / "other.log") as other_api:
        yield Analyst(tmp_path, environ, api, other_api, other.names.stream)


def _is_archived(folder: Path, readings: int) -> None:
    found = b"".join(gzip.decompress(path.read_bytes()) for path in folder.rglob("*.ndjson.gz"))
    assert found.count(b'"event":') == readings


def test_every_command_runs_as_printed(analyst: Analyst) -> None:
    """In the order of the page; one that looks for ever has shown something when it is interrupted."""
    assert len(COMMANDS) >= 10
    for command in COMMANDS:
        with analyst.types(command) as running:
            if command.split()[1] == "tail":
                assert running.stdout
                assert '"subject":"202"' in running.stdout.readline()
                running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=120)
        assert running.returncode == (130 if command.split()[1] == "tail" else 0), (command, said)
    subjects = [line.split(",")[0] for line in (analyst.folder / "november.csv").read_text().splitlines()]
    assert set(subjects) == {"sensor_id", "202", "203"}
    for block in blocks("python"):
        snippet = block.replace(".local/data/telemetry-dev", "archive")
        shown = f"{snippet.rstrip().replace('duckdb.sql', 'print(duckdb.sql', 1)})"
        done = subprocess.run(
            [sys.executable, "-c", shown], cwd=analyst.folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "203" in done.stdout
