"""The consumer of one generation, as a process that ends with us."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from infra.local.downloads import ensure_java
from operations.doctor import JAVA_MIN
from operations.machine import java_version
from telemetry.errors import NotRebuilt
from telemetry.names import worker_of
from telemetry.processes import end_with_parent, stop_group
from telemetry.settings import Settings

_STOP_WAIT_S: Final = 40
"""Longer than the consumer's own grace, so that nothing is cut short that still makes progress."""


class Feeder:
    """`python -m consumer --generation N`. What it says goes to `log`, or where we say things, when that is None."""

    def __init__(self, settings: Settings, generation: int, environ: Mapping[str, str], log: Path | None) -> None:
        self.worker_id = worker_of(settings.worker_id, generation)
        self._generation, self._environ, self._log = generation, environ, log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._process and self._process.poll() is None:
            return
        with self._log.open("ab") if self._log else contextlib.nullcontext() as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "consumer", "--generation", str(self._generation)],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log or sys.stderr,
                stderr=log or sys.stderr,
                start_new_session=True,  # Ctrl-C is for us, who then stop it in order
                preexec_fn=end_with_parent,  # noqa: PLW1509  it only makes a system call
            )

    def ended(self) -> int | None:
        """Its exit status once it has ended, None while it runs."""
        return self._process.poll() if self._process else None

    def stop(self) -> None:
        """SIGTERM, then SIGKILL when it takes too long."""
        if self._process:
            stop_group(self._process, _STOP_WAIT_S)


@contextmanager
def feeder(settings: Settings, generation: int, environ: Mapping[str, str]) -> Iterator[tuple[Feeder, Path | None]]:
    """A consumer that is stopped when the block ends, and where it says what it does: a file where a person looks on.

    The file is there afterwards only when something went wrong.
    """
    log = _log_file(generation) if sys.stderr.isatty() else None
    consumer = Feeder(settings, generation, for_consumer(settings, environ), log)
    try:
        yield consumer, log
    except KeyboardInterrupt:
        consumer.stop()
        _remove(log)
        raise
    finally:
        consumer.stop()
    _remove(log)


def require_java(settings: Settings, environ: Mapping[str, str]) -> None:
    """Raises NotRebuilt where no consumer can be run here."""
    program = for_consumer(settings, environ).get("JAVA", settings.java)
    version = java_version(program)
    if version is None or version < JAVA_MIN:
        is_now = "is not a program" if version is None else f"is version {version}" if version else "does not run"
        raise NotRebuilt(
            f"JAVA={program!r} {is_now}: its consumer runs on Java {JAVA_MIN} or newer. Install that, or set JAVA to its path."
        )


def for_consumer(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """What it takes of our environment; on one machine also what `make run` gives to the consumer there."""
    taken = {**environ, "METRICS_PORT": "0", "WORKER_ID": settings.worker_id}
    if settings.aws_endpoint_url:
        taken.setdefault("KCL_TIMING", "local")
        taken.setdefault("JAVA", str(ensure_java()))
    return taken


def _log_file(generation: int) -> Path:
    handle, name = tempfile.mkstemp(prefix=f"telemetry-consumer-g{generation}-", suffix=".log")
    os.close(handle)
    return Path(name)


def _remove(log: Path | None) -> None:
    if log:
        log.unlink(missing_ok=True)
