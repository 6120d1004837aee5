"""The token bucket: what may be taken, and when there is something again."""

import pytest

from producer_api.keys.bucket import Bucket


def test_it_is_full_fills_as_time_passes_and_no_further() -> None:
    """By its rate, up to its burst."""
    bucket = Bucket(2, 10, 0)
    assert bucket.level(0) == 10
    bucket.take(4, 0)
    assert (bucket.level(0), bucket.level(1), bucket.level(100)) == (6, 8, 10)


def test_it_may_be_overdrawn_and_then_takes_as_long() -> None:
    """A batch is never taken in part."""
    bucket = Bucket(2, 10, 0)
    bucket.take(30, 0)
    assert bucket.level(0) == -20
    assert bucket.until_s(0, 0) == pytest.approx(10)
    assert bucket.level(10) == pytest.approx(0)
    assert bucket.until_s(10, 10) == pytest.approx(5)
    assert bucket.until_s(0, 11) == 0


def test_what_is_put_back_was_never_taken() -> None:
    """It fills meanwhile, and is no fuller for it."""
    bucket = Bucket(2, 10, 0)
    bucket.take(4, 0)
    bucket.put_back(1, 0)
    assert bucket.level(0) == 7
    bucket.put_back(4, 1)
    assert bucket.level(1) == 10
