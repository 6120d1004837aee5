"""The supervisor's status as a file beside its lock, and `python -m consumer.status`, which shows it.

Exit status 0 while the supervisor is at work, whatever it has to do, and 1 otherwise, as `consumer/alive.py` judges. A
new container would not bring AWS back, nor make a shard move that the supervisor cannot. What the whole projection is like, on
whatever machine, is told by `telemetry doctor`.
"""

import contextlib
import hashlib
import json
import os
import stat
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import structlog

from consumer.alive import boot, read_status, workers_folder
from telemetry.errors import InvalidSettings
from telemetry.settings import Settings

log = structlog.get_logger(__name__)


def worker_path(settings: Settings, ending: str) -> Path:
    """A file that belongs to this worker alone, in a folder of the temporary one that belongs to this user alone.

    The folder may not be there yet. Raises InvalidSettings when somebody else has made it, or may write to it.
    """
    folder = workers_folder()
    with contextlib.suppress(FileNotFoundError):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise InvalidSettings(f"{folder} is not a folder of ours alone: remove it, or set TMPDIR to another folder.")
    identity = f"{settings.aws_endpoint_url}\n{settings.aws_region}\n{settings.prefix}\n{settings.worker_id}"
    return folder / f"worker-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.{ending}"


class StatusFile:
    """What the supervisor is doing, and why; replaced whole, so that a reader never sees half of it."""

    def __init__(self, path: Path, worker_id: str) -> None:
        self._path = path
        self._status: dict[str, Any] = {"worker_id": worker_id, "pid": os.getpid(), "restarts": 0, "last_restart": None}
        self.phase("starting")

    def phase(self, phase: str, **details: Any) -> None:
        """A new phase. One with a `reason` is a restart."""
        self._status |= {"phase": phase, "since": _now()}
        if "reason" in details:
            restarts = self._status["restarts"] + 1
            self._status |= {"restarts": restarts, "last_restart": {"at": _now(), **details}}
        self._write()

    def sight(self, error: str | None) -> None:
        """Whether the tables could be looked at."""
        self._status["cannot_see"] = error
        self._write()

    def shards(self, **shards: tuple[str, ...]) -> None:
        """This worker's shards by what they do."""
        self._status["shards"] = {name: sorted(ids) for name, ids in shards.items()}
        self._write()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        # A clock that nobody sets, and that all processes of one run of the machine share.
        self._status |= {"written_at_s": time.monotonic(), "boot": boot()}
        part = self._path.with_suffix(".part")
        try:
            part.write_text(json.dumps(self._status))
            part.replace(self._path)
        except OSError as error:  # a full disk is no reason to stop working
            log.warning("status_not_written", error=str(error))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def main() -> int:
    """Show the status of the worker that the environment's settings name."""
    try:
        path = worker_path(Settings.from_environment(os.environ), "json")
    except InvalidSettings as error:
        sys.exit(str(error))
    status = read_status(path, time.monotonic())
    sys.stdout.write(json.dumps(status, indent=2) + "\n")
    return int(status["phase"] == "not running")


if __name__ == "__main__":
    sys.exit(main())
