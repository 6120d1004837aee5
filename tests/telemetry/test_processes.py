"""Children are ended in order."""

import os
import signal
import subprocess
from contextlib import suppress

import pytest

from telemetry.processes import stop_group


@pytest.mark.parametrize(("heeds", "status"), [(True, -signal.SIGTERM), (False, -signal.SIGKILL)])
def test_a_group_is_stopped_whether_it_heeds_or_not(*, heeds: bool, status: int) -> None:
    """SIGTERM first; what does not end of it is killed with what it has started. One that has ended is left alone."""
    ignoring = "" if heeds else "trap '' TERM; "
    command = ["sh", "-c", f"{ignoring}echo ready; sleep 60 & wait; sleep 60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        for _ in range(2):
            stop_group(process, 0.5)
            assert process.returncode == status
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
