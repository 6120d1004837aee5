"""How often the archiver asks for a shard's next page, and for how much: it leaves the shard to the consumer. Pure.

As seldom as a page stays near its share of a second (`telemetry/read_budget.py`); where more comes, every second for up to all
that a shard takes in one.
"""

from typing import Final

from telemetry.read_budget import ARCHIVE_BYTES_MAX, ARCHIVE_CALLS_A_S, OTHERS_BYTES_A_S

PAUSE_S_MIN: Final = 1 / ARCHIVE_CALLS_A_S
PAUSE_S_MAX: Final = 10.0
PAGE_BYTES: Final = OTHERS_BYTES_A_S
"""What a page is to hold while little comes."""

PAGE_RECORDS_MAX: Final = 2_000
"""A shard takes a thousand a second (PutRecords); GetRecords gives 10,000, and the emulator takes seconds over those."""


def pause_s(page_bytes: int, since_s: float, *, behind: bool, most_s: float = PAUSE_S_MAX) -> float:
    """How long a shard is left alone after a page, whose bytes came `since_s` after the page before; in seconds.

    `behind`: more lies there already. `most_s` is what the interval of objects leaves.
    """
    least_s = max(PAUSE_S_MIN, page_bytes / ARCHIVE_BYTES_MAX)
    if behind:
        return least_s
    most_s = max(PAUSE_S_MIN, min(PAUSE_S_MAX, most_s))
    wished_s = most_s if page_bytes == 0 else max(since_s, PAUSE_S_MIN) * PAGE_BYTES / page_bytes
    return max(least_s, min(most_s, wished_s))
