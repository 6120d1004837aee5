"""Appends an operator's events to the log, and says where they stand."""

from collections.abc import Sequence
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

from telemetry.errors import StoreUnavailable
from telemetry.limits import EVENT_BYTES_MAX, PUT_RECORDS_BYTES_MAX
from telemetry.names import ResourceNames
from telemetry.retry import patiently, tries

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_EVENTS_A_CALL: Final = PUT_RECORDS_BYTES_MAX // EVENT_BYTES_MAX // 2


class AwsWriter:
    """Writes to the log's last stream, which is known to be the one that is there (`check_stream`)."""

    def __init__(self, kinesis: "KinesisClient", names: ResourceNames, patience_s: float) -> None:
        self._kinesis = kinesis
        self._names = names
        self._patience_s = patience_s

    def append(self, events: Sequence[tuple[str, bytes]]) -> list[str]:
        """Append events (partition key, line), each as a record; where they stand, in no order.

        Raises StoreUnavailable when some were not stored in time: those that were may be appended again, and count once.
        """
        return [place for chunk in batched(events, _EVENTS_A_CALL, strict=False) for place in self._append(chunk)]

    def _append(self, events: Sequence[tuple[str, bytes]]) -> list[str]:
        places: list[str] = []
        entries: Any = [{"PartitionKey": key, "Data": line + b"\n"} for key, line in events]
        for _ in tries(self._patience_s):
            put = partial(self._kinesis.put_records, StreamName=self._names.stream, Records=entries)
            results: Any = patiently(put, self._patience_s)["Records"]
            # Entry by entry: the call's own count of failures has been seen to be wrong (hazard H14).
            places += (
                f"{self._names.place.name(one['ShardId'])}:{one['SequenceNumber']}" for one in results if "ErrorCode" not in one
            )
            entries = [entry for entry, one in zip(entries, results, strict=True) if "ErrorCode" in one]
            if not entries:
                return places
        raise StoreUnavailable(f"{self._names.stream}: events refused for {self._patience_s:g} s")
