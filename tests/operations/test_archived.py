"""How far shards are archived is looked for from where it was found before."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from archive.names import created_ms
from operations.archived import ArchiveWatch
from telemetry.log import LogRecord
from telemetry.settings import Settings
from tests.archive.counting import CountingTarget
from tests.archive.records import CREATED, SHARD, chained

BEGIN_MS = created_ms(CREATED)


def test_each_look_goes_on_from_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain without a state is listed once, and then from its last object on; each stream and shard has its own."""
    target = CountingTarget()
    monkeypatch.setattr("operations.archived.open_for_reading", lambda *_: target)
    records = [LogRecord(number, BEGIN_MS + number * 1000, b"{}\n") for number in range(1, 60)]
    chained(target, [[record] for record in records[:50]])
    watch = ArchiveWatch(Settings(archive_target="somewhere"), 1)
    shard_id, other = f"2/{SHARD.shard_id}", "2/shardId-000000000009"
    with ThreadPoolExecutor(2) as threads:
        for count, listed in ((50, 50), (50, 1)):
            target.listed = 0
            until_ms = watch.look(CREATED, [shard_id, other], 0, threads).until_ms
            assert until_ms == {shard_id: BEGIN_MS + count * 1000, other: BEGIN_MS}
            assert target.listed == listed
        assert watch.look("1.000", [shard_id], 0, threads).until_ms == {shard_id: 1000}
