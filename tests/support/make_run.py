"""What `make run` runs, on free ports, with an archive of its own: started, stopped, killed with all that it started."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import batched
from pathlib import Path
from typing import Any

import httpx

from projections.items import read_pack
from telemetry.limits import MICRO
from telemetry.reading import Reading, rfc3339
from tests.support.processes import children, free_port
from tests.support.stack import Stack, open_stack
from tests.support.waiting import eventually
from tests.tidy.tree import ROOT

PREFIX = "goes-on"
SENSOR = "s-0"
"""One that readings come from."""
_WHEN = {"position", "as_of", "windows", "windows_as_of", "flushed", "flushed_as_of", "beat", "ended", "gap"}
"""Attributes of rows that tell when something was written, or that a shard is over."""


class MakeRun:
    """One run. What it prints lies in a file."""

    def __init__(self, archive: Path, log: Path, **settings: str) -> None:
        self.log = log
        port, self.localstack_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        own = {
            "PREFIX": PREFIX,
            "PORT": str(port),
            "LOCALSTACK_PORT": str(self.localstack_port),
            "ARCHIVE_TARGET": str(archive),
        }
        environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        with log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.local.run"], cwd=ROOT, env={**environ, **own, **settings}, stdout=out, stderr=out
            )

    def wait(self, within_s: float = 120) -> "MakeRun":
        """Until it is ready."""

        def ready() -> None:
            text = self.log.read_text()
            assert "Ready. Open" in text or self.process.poll() is None, text
            assert "Ready. Open" in text

        eventually(ready, within_s=within_s)
        return self

    def done(self, within_s: float = 60) -> str:
        """What it printed, once it has ended by itself."""
        self.process.wait(within_s)
        return self.log.read_text()

    def said(self, pattern: str) -> list[str]:
        """What of its own lines matches."""
        return re.findall(rf"^ +run \| ({pattern})$", self.log.read_text(), re.MULTILINE)

    def stop(self) -> int:
        """As Ctrl-C does; its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def kill(self) -> None:
        """Everything, with -9, and those that start others first."""
        for pid in [self.process.pid, *_below(self.process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)

    def end(self) -> None:
        """In case a test failed."""
        if self.process.poll() is None:
            self.kill()

    def send(self, readings: Sequence[Reading]) -> list[str]:
        """Store readings, 5,000 at a time; the last positions."""
        positions: list[str] = []
        for some in batched(readings, 5_000, strict=False):
            body = [
                {
                    "sensorId": one.sensor_id,
                    "temperature": one.temperature_micro / MICRO,
                    "timestamp": rfc3339(one.measured_at_us),
                }
                for one in some
            ]
            answer = httpx.post(f"{self.url}/api/temperature/batch", json=body, timeout=30)
            assert answer.status_code == 200, answer.text
            positions = answer.json()["after"]
        return positions

    def put(self, reading: Reading) -> str:
        """Store one; its position."""
        body = {"sensorId": reading.sensor_id, "temperature": 1, "timestamp": rfc3339(reading.measured_at_us)}
        answer = httpx.put(f"{self.url}/api/temperature", json=body)
        assert answer.status_code == 200, answer.text
        return answer.headers["X-Stream-Position"]

    def count(self, after: Sequence[str] = ()) -> int:
        """How many readings are counted, once those up to these positions are, in every table."""
        if after:
            self._ask("sensor", [("sensorId", SENSOR), ("wait", "40"), *(("after", one) for one in after)])
        counted: int = self._ask("stats", [("detail", "true")])["Count"]
        return counted

    def _ask(self, path: str, question: list[tuple[str, str | int | float | bool | None]]) -> dict[str, Any]:
        def told() -> dict[str, Any]:
            answer = httpx.get(f"{self.url}/api/{path}", params=question, timeout=60)
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        return eventually(told, within_s=60)  # 503 says that it may be asked again: a machine may be too busy for its tables

    def tables(self) -> Mapping[str, Any]:
        """What the tables tell of the log's first stream, but for when it was written and the bounds of packs."""
        stack = open_stack(f"http://127.0.0.1:{self.localstack_port}", "java", PREFIX)
        told = tables_of(stack)
        stack.kinesis.close()
        stack.dynamodb.close()
        return told


def tables_of(stack: Stack) -> Mapping[str, Any]:
    """The same of any tables."""
    scan = stack.dynamodb.get_paginator("scan")
    rows, packs = (
        [item for page in scan.paginate(TableName=table) for item in page["Items"]]
        for table in (stack.names.stats, stack.names.readings)
    )
    return {
        "rows": {
            (item["scope"]["S"], item["window"]["S"]): {name: value for name, value in item.items() if name not in _WHEN}
            for item in rows
            if not re.search(r"#\d+/", item["window"]["S"])
        },
        "readings": {reading for item in packs for reading in read_pack(item).readings},
    }


def _below(pid: int) -> Iterator[int]:
    """All that a process has started, and what that has."""
    for child in children(pid):
        yield child
        yield from _below(child)
