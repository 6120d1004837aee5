"""Many threads that are the first to read: what a library makes when first asked for must be there before them."""

import subprocess
import sys

import pytest

READ = """
import sys
from contextlib import suppress
from threading import Barrier, Thread

from archive.days import parse_taken
from archive.meta import parse_head, parse_state, parse_tail
from telemetry.errors import ArchiveUnreadable

sys.setswitchinterval(1e-6)
together = Barrier(8)

def read():
    together.wait()
    for _ in range(50):
        for parse in (lambda: parse_head(%(meta)r, "key"), lambda: parse_tail(%(meta)r, "key"),
                      lambda: parse_state(%(row)r, "key"), lambda: parse_taken(%(row)r)):
            with suppress(ArchiveUnreadable):
                parse()

threads = [Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("read")
"""
META = b'{"meta":{"format":1,"records":5,"first":"1","last":"2","tip_seen_at":"2026-11-25T00:00:00Z","arrived":{}}}'
ROW = b'{"format":1,"parts":16,"chains":{},"ended":[],"last":"1","tip_seen_at":"2026-11-25T00:00:00Z","parents":[]}'


@pytest.mark.parametrize("_", range(3))
def test_threads_that_read_first_do_not_crash(_: int) -> None:
    """They did in most of such runs: each of them as the struct's first user."""
    code = READ % {"meta": META, "row": ROW}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "read\n"), ended.stderr
