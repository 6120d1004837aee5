"""Keeps the daemon running: one child's exit ends the daemon and with it every shard of this worker (hazard H6).

So does a daemon or a child that hangs (hazard H7): whoever oversees the run says so, from what the tables show.
"""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from telemetry.errors import NotSetUp, PointerMoved, StoreUnavailable, WrongStream
from telemetry.retry import error_code

log = structlog.get_logger(__name__)

_POLL_S = 0.1
_BACKOFF_FIRST_S = 0.2
_BACKOFF_MAX_S = 10.0
_DOUBLINGS_MAX = 10


class Run(Protocol):
    """One run of the daemon."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def poll(self) -> int | None:
        """Its exit status, or None while it runs."""

    def dead_processor(self) -> int | None:
        """The process id of a record processor that ended out of order, or None."""

    def stop(self) -> int:
        """Shut it down in order; its exit status."""

    def kill(self) -> int:
        """End it and what it left behind; its exit status."""


class Overseer(Protocol):
    """Sees what a run achieves."""

    def worked(self) -> bool:
        """Whether this run has projected anything, up to this moment. Raises WrongStream."""

    def begin(self) -> None:
        """A run is about to begin."""

    def look(self) -> str | None:
        """Why the run must be ended by force, or None. Raises WrongStream when no other may follow, and PointerMoved."""

    def tell(self, phase: str, **details: Any) -> None:
        """Take note of a phase: starting, waiting, restarting or refusing with its `reason`, following, stopping."""


def supervise(start: Callable[[Path], Run], overseer: Overseer, stopping: threading.Event) -> None:
    """Run the daemon until `stopping` is set, starting it again, after a pause that grows, whenever it ends or hangs.

    `start` is given an empty folder for the files of each run. When AWS keeps it from starting, that counts as a run that
    ended; its other errors end the supervision. A run that projected something ends the series of failures before it.

    A pointer that names other tables, or another stream, is no failure: what it names now is taken up at once.

    A stream made again while the daemon runs ends both, as it does at a start: no restart would make the positions right. A
    pointer that is not there yet is waited for, like a store that is away: a task may start before the set-up has run, and ECS
    gives a first deployment up for good whose tasks keep ending.
    """
    failures = 0
    try:
        while not stopping.is_set():
            try:
                reason = _one_run(start, overseer, stopping)
                if stopping.is_set():
                    return
                failures = 1 if overseer.worked() else failures + 1
            except NotSetUp as missing:
                overseer.tell("waiting", why=str(missing))
                stopping.wait(_BACKOFF_MAX_S)
                continue
            except PointerMoved as moved:
                overseer.tell("following", why=str(moved))
                continue
            pause_s = min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S * 2 ** min(failures - 1, _DOUBLINGS_MAX))
            overseer.tell("restarting", reason=reason, failures=failures, pause_s=pause_s)
            stopping.wait(pause_s)
    except WrongStream as error:
        overseer.tell("refusing", reason=str(error))
        raise


def _one_run(start: Callable[[Path], Run], overseer: Overseer, stopping: threading.Event) -> str:
    """One run from start to end, and why it ended."""
    with tempfile.TemporaryDirectory(prefix="telemetry-kcl-") as folder:
        overseer.begin()
        try:
            daemon = start(Path(folder))
        except (ClientError, BotoCoreError) as error:
            # Everybody may read the reason; AWS's text, which may name accounts and roles, is for the log.
            log.warning("daemon_not_started", error=str(error))
            return f"the daemon could not be started: {error_code(error)}"
        except StoreUnavailable as error:
            return f"the daemon could not be started: {error}"
        overseer.tell("starting", daemon_pid=daemon.pid)
        while (status := daemon.poll()) is None:
            if stopping.wait(_POLL_S):
                overseer.tell("stopping")
                status = daemon.stop()
                log.info("daemon_stopped", status=status)
                return "asked to stop"
            try:
                reason = _dead_processor(daemon) or overseer.look()
            except (WrongStream, PointerMoved):
                # At once: what its processors hold may come from the other stream, and other tables have it without them.
                daemon.kill()
                raise
            if reason:
                daemon.kill()
                return reason
        # Children of a daemon that died notice only when they read; none may work beside its successor's for long.
        daemon.kill()
        return f"the daemon ended with status {status}"


def _dead_processor(daemon: Run) -> str | None:
    pid = daemon.dead_processor()
    return f"record processor {pid} died" if pid else None
