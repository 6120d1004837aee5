"""A token bucket on a clock that is handed in. Pure.

Looked at first: `limits` (5.8) has windows and no bucket, and counts in storage; what is needed is one number that may be
overdrawn by a batch, and is never taken in part.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Bucket:
    """Filled with `rate` tokens a second, up to `burst`; full in the beginning."""

    rate: float
    burst: int
    now_s: float
    """On any clock that goes forward."""
    _tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = self.burst

    def level(self, now_s: float) -> float:
        """How many tokens there are; below 0 while it is overdrawn."""
        self._tokens = min(self.burst, self._tokens + (now_s - self.now_s) * self.rate)
        self.now_s = now_s
        return self._tokens

    def take(self, tokens: int, now_s: float) -> None:
        """Take so many, more than there are if need be."""
        self._tokens = self.level(now_s) - tokens

    def put_back(self, tokens: int, now_s: float) -> None:
        """Take them as never taken."""
        self._tokens = min(self.burst, self.level(now_s) + tokens)

    def until_s(self, level: float, now_s: float) -> float:
        """In how many seconds there are so many tokens."""
        return max(0.0, (level - self.level(now_s)) / self.rate)
