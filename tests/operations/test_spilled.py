"""What a verification has in memory and on disk, counted."""

from collections import Counter
from itertools import batched
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from operations import judging_windows, spilled
from operations.spilled import disk_bytes, files_for
from operations.verifying import Verification
from projections.rows import FLEET, PROGRESS
from tests.projections.logs import SHARD, reading, record, sensors_of
from tests.support.verifying import Parts, Tables, WholeLog, project


def test_little_is_in_memory_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of all that a log has, one sensor's readings, and the windows of one day of one shard. The rest lies where it is said."""
    days, sensors = 30, sensors_of(SHARD, 3)
    lines = [reading(sensor, 86_400 * day + 60 * minute) for day in range(days) for minute in range(20) for sensor in sensors]
    parts: Parts = {SHARD: [record(number, *some) for number, some in enumerate(batched(lines, 50, strict=False), 1)]}
    stores = project(parts)
    rows = Counter(key.window.partition("#")[2][:10] for _, key in stores.rows if key.scope == FLEET and key != PROGRESS)
    windows = Alive(monkeypatch, judging_windows, "_Window")
    readings = Alive(monkeypatch, spilled, "Line")
    assert list(Verification(Tables(stores), WholeLog(parts), tmp_path).differences()) == []
    assert (windows.made, windows.most) == (rows.total(), max(rows.values()))
    assert readings.most == 20 * days
    on_disk = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert on_disk == pytest.approx(disk_bytes(len(lines), *Tables(stores).sizes()), rel=0.25)


def test_a_long_log_lies_in_many_files() -> None:
    """So that what is known of one of them is small."""
    assert [files_for(readings) for readings in (0, 1_000_000, 1_000_000_000)] == [1, 1, 875]


class Alive:
    """How many objects of a class there are at a time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> None:
        self.made = self.now = self.most = 0
        kind: Any = getattr(module, name)
        monkeypatch.setattr(module, name, type(name, (kind,), {"__new__": self._new(kind), "__del__": self._gone}))

    def _new(self, kind: Any) -> Any:
        def new(counted: Any, *values: Any) -> Any:
            self.made, self.now = self.made + 1, self.now + 1
            self.most = max(self.most, self.now)
            return kind.__new__(counted, *(values if issubclass(kind, tuple) else ()))

        return new

    def _gone(self, *_: object) -> None:
        self.now -= 1
