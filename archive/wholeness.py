"""Whether a stretch of a shard is whole, or may have left the stream before it was read. Pure, and the one place for it.

Kinesis does not tell: whoever asks for what follows a record that has left the stream gets what is left. So it is asked at
every new page, with a clock that was looked at after the page came.
"""

from typing import Final, NamedTuple

from archive.names import Place

_MARGIN: Final = 10
"""A tenth of the retention: clocks differ, arrival times are about right, and the stream is trimmed when it suits it."""


class Stretch(NamedTuple):
    """What is known of the stretch that follows a place of a shard."""

    after: Place
    tip_seen_ms: int = 0
    """When nothing lay behind the place: milliseconds since 1970; 0 when that was never seen."""
    born_after_ms: int = 0
    """When the shard was surely not there yet: the latest of its stream's creation, its parents' last arrival and the moments
    when nothing lay behind that; 0 when none is known."""

    @property
    def begins_ms(self) -> int:
        """Everything in the stretch arrived after this moment: milliseconds since 1970."""
        return max(self.after.arrived_ms, self.tip_seen_ms, self.born_after_ms)


def is_young(stretch: Stretch, now_ms: int, retention_ms: int) -> bool:
    """Whether nothing of the stretch can have left the stream by `now_ms`, which lies after the moment it was read."""
    return stretch.begins_ms > now_ms - retention_ms * (_MARGIN - 1) // _MARGIN


def is_whole(stretch: Stretch, now_ms: int, retention_ms: int, oldest: int | None) -> bool:
    """The same, or the stream still keeps the record the stretch follows: its `oldest`, asked for after the page, says so.

    `oldest` is None when the stream keeps nothing of the shard, or was not asked.
    """
    reaches_back = oldest is not None and 0 < oldest <= stretch.after.sequence_number
    return reaches_back or is_young(stretch, now_ms, retention_ms)
