"""How much is asked for at once: sums, no clock."""

import pytest

from telemetry.read_budget import ARCHIVE_BYTES_MAX, FIRST_PAGE_RECORDS, OTHERS_BYTES_A_S, page_records


@pytest.mark.parametrize(
    ("sizes_bytes", "replayed", "archived"),
    [
        ([300], 10, 10),  # one small record says little
        ([300] * 10, 100, 100),
        ([300] * 100, 1000, 1000),
        ([300] * 2000, 1000, 2000),
        ([0], 10, 10),
        ([40_000], 10, 10),
        ([40_001], 9, 10),
        ([1000] * 500, 400, 1000),
        ([100, 1900] * 100, 400, 1000),  # the mean of them
        ([200_000] * 10, 2, 5),
        ([400_001], 1, 2),
        ([10_485_760], 1, 1),
    ],
)
def test_l07_a_page_is_sized_by_the_records_seen(sizes_bytes: list[int], replayed: int, archived: int) -> None:
    """To hold 0.4 MB or a megabyte, but at most ten times the records that were seen, and a bound; one at least."""
    for bytes_max, records_max, records in ((OTHERS_BYTES_A_S, 1000, replayed), (ARCHIVE_BYTES_MAX, 2000, archived)):
        assert page_records(sizes_bytes, bytes_max, records_max) == records
        assert records == 1 or records * sum(sizes_bytes) / len(sizes_bytes) <= bytes_max


def test_l07_the_first_page_is_one_record() -> None:
    """Any other would be 10 MB at worst, and close the shard for five seconds."""
    assert FIRST_PAGE_RECORDS == 1
