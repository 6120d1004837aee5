"""Logging: one JSON object a line on stderr, for people through `make run`'s labels and for machines as it is."""

import atexit
import contextlib
import logging
import os
import queue
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

from telemetry.keys import redacted

_JSON = structlog.processors.JSONRenderer()
_LINES_HELD_MAX = 10_000
_FINISH_S = 1.0
"""How long the end of a process waits for its last lines to be read."""


def configure_logs(level: str, *, unblocked: bool = False, **context: str) -> None:
    """Send structlog's and the standard library's logs to stderr as JSON lines at `level` and above.

    `unblocked` never waits for who reads them, as an event loop wants it. `context` is added to every line of this process.
    """

    # Not a context variable: those are unknown to other threads, and the writer logs from its own.
    def add_context(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {**context, **event}

    shared: list[structlog.typing.Processor] = [
        add_context,
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
    )
    handler = _UnblockedHandler(sys.stderr.fileno()) if unblocked else logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.getLogger("botocore").setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _render(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
    """A line. Whatever it repeats, a client's text or an exception's: no key is among it."""
    [line] = redacted([str(_JSON(logger, method, event))])
    return line


class _UnblockedHandler(logging.Handler):
    """Has a thread write the lines. While nobody reads them (Ctrl-S in a terminal, a log router that hangs) so many are held;
    the others are counted, and the count follows the next line that is read.

    Written past Python's own buffers, whose locks would be held for as long as a write waits, at the end of the process too.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: queue.Queue[str] = queue.Queue(_LINES_HELD_MAX)
        self._dropped = 0
        threading.Thread(target=self._write, name="log", daemon=True).start()
        atexit.register(self._finish)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._dropped += 1

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            dropped, self._dropped = self._dropped, 0
            if dropped:
                line += f'\n{{"event": "log_lines_dropped", "level": "warning", "lines": {dropped}}}'
            rest = f"{line}\n".encode()
            with contextlib.suppress(OSError):  # nobody will ever read it
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            self._lines.task_done()

    def _finish(self) -> None:
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(lambda: not self._lines.unfinished_tasks, _FINISH_S)


class SparseLog:
    """A log for lines that clients can cause at will: `per_s` of each event a second, the others counted.

    The next line of that event tells how many were `left_out` before it.
    """

    def __init__(self, name: str, per_s: int = 5, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._log = structlog.get_logger(name)
        self._per_s = per_s
        self._clock_s = clock_s
        self._written: dict[str, tuple[float, int]] = {}
        """For each event when its second began, and how many lines came in it."""
        self._left_out: Counter[str] = Counter()

    def info(self, event: str, **fields: Any) -> None:
        """A line at level info, unless there were enough of its event."""
        self._write(self._log.info, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """The same at level warning."""
        self._write(self._log.warning, event, fields)

    def _write(self, write: Callable[..., Any], event: str, fields: dict[str, Any]) -> None:
        now_s = self._clock_s()
        began_s, lines = self._written.get(event, (now_s, 0))
        if now_s - began_s >= 1:
            began_s, lines = now_s, 0
        self._written[event] = began_s, lines + 1
        if lines >= self._per_s:
            self._left_out[event] += 1
            return
        left_out = self._left_out.pop(event, 0)
        write(event, **fields, **({"left_out": left_out} if left_out else {}))
