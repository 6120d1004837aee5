"""How the readers of a shard share what Kinesis lets them read: five calls and 2 MB a second, for all of them together.

Who asks for more is refused, and so is every other reader meanwhile. An answer of 10 MB, the largest there is, closes the
shard to all of them for five seconds (GetRecords, API reference).
"""

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


def interval_ms(calls_a_s: int) -> int:
    """How far apart so many calls a second are, in whole milliseconds: never more calls than that."""
    return -(-1000 // calls_a_s)
