"""What P24 and P26 measure is the archiver's own work, on a log that comes back whole."""

from pathlib import Path

import pytest

from archive.source import ArchiveSource
from archive.targets import MemoryTarget
from benchmarks import archiving
from benchmarks.archiving import archived, plain
from benchmarks.consuming import readings, records
from benchmarks.rig import Rig
from replay.events import Choice, Events, Passed
from telemetry.log import Log


@pytest.mark.parametrize(("pack", "page_records"), [(records, 3), (plain, 700)])
def test_all_that_the_canned_stream_holds_is_archived(pack: object, page_records: int) -> None:
    """Each reading comes back, in its order, out of one object of several pages."""
    log, target = readings(2000, 50), MemoryTarget()
    assert callable(pack)
    assert archived(pack(log), page_records, target) > 0
    assert len(list(target.list_after("log/"))) == 1
    events = Events(Choice(), Passed())
    assert [event.reading for page in Log([ArchiveSource(target)]).pages() for event in events.of(page)] == log


def test_the_figures_name_what_they_are_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Packed and plain records apart; a run that lost something would fail."""
    monkeypatch.setattr(archiving, "_READINGS", 1000)
    monkeypatch.setattr(archiving, "_RUNS", 2)
    rig = Rig("", "", tmp_path)
    found = [*archiving.archiver(rig), *archiving.parquet(rig)]
    assert [(one.number, one.unit, one.reach) for one in found] == [
        *[("P24", "/s", 80_000), ("P24", "B", 37)] * 2,
        ("P26", "×", 0.5),
        ("P26", "B", 8),
    ]
    assert [kind in one.what for one, kind in zip(found, ("packed", "packed", "plain", "plain"), strict=False)] == [True] * 4
    assert all(len(one.values) == 2 and min(one.values) > 0 for one in found)
