"""How the readers of a shard share what Kinesis lets them read: five calls and 2 MB a second, for all of them together.

Who asks for more is refused, and so is every other reader meanwhile. An answer of 10 MB, the largest there is, closes the
shard to all of them for five seconds (GetRecords, API reference).
"""

from collections.abc import Sequence
from typing import Final

SHARD_CALLS_A_S: Final = 5
SHARD_BYTES_A_S: Final = 2_000_000

CONSUMER_CALLS_A_S: Final = 3
"""Freshness comes first. Its bytes are what is written, which is half of the shard's at most."""

ARCHIVE_CALLS_A_S: Final = 1
"""At most; as seldom as every ten seconds where little comes."""

ARCHIVE_BYTES_MAX: Final = 1_000_000
"""In one call: what is written in a second at most."""

OTHERS_CALLS_A_S: Final = 1
"""Whoever else reads, replay above all."""

OTHERS_BYTES_A_S: Final = SHARD_BYTES_A_S * OTHERS_CALLS_A_S // SHARD_CALLS_A_S
"""Of the bytes as of the calls: a fifth."""

assert CONSUMER_CALLS_A_S + ARCHIVE_CALLS_A_S + OTHERS_CALLS_A_S <= SHARD_CALLS_A_S

FIRST_PAGE_RECORDS: Final = 1
"""Of a shard: nobody knows yet how large its records are, and one may have 10 MB if the stream is set to take it."""

_GROWTH: Final = 10
"""A small record says little about the next ones: so many times what was seen may be asked for. Ten records after one are still
a page of 0.4 MB where they have up to 40 kB."""


def page_records(sizes_bytes: Sequence[int], bytes_max: int, records_max: int) -> int:
    """How many records to ask for next, after a page of records of these sizes, to get so many bytes: one at least.

    GetRecords takes no bound in bytes, only one in records. `records_max` is a bound however small they are.
    """
    fitting = bytes_max * len(sizes_bytes) // max(1, sum(sizes_bytes))
    return max(1, min(records_max, _GROWTH * len(sizes_bytes), fitting))


def interval_ms(calls_a_s: int) -> int:
    """How far apart so many calls a second are, in whole milliseconds: never more calls than that."""
    return -(-1000 // calls_a_s)
