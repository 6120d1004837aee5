"""Every reading that came before is told from every one that did not, whatever is in memory and whatever on disk."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay import repeats
from replay.repeats import Repeats
from telemetry.reading import Reading
from tests.projections.logs import few_readings, readings


def fresh(path: Path | str = "") -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path, isolation_level=None))


def told(log: list[Reading], found: Repeats) -> list[bool]:
    return [found.is_repeat(one) for one in log]


def expected(log: list[Reading]) -> list[bool]:
    return [one in log[:place] for place, one in enumerate(log)]


@given(st.lists(few_readings | readings, max_size=40), st.integers(1, 5))
def test_a_reading_repeats_when_it_stood_before(log: list[Reading], held: int) -> None:
    """Late, early, or at the same time with another temperature."""
    with pytest.MonkeyPatch.context() as patch, fresh() as database:
        patch.setattr(repeats, "_UNWRITTEN_MAX", held)
        assert told(log, Repeats(database)) == expected(log)


@given(st.lists(few_readings, max_size=40), st.integers(0, 40))
def test_what_is_written_is_known_to_whoever_goes_on(log: list[Reading], cut: int) -> None:
    """As if there had been one reading."""
    with fresh() as database:
        first = Repeats(database)
        before = told(log[:cut], first)
        first.write()
        assert before + told(log[cut:], Repeats(database)) == expected(log)


def test_memory_is_bounded_and_a_reading_takes_some_thirty_bytes_on_disk(tmp_path: Path) -> None:
    """Each of them, in the order of time as a log has them: nobody knows which will come again."""
    count = 120_000
    with fresh(tmp_path / "seen") as database:
        database.execute("begin")
        found = Repeats(database)
        for number in range(count):
            at_us = 1_700_000_000_000_000 + number // 100 * 1_000_000
            assert not found.is_repeat(Reading(at_us, f"sensor-{number % 100}", 20_000_000 + number))
        assert len(found._unwritten) < count / 2
        found.write()
        database.execute("commit")
    assert (tmp_path / "seen").stat().st_size < 35 * count
