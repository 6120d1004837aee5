"""What may have left the stream before it was read: said, with its bounds, since it cannot be brought back. Pure."""

from typing import NamedTuple


class Gap(NamedTuple):
    """What arrived after `from_us` and before `until_us` may be lost: microseconds since 1970."""

    from_us: int
    until_us: int


def lost_stretch(covered_us: int, first_us: int | None, now_us: int, retention_us: int) -> Gap | None:
    """What may have left a shard between `covered_us`, up to which it was read, and the first record that came after that.

    Without such a record (`first_us` is None) the shard was read to its tip, and what it no longer keeps may be lost. A shard
    that was never read (`covered_us` is 0) has nothing to miss.
    """
    kept_us = now_us - retention_us
    until_us = kept_us if first_us is None else first_us
    return Gap(covered_us, until_us) if 0 < covered_us < min(kept_us, until_us) else None


def joined(one: Gap | None, other: Gap | None) -> Gap | None:
    """One stretch that holds both."""
    if one is None or other is None:
        return one or other
    return Gap(min(one.from_us, other.from_us), max(one.until_us, other.until_us))
