"""`python -m consumer.alive`: whether a worker in this container is at work, for its health check.

Asked every half minute on half a core, it needs nothing beyond the standard library, and no settings: a container has one
worker, so any file in the folder of this user is its. `python -m consumer.status` shows the whole status of a worker by name.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

OUTDATED_S = 60.0
"""Beyond three looks of the slower set of intervals: nobody writes the file any more."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Where Linux tells one run of the machine from another."""


def workers_folder() -> Path:
    """Where the workers of this user keep their files."""
    return Path(tempfile.gettempdir()) / f"telemetry-{os.getuid()}"


def boot() -> str:
    """Which run of the machine this is; empty where nobody says."""
    return _BOOT.read_text().strip() if _BOOT.exists() else ""


def read_status(path: Path, now_s: float) -> dict[str, Any]:
    """The status; one that nobody keeps up to date any more, or that is not there, has the phase `not running`.

    `now_s` is by the clock that the file is written by: `time.monotonic`.
    """
    try:
        status: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {"phase": "not running"}
    if status["boot"] != boot() or now_s - status["written_at_s"] > OUTDATED_S:
        return {**status, "phase": "not running"}
    return status


def main() -> int:
    """Exit status 0 while a worker is at work, whatever it has to do."""
    found = [read_status(path, time.monotonic()) for path in workers_folder().glob("worker-*.json")]
    return int(all(status["phase"] == "not running" for status in found))


if __name__ == "__main__":
    sys.exit(main())
