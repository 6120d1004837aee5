"""Whether whole shards of a stream may be missing, as those tell that are there."""

from dataclasses import replace

import pytest

from archive.lacking import may_lack_shards
from telemetry.limits import HASH_KEY_MAX
from telemetry.shards import Shard

MIDDLE = HASH_KEY_MAX // 2
WHOLE = Shard("2/a", 0, HASH_KEY_MAX, ("shardId-of-the-stream-before",))
LOW, HIGH = Shard("2/b", 0, MIDDLE, ("2/a",)), Shard("2/c", MIDDLE + 1, HASH_KEY_MAX, ("2/a",))
MERGED = Shard("2/d", 0, HASH_KEY_MAX, ("2/b", "2/c"))
SEEN_EMPTY = Shard("2/f", 0, MIDDLE)
BESIDE = Shard("2/e", MIDDLE + 1, HASH_KEY_MAX)


@pytest.mark.parametrize(
    ("shards", "ended", "lacks"),
    [
        ([], "", True),
        ([WHOLE], "", False),
        ([WHOLE], "2/a", True),
        ([WHOLE, LOW], "", True),
        ([WHOLE, LOW], "2/a", True),
        ([WHOLE, LOW, HIGH], "2/a", False),
        ([WHOLE, LOW, HIGH], "", False),
        ([LOW, HIGH], "", True),
        ([WHOLE, LOW, HIGH, MERGED], "2/a 2/b 2/c", False),
        ([WHOLE, LOW, HIGH, MERGED], "2/a 2/b 2/c 2/d", True),
        ([BESIDE], "", True),
        ([SEEN_EMPTY, HIGH, WHOLE], "2/a", False),
        ([SEEN_EMPTY, replace(SEEN_EMPTY, shard_id="2/g"), WHOLE, LOW], "2/a", True),
    ],
    ids=[
        *("none", "one", "ended", "one of two children", "and its parent ended", "both children", "before their parent's end"),
        *("parent missing", "merged", "merged and ended", "the other missing", "seen empty", "keys held twice"),
    ],
)
def test_parents_ends_and_keys_tell_of_shards_that_are_not_there(shards: list[Shard], ended: str, *, lacks: bool) -> None:
    """What is missing behind a shard that did not end is that shard's own gap."""
    assert may_lack_shards(shards, lambda shard_id: shard_id in ended.split()) == lacks
