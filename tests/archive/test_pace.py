"""How often a shard is asked, and for how much: sums, no clock."""

import pytest

from archive.pace import PAGE_BYTES, pause_s
from telemetry.read_budget import SHARD_BYTES_A_S


@pytest.mark.parametrize(
    ("bytes_a_s", "seconds"),
    [(0, 10), (1_000, 10), (40_000, 10), (80_000, 5), (200_000, 2), (400_000, 1), (1_000_000, 1)],
)
def test_a_shard_is_asked_as_seldom_as_its_pages_stay_small(bytes_a_s: int, seconds: float) -> None:
    """Every ten seconds to every second, each time for some 0.4 MB; a full shard every second for a whole one."""
    pause = 1.0
    for _ in range(20):
        pause = pause_s(int(bytes_a_s * pause), pause, behind=False)
    assert pause == pytest.approx(seconds)
    assert bytes_a_s * pause <= max(PAGE_BYTES, bytes_a_s)


@pytest.mark.parametrize(("page_bytes", "seconds"), [(0, 1), (400_000, 1), (1_000_000, 1), (10_000_000, 10)])
def test_one_who_is_behind_reads_half_of_what_a_shard_gives(page_bytes: int, seconds: float) -> None:
    """Once a second; the other half is the consumer's."""
    assert pause_s(page_bytes, 1.0, behind=True) == seconds
    assert page_bytes / seconds <= SHARD_BYTES_A_S / 2


def test_an_interval_of_seconds_is_kept() -> None:
    """Else an object would be late by a page."""
    assert pause_s(0, 1.0, behind=False, most_s=3) == 3
    assert pause_s(0, 1.0, behind=False, most_s=0.1) == 1
