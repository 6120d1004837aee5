"""A trial: a stack of its own, how often a fault is tried, and where what was found is written down."""

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from telemetry.reading import Reading
from tests.faults.checker import Found, check, check_log
from tests.faults.instances import Api, Consumer, consuming, serving
from tests.faults.load import Load, sensors_sending
from tests.faults.proxy import FaultProxy, fault_proxy
from tests.support.stack import Stack, new_stack

FULL = os.environ.get("FAULTS") == "full"
"""`make test-faults` sets it."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what is marked `full` to `make test-faults`."""
    left = [item for item in items if item.get_closest_marker("full") and not FULL]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


@dataclass(frozen=True)
class Trial:
    """One test's own stream of two shards and tables, with a proxy before them that passes everything on until it has rules."""

    stack: Stack
    proxy: FaultProxy
    folder: Path
    test: str

    def serving(self, **environ: str) -> AbstractContextManager[Api]:
        """An API; sensors may send at once, since they retry."""
        return serving({**self.stack.environ, **environ}, self.folder / "api.log")

    def consuming(self, name: str = "worker-1", **environ: str) -> AbstractContextManager[Consumer]:
        """A worker that is at work."""
        return consuming({**self.stack.environ, **environ}, self.folder / f"{name}.log", name)

    def counting(self) -> AbstractContextManager[object]:
        """A worker beside an API that something befalls, in the long version. What can go wrong there shows in the log already,
        and the short one, which has no worker, looks at no more (`check_stored`).
        """
        return self.consuming() if FULL else nullcontext()

    def sending(self, api: Api, seed: int, per_s: float = 80, clients: int = 16) -> AbstractContextManager[Load]:
        """Sensors that send during the block; at its end every message has its final answer."""
        return sensors_sending(api.url, seed, per_s, clients)

    def check(self, load: Load, *others: Reading) -> Found:
        """Everything acknowledged is in the log, and the tables become what the log adds up to.

        `others` are readings that may have been sent beside the load's.
        """
        return check(self.stack, load, set(others), within_s=240)

    def check_stored(self, load: Load, *others: Reading) -> Found:
        """Everything acknowledged is in the log, and in the long version `check`."""
        return self.check(load, *others) if FULL else check_log(self.stack, load, set(others))[1]

    def often(self, short: int, full: int) -> int:
        """A number for the short version, which is part of `make test`, or the one for `make test-faults`."""
        return full if FULL else short

    def report(self, promises: str, fault: str, times: int, found: Found | None = None, **figures: Any) -> None:
        """Append what was found to the file FAULTS_RESULTS names, if any. `promises` are numbers of the design's."""
        if path := os.environ.get("FAULTS_RESULTS"):
            entry = {"test": self.test, "promises": promises, "fault": fault, "times": times}
            found_figures = asdict(found) if found else {}
            with Path(path).open("a") as results:
                results.write(json.dumps({**entry, "found": found_figures, "figures": figures}) + "\n")


@pytest.fixture
def trial(endpoint: str, java: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Trial]:
    """A trial of this test's own."""
    with new_stack(endpoint, java) as stack, fault_proxy(endpoint) as proxy:
        yield Trial(stack, proxy, tmp_path, request.node.nodeid)


@pytest.fixture
def proxy(endpoint: str) -> Iterator[FaultProxy]:
    """A proxy before the module's stack."""
    with fault_proxy(endpoint) as made:
        yield made
