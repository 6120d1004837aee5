"""Keeps the daemon running: one child's exit ends the daemon and with it every shard of this worker (hazard H6)."""

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from telemetry.errors import StoreUnavailable

log = structlog.get_logger(__name__)

_POLL_S = 0.1
_BACKOFF_FIRST_S = 0.2
_BACKOFF_MAX_S = 10.0
_DOUBLINGS_MAX = 10
_STEADY_S = 60.0
"""A daemon that ran this long was not part of a series of failures."""


class Run(Protocol):
    """One run of the daemon."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def poll(self) -> int | None:
        """Its exit status, or None while it runs."""

    def stop(self) -> int:
        """Shut it down in order; its exit status."""

    def kill(self) -> int:
        """End it and what it left behind; its exit status."""


def supervise(start: Callable[[Path], Run], stopping: threading.Event) -> None:
    """Run the daemon until `stopping` is set, starting it again, after a growing pause, whenever it ends by itself.

    `start` is given an empty folder for the files of each run. When AWS keeps it from starting, that counts as a run that
    ended; its other errors end the supervision.
    """
    failures = 0
    while not stopping.is_set():
        began_s = time.monotonic()
        status = _one_run(start, stopping)
        if stopping.is_set():
            log.info("daemon_stopped", status=status)
            return
        failures = 1 if time.monotonic() - began_s > _STEADY_S else failures + 1
        pause_s = min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S * 2 ** min(failures - 1, _DOUBLINGS_MAX))
        log.error("daemon_ended", status=status, failures=failures, restart_in_s=pause_s)
        stopping.wait(pause_s)


def _one_run(start: Callable[[Path], Run], stopping: threading.Event) -> int | None:
    """One run from start to end; its exit status, None when it could not start."""
    with tempfile.TemporaryDirectory(prefix="telemetry-kcl-") as folder:
        try:
            daemon = start(Path(folder))
        except (ClientError, BotoCoreError, StoreUnavailable) as error:
            log.error("daemon_not_started", error=str(error))
            return None
        log.info("daemon_started", pid=daemon.pid)
        while (status := daemon.poll()) is None:
            if stopping.wait(_POLL_S):
                return daemon.stop()
        # Children of a daemon that died notice only when they read; none may work beside its successor's for long.
        daemon.kill()
        return status
