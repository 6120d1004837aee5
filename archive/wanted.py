"""What of the archive is asked for, and which objects surely hold nothing of it. Pure."""

from typing import Final, NamedTuple

from archive.instants import DAY_US, day_us, instant_ms
from archive.meta import UNDATED, Tail


class Wanted(NamedTuple):
    """What a reader asks for; None where it sets no bound. Who is in doubt reads."""

    from_ms: int | None = None
    """What arrived before need not be read: ms since 1970. The arrivals of a shard need not rise, so a reader who means a time
    exactly asks from ten minutes before it on, and up to ten minutes after."""
    until_ms: int | None = None
    """With the first record that arrived later a shard is over."""
    measured_from_us: int | None = None
    """Readings that were measured before need not be read: microseconds since 1970."""
    measured_to_us: int | None = None
    """Nor those that were measured then or later."""

    def is_before(self, arrived_ms: int) -> bool:
        """Whether what arrived by then need not be read."""
        return self.from_ms is not None and arrived_ms < self.from_ms

    def is_beyond(self, arrived_ms: int) -> bool:
        """Whether a shard is over with what arrived then."""
        return self.until_ms is not None and arrived_ms > self.until_ms

    def may_lie_between(self, after_ms: int, before_ms: int | None) -> bool:
        """Whether anything that is asked for may have arrived between two times; None for no end."""
        return not self.is_beyond(after_ms) and (before_ms is None or not self.is_before(before_ms))

    def may_lie_in(self, tail: Tail) -> bool:
        """Whether anything that is asked for may lie in an object that ends so."""
        if tail.arrived.min is None or tail.arrived.max is None:
            return False
        if not self.may_lie_between(instant_ms(tail.arrived.min), instant_ms(tail.arrived.max)):
            return False
        if self.measured_from_us is None and self.measured_to_us is None:
            return True  # records without a line are counted on no day
        return UNDATED in tail.measured or any(self.may_be_of(name) for name in tail.measured)

    def may_be_of(self, name: str) -> bool:
        """Whether readings that were measured on a day (UTC) may be asked for."""
        begins_us = day_us(name)
        return (self.measured_from_us is None or begins_us + DAY_US > self.measured_from_us) and (
            self.measured_to_us is None or begins_us < self.measured_to_us
        )


EVERYTHING: Final = Wanted()
