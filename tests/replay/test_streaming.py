"""Events go into another stream byte for byte, all of them, whatever is refused meanwhile."""

from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from replay.events import Event
from replay.speed import Pacing
from replay.streaming import IntoStream, NotPut
from telemetry.errors import StoreUnavailable
from telemetry.limits import PUT_RECORDS_ENTRIES_MAX
from telemetry.log import LogRecord
from telemetry.reading import Reading

REFUSED = "ProvisionedThroughputExceededException"


class Kinesis:
    """Answers calls in turn: with an error, or with the indexes that are refused and their code; then takes everything."""

    def __init__(self, *answers: Exception | tuple[set[int], str]) -> None:
        self.answers = list(answers)
        self.now_s = 100.0
        self.calls: list[tuple[float, int]] = []
        self.stored: list[dict[str, Any]] = []
        self.named: dict[str, str] = {}

    def put_records(self, Records: list[dict[str, Any]], **named: str) -> Any:  # noqa: N803  as boto3 names them
        self.named = named
        self.calls.append((self.now_s, len(Records)))
        answer = self.answers.pop(0) if self.answers else (set[int](), "")
        if isinstance(answer, Exception):
            raise answer
        refused, code = answer
        self.stored += [record for at, record in enumerate(Records) if at not in refused]
        return {
            "FailedRecordCount": 0,  # which is not asked
            "Records": [{"ErrorCode": code} if at in refused else {"SequenceNumber": "1"} for at in range(len(Records))],
        }

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def event(number: int, arrived_ms: int = 0, line: bytes | None = None) -> Event:
    line = line if line is not None else b'{"number":%d}' % number
    return Event("shard", LogRecord(1, arrived_ms, b""), 0, line, Reading(number, f"Küche {number % 3}", 1))


def poured(kinesis: Kinesis, events: Sequence[Event], speed: float | None = None, stream: str = "other") -> IntoStream:
    output = IntoStream(kinesis, stream, Pacing(speed, lambda: kinesis.now_s, kinesis.sleep))  # type: ignore[arg-type]
    for one in events:
        output.write(one, repeat=False)
    assert output.save() == 0
    return output


def test_events_are_put_as_they_are() -> None:
    """Each a record of its own, under its sensor's key, in their order; as many a call as Kinesis takes."""
    kinesis = Kinesis()
    output = poured(kinesis, [event(number) for number in range(1200)])
    assert kinesis.stored == [
        {"PartitionKey": f"Küche {number % 3}", "Data": b'{"number":%d}\n' % number} for number in range(1200)
    ]
    assert [count for _, count in kinesis.calls] == [PUT_RECORDS_ENTRIES_MAX, PUT_RECORDS_ENTRIES_MAX, 200]
    assert (output.put, kinesis.named) == (1200, {"StreamName": "other"})
    poured(kinesis, [event(1)], stream="arn:aws:kinesis:eu-west-1:123456789012:stream/other")
    assert kinesis.named == {"StreamARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/other"}


def test_calls_are_bounded_in_bytes() -> None:
    """Far below what Kinesis takes."""
    kinesis = Kinesis()
    poured(kinesis, [event(number, line=b"x" * 1_000_000) for number in range(5)])
    assert [count for _, count in kinesis.calls] == [2, 2, 1]


@pytest.mark.parametrize(
    "failure",
    [
        ({0, 2}, REFUSED),
        ({0, 1, 2, 3}, "InternalFailure"),
        ReadTimeoutError(endpoint_url="x"),
        ClientError({"Error": {"Code": "LimitExceededException", "Message": ""}}, "PutRecords"),
    ],
)
def test_what_was_refused_is_put_again(failure: Exception | tuple[set[int], str]) -> None:
    """Only that, when it is known; record by record, whatever the answer counts."""
    kinesis = Kinesis(failure, failure)
    output = poured(kinesis, [event(number) for number in range(4)])
    assert sorted(record["Data"] for record in kinesis.stored) == [b'{"number":%d}\n' % number for number in range(4)]
    assert output.put == 4
    assert output.again > 0


def test_a_stream_that_stays_away_is_told() -> None:
    """After a minute in which nothing went in, with how much had."""
    kinesis = Kinesis(*[({0}, REFUSED)] * 100_000)
    with pytest.raises(StoreUnavailable, match=rf"no success within 60 s: {REFUSED}. 1 events were put before"):
        poured(kinesis, [event(0), event(1)])
    assert 160 <= kinesis.now_s < 170


def test_what_is_refused_for_good_is_told_at_once() -> None:
    """A call, or a record."""
    for failure, error in (
        (ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "PutRecords"), ClientError),
        (({0}, "KMSDisabledException"), NotPut),
    ):
        kinesis = Kinesis(failure)
        with pytest.raises(error):
            poured(kinesis, [event(0)])
        assert len(kinesis.calls) == 1


def test_a_speed_is_kept() -> None:
    """As with an API: what arrived together goes together."""
    kinesis = Kinesis()
    poured(kinesis, [event(number, arrived_ms) for number, arrived_ms in enumerate([7000, 7000, 8000, 11_000])], speed=10)
    assert [count for _, count in kinesis.calls] == [2, 1, 1]
    assert [at_s for at_s, _ in kinesis.calls] == pytest.approx([100, 100.1, 100.4])
