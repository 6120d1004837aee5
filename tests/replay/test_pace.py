"""How long a shard is left alone, and how much is asked for: sums, no clock."""

import pytest

from replay.pace import FIRST_PAGE_RECORDS, PAGE_BYTES, page_records, pause_s
from telemetry.read_budget import SHARD_BYTES_A_S


@pytest.mark.parametrize(
    ("page_bytes", "seconds"),
    [(0, 1), (1, 1), (399_999, 1), (400_000, 1), (600_000, 1.5), (1_048_576, 2.62144), (10_000_000, 25)],
)
def test_l07_the_pause_follows_the_bytes(page_bytes: int, seconds: float) -> None:
    """At 0.4 MB a second, and one call a second at most, where nothing came too."""
    assert pause_s(page_bytes) == pytest.approx(seconds)
    assert page_bytes / pause_s(page_bytes) <= SHARD_BYTES_A_S / 5


@pytest.mark.parametrize(
    ("sizes_bytes", "records"),
    [
        ([300], 10),  # one small record says little
        ([300] * 10, 100),
        ([300] * 100, 1000),
        ([300] * 1000, 1000),
        ([0], 10),
        ([40_000], 10),
        ([40_001], 9),
        ([1000] * 500, 400),
        ([100, 1900] * 100, 400),  # the mean of them
        ([200_000] * 10, 2),
        ([400_001], 1),
        ([10_485_760], 1),
    ],
)
def test_l07_a_page_is_sized_by_the_records_seen(sizes_bytes: list[int], records: int) -> None:
    """To hold 0.4 MB, but at most ten times the records that were seen and what a shard takes a second; one at least."""
    assert page_records(sizes_bytes) == records
    assert records == 1 or records * sum(sizes_bytes) / len(sizes_bytes) <= PAGE_BYTES


def test_l07_the_first_page_is_one_record() -> None:
    """Any other would be 10 MB at worst, and close the shard for five seconds."""
    assert FIRST_PAGE_RECORDS == 1
