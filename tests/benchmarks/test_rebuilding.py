"""What P25 measures is a rebuild and a verification of all that was archived; one that lost something is no measurement."""

from pathlib import Path

import pytest

from benchmarks import rebuilding
from benchmarks.rig import Rig


def test_all_is_archived_counted_and_compared(tmp_path: Path) -> None:
    """Each step tells what it did, and nothing stays."""
    told = rebuilding.steps(tmp_path, 3000)
    assert told["archive"]["archive MB"] > 0
    assert told["fill"]["records"] == 17
    # A total, an hour and a pack of each sensor; the shard's progress row is written first and last.
    assert told["fill"]["items written"] - 1 == told["verify"]["items read"] > 3 * 1000
    assert told["verify"]["disk MB"] == pytest.approx(told["verify"]["disk MB promised"], rel=0.25)
    assert all(told[step][name] > 0 for step in ("fill", "verify") for name in ("CPU s", "s", "memory MB"))
    assert not list(tmp_path.iterdir())


def test_the_figures_are_readings_a_second_of_a_core(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of each run; what else it told stands beside."""
    steps = {
        "archive": {},
        **{step: {"readings": 10.0, "CPU s": seconds} for step, seconds in (("fill", 2.0), ("verify", 1.0))},
    }
    monkeypatch.setattr(rebuilding, "steps", lambda *_: steps)
    found = list(rebuilding.from_the_archive(Rig("", "", tmp_path)))
    assert [(one.number, one.median, one.unit, one.reach) for one in found] == [
        ("P25", 5, "/s", 40_000),
        ("P25", 10, "/s", 60_000),
    ]
    assert found[0].beside["CPU s a million"] == pytest.approx(200_000)


@pytest.mark.parametrize("lost", ["fill", "verify"])
def test_a_run_that_lost_something_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lost: str) -> None:
    """Whichever step."""
    done = {"readings": 10.0, "items written": 5.0, "items read": 5.0}
    monkeypatch.setattr(rebuilding, "_step", lambda step, *_: {**done, "readings": 9.0} if step == lost else done)
    with pytest.raises(AssertionError):
        rebuilding.steps(tmp_path, 10)
