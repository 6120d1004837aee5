"""Whether whole shards of a stream may be missing in the archive, as those tell that it holds. Pure."""

from collections.abc import Callable, Collection

from telemetry.limits import HASH_KEY_MAX
from telemetry.shards import Shard
from telemetry.streams import number_of


def may_lack_shards(shards: Collection[Shard], was_followed: Callable[[str], bool]) -> bool:
    """Whether a stream that is over may have had shards beside these, which are all that the archive knows.

    So it is where a parent is none of them, and where the last shards, which no others followed, do not hold all keys: what
    followed one that ended, or stood beside one from the beginning, is not there. Behind a shard that has not ended in the
    archive nobody need name what followed: it is missing there. Behind one that ended with its stream there was none.
    """
    parents = _parents(shards)
    last = [shard for shard in shards if shard.shard_id not in parents and not was_followed(shard.shard_id)]
    return lack_parents(shards) or not _hold_all_keys(last)


def lack_parents(shards: Collection[Shard]) -> bool:
    """Whether a parent of one of these, in the same stream, is none of them."""
    return not _parents(shards) <= {shard.shard_id for shard in shards}


def _parents(shards: Collection[Shard]) -> set[str]:
    return {parent for shard in shards for parent in shard.parents if number_of(parent) == number_of(shard.shard_id)}


def _hold_all_keys(shards: Collection[Shard]) -> bool:
    """Together. Ranges may overlap: a shard whose children are not there stands beside them."""
    held = 0
    for shard in sorted(shards, key=lambda shard: shard.first_hash_key):
        if shard.first_hash_key > held:
            break
        held = max(held, shard.last_hash_key + 1)
    return held > HASH_KEY_MAX
