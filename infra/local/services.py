"""Our own processes under `make run`: started with labelled logs, watched, and ended in order."""

import subprocess
import sys
import threading
from collections.abc import Mapping

from infra.local.console import Console
from telemetry.processes import end_with_parent, stop_group

_STOP_WAIT_S = 40
"""Longer than the consumer's own grace, so that nothing is cut short that still makes progress."""


class Service:
    """`python -m module options…`, its output behind a label."""

    def __init__(self, label: str, module: str, environ: Mapping[str, str], console: Console, *options: str) -> None:
        self.label = label
        self._console = console
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *options],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C in a terminal is for `make run`, which then stops us in order
            preexec_fn=end_with_parent,  # noqa: PLW1509  it only makes a system call
        )
        self._reader = threading.Thread(target=self._pass_on, name=f"{label}-log", daemon=True)
        self._reader.start()

    def ended(self) -> int | None:
        """Its exit status once it has ended, None while it runs."""
        return self._process.poll()

    def finish(self) -> int:
        """Wait for its end, for as long as a stop may take; its exit status."""
        try:
            return self._process.wait(_STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            self.stop()
            return self._process.wait()
        finally:
            self._reader.join(1)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL when it takes too long."""
        if self.ended() is None:
            self._console.say("run", f"stopping {self.label}")
        stop_group(self._process, _STOP_WAIT_S)
        self._reader.join(1)

    def _pass_on(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._console.say(self.label, line)
