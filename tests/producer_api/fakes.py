"""An in-memory Kinesis for the writer: it puts records where Kinesis would, and fails as a test says."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from producer_api.writing.commit import Receipt
from telemetry.limits import HASH_KEY_MAX
from telemetry.records import split_record
from telemetry.shards import Shard, ShardMap, hash_key

type Fault = Callable[["FakeKinesis", Sequence[Any]], dict[str, Any]]

URL = "http://kinesis.test"
_HELD_S_MAX = 20


def even_shards(number: int) -> ShardMap:
    """So many shards of equal ranges: `shard-0` …"""
    bounds = [2**128 * index // number for index in range(number + 1)]
    return ShardMap(Shard(f"shard-{index}", bounds[index], bounds[index + 1] - 1) for index in range(number))


def sensors_in(shard: Shard) -> Iterator[str]:
    """Sensors that hash into a shard, without end."""
    return (sensor_id for sensor_id in map(str, count()) if shard.holds(hash_key(sensor_id)))


@dataclass(frozen=True)
class Stored:
    """A record in the stream."""

    receipt: Receipt
    data: bytes

    @property
    def events(self) -> list[bytes]:
        """The lines in it."""
        return [line.data for line in split_record(self.data)]


class FakeKinesis:
    """Answers PutRecords and ListShards. Each call first takes the next of `faults`, if any is left; `held` stops all."""

    def __init__(self, shards: int = 2) -> None:
        self.map = even_shards(shards)
        self.records: list[Stored] = []
        self.calls: list[int] = []
        """How many records each call had."""
        self.faults: deque[Fault] = deque()
        self.held = threading.Event()
        self.under_way = 0
        self.under_way_max = 0
        self.listings = 0
        self.list_fault: Exception | None = None
        self._lock = threading.Lock()
        self._numbers = count(1)
        self.held.set()

    def put_records(self, *, StreamName: str, Records: Sequence[Any]) -> dict[str, Any]:  # noqa: N803  boto3's names
        """As boto3's client has it."""
        assert StreamName == "stream"
        with self._lock:
            self.calls.append(len(Records))
            self.under_way += 1
            self.under_way_max = max(self.under_way_max, self.under_way)
            fault = self.faults.popleft() if self.faults else None
        try:
            assert self.held.wait(_HELD_S_MAX)
            return fault(self, Records) if fault else self.store(Records)
        finally:
            with self._lock:
                self.under_way -= 1

    def list_shards(self, *, StreamName: str) -> dict[str, Any]:  # noqa: N803  boto3's names
        """As boto3's client has it, in one page."""
        assert StreamName == "stream"
        self.listings += 1
        if self.list_fault:
            raise self.list_fault
        return {"Shards": [_listed(shard) for shard in self.map.shards.values()]}

    def store(self, records: Sequence[Any]) -> dict[str, Any]:
        """Keep the records and answer as Kinesis does."""
        with self._lock:
            return {"FailedRecordCount": 0, "Records": [self._store(record) for record in records]}

    def reshard(self, *bounds: int) -> None:
        """Close all shards and open new ones beginning at 0 and these bounds."""
        starts, ends = (0, *bounds), (*(bound - 1 for bound in bounds), HASH_KEY_MAX)
        closed = [replace(shard, closed=True) for shard in self.map.shards.values()]
        opened = [Shard(f"new-{number}", *ends_of) for number, ends_of in enumerate(zip(starts, ends, strict=True))]
        self.map = ShardMap([*closed, *opened])

    def _store(self, record: Any) -> dict[str, Any]:
        explicit = record.get("ExplicitHashKey")
        owner = self.map.owner(hash_key(record["PartitionKey"]) if explicit is None else int(explicit))
        receipt = Receipt(owner.shard_id, str(next(self._numbers)))
        self.records.append(Stored(receipt, record["Data"]))
        return {"ShardId": receipt.shard_id, "SequenceNumber": receipt.sequence_number}

    @property
    def places(self) -> Counter[tuple[bytes, str]]:
        """How often each event lies in each shard."""
        return Counter((event, record.receipt.shard_id) for record in self.records for event in record.events)

    @property
    def events(self) -> Counter[bytes]:
        """How often each event lies in the stream."""
        return Counter(event for record in self.records for event in record.events)


def throttle(_: FakeKinesis, __: Sequence[Any]) -> dict[str, Any]:
    """The whole call is refused."""
    raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "slow down"}}, "PutRecords")


def store_but_time_out(kinesis: FakeKinesis, records: Sequence[Any]) -> dict[str, Any]:
    """Hazard H15: the records are stored, the answer never comes."""
    kinesis.store(records)
    raise ReadTimeoutError(endpoint_url=URL)


def unreachable(_: FakeKinesis, __: Sequence[Any]) -> dict[str, Any]:
    """Nobody answers at all."""
    raise EndpointConnectionError(endpoint_url=URL)


def raising(error: Exception) -> Fault:
    """The call ends in this error."""

    def fail(_: FakeKinesis, __: Sequence[Any]) -> dict[str, Any]:
        raise error

    return fail


def refused_with(code: str, message: str = "no") -> Fault:
    """AWS refuses the whole call with this code."""
    return raising(ClientError({"Error": {"Code": code, "Message": message}}, "PutRecords"))


def refusing(*failed: int, says_failed: int) -> Fault:
    """Hazard H14: some entries fail on a call that succeeds, and the call's own count of them says something else."""

    def answer(kinesis: FakeKinesis, records: Sequence[Any]) -> dict[str, Any]:
        no = {"ErrorCode": "InternalFailure", "ErrorMessage": "no"}
        results = [no if number in failed else kinesis.store([record])["Records"][0] for number, record in enumerate(records)]
        return {"FailedRecordCount": says_failed, "Records": results}

    return answer


def answering(answer: dict[str, Any]) -> Fault:
    """What a broken proxy makes of the answer."""
    return lambda _, __: answer


def _listed(shard: Shard) -> dict[str, Any]:
    end = {"EndingSequenceNumber": "9"} if shard.closed else {}
    return {
        "ShardId": shard.shard_id,
        "HashKeyRange": {"StartingHashKey": str(shard.first_hash_key), "EndingHashKey": str(shard.last_hash_key)},
        "SequenceNumberRange": {"StartingSequenceNumber": "0"} | end,
    }
