"""How long a shard is left alone, and how much is asked for: sums, no clock."""

import pytest

from replay.pace import pause_s
from telemetry.read_budget import SHARD_BYTES_A_S


@pytest.mark.parametrize(
    ("page_bytes", "seconds"),
    [(0, 1), (1, 1), (399_999, 1), (400_000, 1), (600_000, 1.5), (1_048_576, 2.62144), (10_000_000, 25)],
)
def test_l07_the_pause_follows_the_bytes(page_bytes: int, seconds: float) -> None:
    """At 0.4 MB a second, and one call a second at most, where nothing came too."""
    assert pause_s(page_bytes) == pytest.approx(seconds)
    assert page_bytes / pause_s(page_bytes) <= SHARD_BYTES_A_S / 5
