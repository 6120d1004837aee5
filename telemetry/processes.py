"""Child processes that do not outlive whoever started them, and what the machine they run on is called."""

import ctypes
import gc
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
"""Looked up beforehand: between fork and exec, other threads may have left the loader's lock taken."""

_OBJECTS_BETWEEN_LOOKS = 50_000

_MACHINE_ID = Path("/etc/machine-id")
"""Where Linux keeps what tells an installation from all others (machine-id(5))."""


def end_with_parent() -> None:
    """To be run in a child before its program starts (`preexec_fn`): SIGTERM when the thread that started it is gone.

    On Linux; elsewhere a parent that was killed with -9 leaves its children running.
    """
    if _PRCTL:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def stop_group(process: subprocess.Popen[Any], wait_s: float) -> None:
    """End a child that leads a group of its own: SIGTERM if it runs, after `wait_s` SIGKILL for it and all it has started."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def collect_garbage_seldom() -> None:
    """For a process that makes objects by the hundred thousand a second, hardly any of them in circles.

    Python looks for circles after every 2,000 objects, among all there are: a third of the processor time where many are kept.
    """
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS)


def host_name() -> str:
    """A name no other host has, the same after each start: the host's own, which may be `localhost`, and its machine id.

    A container's own name is unique, and new with each container. The machine id is only hashed: machine-id(5) asks for that.
    """
    host = socket.gethostname()
    machine = _MACHINE_ID.read_text().strip() if _MACHINE_ID.exists() else ""
    digest = hashlib.sha256(f"telemetry\n{host}\n{machine}".encode()).hexdigest()
    return f"worker-{re.sub('[^a-zA-Z0-9.-]', '-', host)[:64]}-{digest[:8]}"
