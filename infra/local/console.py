"""What `make run` shows: every process's log lines behind its label, one after the other, readable."""

import io
import json
import sys
import threading
from typing import TextIO

_COLORS = {"localstack": 90, "archiver": 33, "consumer": 36, "api": 32, "sensors": 35, "run": 1}
_SHOWN_ELSEWHERE = {"event", "level", "timestamp", "process"}


class Console:
    """A terminal, or a file, that several threads write whole lines to."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(errors="replace")  # a terminal in latin-1 has no "…"
        self._lock = threading.Lock()

    def say(self, label: str, line: str) -> None:
        """Write one line of the process `label`; a JSON log line is written out for people."""
        text = f"{label:>10} | {readable(line)}"
        if self._out.isatty():
            text = f"\033[{_COLORS.get(label, 0)}m{label:>10} |\033[0m {readable(line)}"
        with self._lock:
            self._out.write(text + "\n")
            self._out.flush()


def readable(line: str) -> str:
    """A JSON log line as `18:10:00 info shard_started shard_id=…`; any other line as it is."""
    try:
        fields = json.loads(line)
        head = f"{fields['timestamp'][11:19]} {fields['level']} {fields['event']}"
    except (ValueError, KeyError, TypeError):
        return line.rstrip()
    rest = (f"{name}={value}" for name, value in fields.items() if name not in _SHOWN_ELSEWHERE)
    return " ".join([head, *rest])
