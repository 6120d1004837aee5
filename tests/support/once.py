"""What all processes of a test run share, made by the one that comes first."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest


def once(request: pytest.FixtureRequest, name: str, make: Callable[[Path], None]) -> Path:
    """A folder of the run, which `make` has filled; whoever comes meanwhile waits. When it raises, the next one tries anew."""
    base: Path = request.getfixturevalue("tmp_path_factory").getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder, made = shared / name, shared / name / "made"
        if not made.exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            made.touch()
    return folder
