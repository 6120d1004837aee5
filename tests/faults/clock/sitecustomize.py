"""On the path of a process under test, sets its clock off by as many seconds as the file CLOCK_OFF_FILE says, at any moment.

Python loads a module of this name at its start. Only what asks for the time of day is off, as on a machine whose clock is.
"""

import datetime as dt
import os
import time
from pathlib import Path

_FILE = Path(os.environ["CLOCK_OFF_FILE"])
_time, _time_ns = time.time, time.time_ns


def _off_s() -> int:
    return int(_FILE.read_text() or 0)


class _OffDatetime(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> "_OffDatetime":
        return cls.fromtimestamp(time.time(), tz)


time.time = lambda: _time() + _off_s()
time.time_ns = lambda: _time_ns() + _off_s() * 10**9
dt.datetime = _OffDatetime  # type: ignore[misc]  # that is the point
