"""Waiting for a condition: bounded, by trying again; nothing in the tests sleeps for a guessed time."""

import threading
import time
from collections.abc import Callable

_PAUSE_S = 0.05
_PAUSE_S_MAX = 1.0
_CHECKS_A_PAUSE = 4
"""A pause is this much longer than the check before it: who waits leaves the processor to what is waited for."""


def eventually[T](check: Callable[[], T], within_s: float = 20) -> T:
    """What `check` returns once it stops raising AssertionError; its last one when `within_s` has gone by."""
    deadline = time.monotonic() + within_s
    while True:
        began_s = time.monotonic()
        try:
            return check()
        except AssertionError:
            now_s = time.monotonic()
            if now_s > deadline:
                raise
            pause_s = max(_PAUSE_S, _CHECKS_A_PAUSE * (now_s - began_s))
        threading.Event().wait(min(pause_s, _PAUSE_S_MAX))
