"""`python -m consumer.child`: the process that KCL's daemon starts for each shard.

Its standard output is KCL's protocol. Before anything else is imported, the protocol gets a private copy of it, and everything
that prints, in Python or below it, goes to standard error (hazard H2).
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

PROCESSORS_VARIABLE = "RECORD_PROCESSORS"
"""Set by the daemon for its children: a folder where each has a file, named by its process id, until it ends in order."""


def take_stdout() -> TextIO:
    """The protocol's own stream; from now on file descriptor 1 and `sys.stdout` are standard error."""
    protocol = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return protocol


@contextmanager
def registered() -> Iterator[None]:
    """Leave a trace of this process unless it ends in order, so that the supervisor learns at once of one that does not."""
    folder = os.environ.get(PROCESSORS_VARIABLE)
    trace = Path(folder) / str(os.getpid()) if folder else None
    if trace:
        trace.touch()
    yield
    if trace:
        trace.unlink(missing_ok=True)


def main() -> None:
    """Talk to the daemon until it closes our standard input."""
    protocol = take_stdout()
    # A signal to the whole group is the daemon's to handle: it tells us by `shutdownRequested` (hazard H8).
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    with registered():
        # Imported only now, because imports may print.
        from amazon_kclpy.kcl import KCLProcess  # noqa: PLC0415

        from consumer.composition import record_processor  # noqa: PLC0415

        KCLProcess(record_processor(os.environ), sys.stdin, protocol, sys.stderr).run()


if __name__ == "__main__":
    main()
