"""A replay into another stream: its events put there as they are, byte for byte, under their sensors' own keys."""

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from replay.events import Event
from replay.speed import Pacing
from telemetry.errors import StoreUnavailable, TelemetryError
from telemetry.limits import PUT_RECORDS_BYTES_MAX, PUT_RECORDS_ENTRIES_MAX
from telemetry.retry import backoff_s, error_code, may_pass, patiently

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_BYTES_MAX: Final = PUT_RECORDS_BYTES_MAX // 2
"""Of a call: far from what Kinesis takes, so that a slow answer costs little."""
_PATIENCE_S: Final = 60.0
_CONTACT_PATIENCE_S: Final = 3.0
"""Whoever has not answered at all by then is not there: a person waits for that, not for an outage to pass."""
_PASSING: Final = {"ProvisionedThroughputExceededException", "InternalFailure", "KMSThrottlingException"}
"""Codes of single records (PutRecords, PutRecordsResultEntry; KMS's, whose quota passes)."""


class NotPut(TelemetryError):
    """The stream takes a record at no time."""


class IntoStream:
    """Puts events into a stream, each a record of its own, as our API does with one that comes alone."""

    def __init__(self, kinesis: "KinesisClient", stream: str, pacing: Pacing) -> None:
        """`stream`: a name or an ARN."""
        self._kinesis, self._pacing = kinesis, pacing
        self._stream = _named(stream)
        self._held: list[Any] = []
        self._held_bytes = 0
        self.put = 0
        """Events that are in the stream."""
        self.again = 0
        """How often one was put again because it was refused, or nobody knew."""

    def write(self, event: Event, *, repeat: bool) -> None:  # noqa: ARG002  it was sent twice, and is again
        """One more event, when its time has come. What has not come by then is not waited for."""
        self._pacing.wait(event.record.arrived_ms, before=self.save)
        key, data = event.reading.sensor_id, event.line + b"\n"
        size_bytes = len(key.encode()) + len(data)
        if len(self._held) >= PUT_RECORDS_ENTRIES_MAX or self._held_bytes + size_bytes > _BYTES_MAX:
            self.save()
        self._held.append({"PartitionKey": key, "Data": data})
        self._held_bytes += size_bytes

    def is_due(self) -> bool:
        """Nobody goes on with it."""
        return False

    def save(self) -> int:
        """What is held is put: what was refused again, in its order, until all of it is in or patience ends.

        A record after one that was refused may overtake it; of a sensor's readings none is lost, and equal ones count once.
        Raises NotPut, StoreUnavailable.
        """
        records, failed, since_s = self._held, 0, self._pacing.clock()
        self._held, self._held_bytes = [], 0
        while records:
            left, why = self._refused(records)
            self.put += len(records) - len(left)
            if not left:
                break
            failed = 1 if len(left) < len(records) else failed + 1
            since_s = self._pacing.clock() if len(left) < len(records) else since_s
            if self._pacing.clock() - since_s >= _PATIENCE_S:
                raise StoreUnavailable(f"no success within {_PATIENCE_S:g} s: {why}. {self.put:,} events were put before.")
            self.again += len(left)
            self._pacing.sleep(backoff_s(failed))
            records = left
        return 0

    def _refused(self, records: list[Any]) -> tuple[list[Any], str]:
        """Those of the records that are to be put again, and why."""
        try:
            results = self._kinesis.put_records(**self._stream, Records=records)["Records"]
        except (ClientError, BotoCoreError) as error:
            if not may_pass(error):
                raise
            return records, error_code(error)
        # Record by record: FailedRecordCount has been seen to be wrong (hazard H14).
        codes = [None if one.get("SequenceNumber") else str(one.get("ErrorCode")) for one in results]
        if lasting := {code for code in codes if code is not None} - _PASSING:
            raise NotPut(
                f"The stream refuses records for good: {', '.join(sorted(lasting))}. {self.put:,} events were put before."
            )
        return [record for record, code in zip(records, codes, strict=True) if code], next(filter(None, codes), "")


class Known(NamedTuple):
    """A stream that is there."""

    name: str
    created_ms: int


def known(kinesis: "KinesisClient", stream: str) -> Known:
    """The stream of a name or an ARN. Raises what AWS says when there is none, StoreUnavailable when nobody answers."""
    answer = patiently(lambda: kinesis.describe_stream_summary(**_named(stream)), _CONTACT_PATIENCE_S)
    summary = answer["StreamDescriptionSummary"]
    return Known(summary["StreamName"], round(summary["StreamCreationTimestamp"].timestamp() * 1000))


def _named(stream: str) -> Any:
    return {"StreamARN": stream} if stream.startswith("arn:") else {"StreamName": stream}
