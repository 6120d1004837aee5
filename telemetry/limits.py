"""Hard limits, each with its unit in its name and its source beside it.

They hold for every reader of the log, whatever the settings of a deployment: a projection must not depend on a setting.
"""

from datetime import UTC, datetime
from typing import Final

# --- A reading (contract C21, C22, C23) ---
MICRO: Final = 1_000_000
"""Temperatures are integers of 10⁻⁶ °C, times integers of 10⁻⁶ s."""

TEMPERATURE_MICRO_MIN: Final = -273_150_000
"""Absolute zero."""

TEMPERATURE_MICRO_MAX: Final = 10_000 * MICRO

SENSOR_ID_CHARS_MAX: Final = 256
"""Kinesis: a partition key has 1 to 256 Unicode characters (PutRecords, PartitionKey)."""

TIME_US_MIN: Final = 0
"""1970-01-01T00:00:00Z."""

TIME_US_MAX: Final = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()) * MICRO + 999_999
"""9999-12-31T23:59:59.999999Z, the last instant Python's datetime can hold."""

# --- The log (Kinesis Data Streams API reference, PutRecords) ---
PUT_RECORDS_ENTRIES_MAX: Final = 500
PUT_RECORDS_BYTES_MAX: Final = 5 * 1024 * 1024
RECORD_BYTES_MAX: Final = 1024 * 1024
HASH_KEY_MAX: Final = 2**128 - 1
"""The hash key space: MD5 of the partition key read as an unsigned integer."""

PACKED_EVENT_BYTES_TARGET: Final = 48 * 1024
"""Events in one packed record before gzip: large enough to be cheap, small enough that one bad record costs little."""

EVENT_BYTES_MAX: Final = 64 * 1024
"""A line longer than this is not one of our events: the longest legal one has about 2 kB."""

RECORD_INFLATED_BYTES_MAX: Final = 10 * 1024 * 1024
"""What a gzip'd record may inflate to: no more than the largest plain record Kinesis can be set to take."""

# --- DynamoDB (service quotas, API reference) ---
BATCH_GET_KEYS_MAX: Final = 100
BATCH_WRITE_ITEMS_MAX: Final = 25
BATCH_STATEMENTS_MAX: Final = 25
DEAD_LETTER_PART_BYTES_MAX: Final = 256 * 1024
"""An item holds 400 KB in all; this leaves room for the key and the reason."""

DEAD_LETTERS_CALL_BYTES_MAX: Final = 1024 * 1024
"""Of data in one BatchWriteItem, which may have 16 MB: small enough to be sent within a client's time-outs."""

assert PACKED_EVENT_BYTES_TARGET + EVENT_BYTES_MAX < RECORD_BYTES_MAX
assert DEAD_LETTER_PART_BYTES_MAX < 400_000
assert SENSOR_ID_CHARS_MAX * 4 <= 1024, "a sensor id must fit a DynamoDB key in UTF-8"
