"""How old the archive is, for an alarm that has it from the log."""

from archive.metrics import ArchiveMetrics


def test_an_archive_is_as_old_as_its_oldest_shard() -> None:
    """In seconds; unknown while that of a shard is, and not of shards that have ended."""
    metrics = ArchiveMetrics(lambda: 100_000)
    assert metrics.age_s(0) == 0
    metrics.complete("s-1", 90_000)
    assert metrics.age_s(1) == 10
    assert metrics.age_s(2) is None
    metrics.complete("s-2", 40_000)
    assert metrics.age_s(2) == 60
    metrics.ended("s-2")
    assert metrics.age_s(1) == 10
