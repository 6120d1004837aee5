"""Times as the archive's objects hold them: RFC 3339 in UTC with three decimals. Pure."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
DAY_US: Final = 86_400_000_000


@lru_cache(maxsize=1024)
def instant(time_ms: int) -> str:
    """Milliseconds since 1970 as text: `2026-11-26T06:46:40.123Z`. Records that come together mostly arrived together."""
    return (_EPOCH + time_ms * _MS).isoformat(timespec="milliseconds")[:23] + "Z"


@lru_cache(maxsize=1024)
def instant_ms(text: str) -> int:
    """And back. Raises ValueError for any other text."""
    return (datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC) - _EPOCH) // _MS


def day(time_us: int) -> str:
    """The day in UTC that a moment in microseconds since 1970 lies in: `2026-11-26`."""
    return (_EPOCH + timedelta(microseconds=time_us)).date().isoformat()


@lru_cache(maxsize=1024)
def day_us(name: str) -> int:
    """When a day begins: microseconds since 1970. Raises ValueError for any other text."""
    return (date.fromisoformat(name) - _EPOCH.date()).days * DAY_US
