"""`python -m consumer`: the worker. Runs KCL's daemon under supervision until SIGTERM or SIGINT.

On the live generation, or with `--generation N` on that one.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import structlog

from consumer.daemon import Daemon
from consumer.history import History
from consumer.leader import remove_own_lock
from consumer.leases import make_leases, rewind_leases
from consumer.metrics import SupervisorMetrics, served
from consumer.oversight import AwsWorld, Oversight
from consumer.pinned import PinnedWorld, asked_generation, pinned_names, pinned_settings
from consumer.properties import patience
from consumer.status import StatusFile, worker_path
from consumer.supervisor import supervise
from operations.observation import observe
from operations.restarts import Restart, Supervisor, write_restarts
from projections.generations import Pointer, check_stream, retention_s
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import TelemetryError
from telemetry.limits import MICRO
from telemetry.logs import configure_logs
from telemetry.names import ResourceNames
from telemetry.settings import Settings

log = structlog.get_logger(__name__)


def main(generation: int | None = None) -> None:
    """Work until told to stop: on this generation, or on the live one."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    try:
        settings = Settings.from_environment(os.environ)
        if generation:
            settings = pinned_settings(settings, generation)
        configure_logs(settings.log_level, process="supervisor")
        if not shutil.which(settings.java):
            sys.exit(f"JAVA={settings.java!r} is not a program: install Java 17 or newer, or set JAVA to its path.")
        if len(tempfile.gettempdir().split()) > 1:
            sys.exit(f"TMPDIR={tempfile.gettempdir()!r} holds a space, at which KCL splits commands: set it to another folder.")
        history = _history(settings)
        metrics = SupervisorMetrics(lambda: history.count) if settings.metrics_port else None
        with (
            _only_one(settings),
            served(metrics, settings),
            StatusFile(worker_path(settings, "json"), settings.worker_id) as status,
        ):
            oversight = Oversight(settings.worker_id, patience(settings), status, history=history, metrics=metrics)

            def start(folder: Path) -> Daemon:
                # Prepared before every run: the stream may have been made anew, or the pointer moved, since the last.
                names, pointer, shards = _prepare(settings, generation)
                oversight.world = (PinnedWorld if generation else AwsWorld)(settings, names, pointer)
                return Daemon(settings, names, folder, os.environ, shards=shards, pinned=generation is not None)

            supervise(start, oversight, stopping)
    except TelemetryError as error:
        sys.exit(str(error))


def _prepare(settings: Settings, generation: int | None) -> tuple[ResourceNames, Pointer, int]:
    """Check that stream and tables belong together, make the first leases, and remove what the last daemon left.

    Returns what it is to work on, the pointer, and how many shards are open.
    """
    kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings)
    pointer = check_stream(kinesis, dynamodb, ResourceNames(settings.prefix))
    names = pointer.names(settings.prefix)
    if generation:
        names = pinned_names(kinesis, dynamodb, names, generation)
    seen = observe(kinesis, dynamodb, names)
    made = make_leases(dynamodb, names.application, seen, settings.worker_id)
    log.info("leases_made", shards=made)
    if remove_own_lock(dynamodb, names, seen, settings.worker_id):
        log.info("own_lock_removed")
    kept_from_us = int((time.time() - retention_s(kinesis, names)) * MICRO)
    if rewound := rewind_leases(dynamodb, names.application, seen, kept_from_us):
        log.warning("leases_rewound", shards=rewound)
    return names, pointer, len(seen.shards.open)


def _history(settings: Settings) -> History:
    names, dynamodb = ResourceNames(settings.prefix), dynamodb_client(settings, attempts=1)

    def keep(restarts: tuple[Restart, ...]) -> None:
        write_restarts(dynamodb, names, Supervisor(settings.worker_id, restarts))

    return History(keep)


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    """A lock that two workers of one name on one machine cannot both hold: KCL would take them for the same one."""
    path = worker_path(settings, "lock")
    with _opened(path) as lock:
        worker_path(settings, "lock")  # asked for again: who else uses the temporary folder may have been faster
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The one before us removes the file as it goes; a lock on a removed file would keep nobody out.
            mine = path.exists() and path.stat().st_ino == os.fstat(lock.fileno()).st_ino
        except BlockingIOError:
            mine = False
        if not mine:
            sys.exit(f"A worker named {settings.worker_id} already runs here. Stop it, or set WORKER_ID to another name.")
        yield
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # another worker has its files there
        path.parent.rmdir()


def _opened(path: Path) -> TextIO:
    """The file, in a folder for this user alone, which the last worker of this user removes as it goes."""
    while True:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            return path.open("w")


if __name__ == "__main__":
    main(asked_generation())
