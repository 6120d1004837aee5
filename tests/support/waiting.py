"""Waiting for a condition: bounded, by trying again; nothing in the tests sleeps for a guessed time."""

import threading
import time
from collections.abc import Callable

_PAUSE_S = 0.05


def eventually[T](check: Callable[[], T], within_s: float = 20) -> T:
    """What `check` returns once it stops raising AssertionError; its last one when `within_s` has gone by."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            threading.Event().wait(_PAUSE_S)
