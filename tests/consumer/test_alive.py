"""A container's health check: whether its worker is at work, asked for as little as that takes."""

import subprocess
import sys
from pathlib import Path

import pytest

from consumer.alive import main, workers_folder
from consumer.status import StatusFile, worker_path
from telemetry.settings import Settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a worker of this user would keep its files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    workers_folder().mkdir(mode=0o700)
    return workers_folder()


def test_it_is_well_while_its_worker_writes_its_status(folder: Path) -> None:
    """Whatever the worker is called; the file that it keeps is found without the settings."""
    assert main() == 1
    with StatusFile(worker_path(Settings(worker_id="some-task"), "json"), "some-task") as status:
        assert main() == 0
        status.phase("waiting")
        assert main() == 0
    assert main() == 1


def test_nothing_beyond_the_standard_library_is_read() -> None:
    """Of the processor that it takes the worker has half of one."""
    asked = "import sys, consumer.alive; print({'pydantic', 'structlog', 'boto3', 'telemetry'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
