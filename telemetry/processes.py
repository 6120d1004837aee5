"""Child processes that do not outlive whoever started them."""

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """To be run in a child before its program starts (`preexec_fn`): SIGTERM when the thread that started it is gone.

    On Linux; elsewhere a parent that was killed with -9 leaves its children running.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
