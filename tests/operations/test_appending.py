"""Events of an operator on their way to the log: entry by entry, and again what was refused."""

from typing import Any

import pytest

from operations.appending import AwsWriter
from telemetry.errors import StoreUnavailable
from telemetry.names import ResourceNames
from telemetry.streams import StreamPlace


class Kinesis:
    """Refuses each entry at its first try, but for the first of a call."""

    def __init__(self, *, lasting: bool = False) -> None:
        self.calls: list[list[bytes]] = []
        self._lasting = lasting

    def put_records(self, **request: Any) -> Any:
        data = [entry["Data"] for entry in request["Records"]]
        self.calls.append(data)
        results: list[dict[str, str]] = [
            {"ShardId": "shardId-1", "SequenceNumber": str(10 * len(self.calls) + number)}
            if not number and not self._lasting
            else {"ErrorCode": "ProvisionedThroughputExceededException"}
            for number in range(len(data))
        ]
        return {"FailedRecordCount": 0, "Records": results}


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telemetry.retry.backoff_s", lambda _: 0.001)


def test_h14_each_entry_is_stored_once() -> None:
    """What was refused is sent again, and only that; places are the log's."""
    kinesis: Any = Kinesis()
    writer = AwsWriter(kinesis, ResourceNames("t", place=StreamPlace(2)), patience_s=5)
    assert writer.append([("a", b"1"), ("b", b"2")]) == ["2/shardId-1:10", "2/shardId-1:20"]
    assert kinesis.calls == [[b"1\n", b"2\n"], [b"2\n"]]
    assert writer.append([]) == []


def test_what_stays_refused_is_an_error() -> None:
    """After the time that it may take."""
    kinesis: Any = Kinesis(lasting=True)
    with pytest.raises(StoreUnavailable, match="events refused for"):
        AwsWriter(kinesis, ResourceNames("t"), patience_s=0.01).append([("a", b"1")])
