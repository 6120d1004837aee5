"""P22: what 500 live streams cost the API that serves them, and those who PUT beside."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from benchmarks.figures import Figure, ratios
from benchmarks.pipeline import consuming
from benchmarks.rig import ROOT, Rig, Server, load, memory_mb
from telemetry.processes import end_with_parent

_PAIRS: Final = 5
_STREAMS: Final = 500
_PUTS: Final[dict[str, Any]] = {"clients": 64, "readings": 4_000, "per_s": 200, "sensors": 200, "now": True}
"""Twenty seconds of 200 sensors that measure once a second."""


def streams(rig: Rig) -> Iterator[Figure]:
    """P22: PUTs for twenty seconds with 500 streams and without, in turn; the difference in processor time, and in memory."""
    p99_s: dict[str, list[float]] = {"with": [], "without": []}
    cpu_us, memory_kb, events = [], [], []
    with rig.stack() as stack, rig.server(stack, "producer_api") as server, consuming(rig, stack) as consumer:
        consumer.wait_for("consumer_working", within_s=90)
        load(server.url, **_PUTS)
        for _ in range(_PAIRS):
            alone_s, seconds = _cpu_of_puts(server, p99_s["without"])
            before_mb = memory_mb(server.pid)
            with _listening(server) as told:
                beside_s, _ = _cpu_of_puts(server, p99_s["with"])
                memory_kb.append((memory_mb(server.pid) - before_mb) * 1024 / _STREAMS)
            assert not told["lost"], told
            counted = sum(count for name, count in told.items() if name not in {"bytes", "lost"})
            assert counted > _STREAMS * seconds / 2, told  # about one update a second reached each
            events.append(counted / _STREAMS / seconds)
            cpu_us.append((beside_s - alone_s) / counted * 1e6)
    beside = {"events/s a stream": statistics.median(events), "PUT p99 s without": statistics.median(p99_s["without"])}
    what = f"PUT p99 with {_STREAMS} live streams ÷ without"
    yield Figure("P22", what, "×", 2, None, ratios(p99_s["with"], p99_s["without"]), beside, smaller_is_better=True)
    yield Figure("P22", "processor time of a stream and event", "µs", 30, None, cpu_us, smaller_is_better=True)
    # Memory once taken is kept for the next, so the first round tells.
    yield Figure("P22", "memory a stream", "kB", 40, None, memory_kb[:1], smaller_is_better=True)


def _cpu_of_puts(server: Server, p99_s: list[float]) -> tuple[float, float]:
    before_s, began_s = server.cpu_s(), time.monotonic()
    p99_s.append(load(server.url, **_PUTS)["p99_s"])
    return server.cpu_s() - before_s, time.monotonic() - began_s


@contextmanager
def _listening(server: Server) -> Iterator[dict[str, int]]:
    """Streams for the block; after it, what came: events by name, bytes, and streams that were lost."""
    command = [sys.executable, "-m", "benchmarks.listeners", server.url, "--streams", str(_STREAMS)]
    told: dict[str, int] = {}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=end_with_parent,  # noqa: PLW1509  it only makes a system call
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "listening\n"
        yield told
        process.terminate()
        told.update(json.loads(process.stdout.read()))
