"""What must be certain before a shard is begun or ended: asked of the stream until it is, never guessed.

ListShards may not show a new child yet. KCL takes one ResourceNotFoundException of GetRecords for the end of a shard
(awslabs/amazon-kinesis-client#510). And a stream made again under its name repeats shard ids (hazard H29).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from projections.generations import check_stream, retention_s
from telemetry.errors import StoreUnavailable, WrongStream
from telemetry.limits import HASH_KEY_MAX
from telemetry.names import ResourceNames
from telemetry.retry import may_pass, tries
from telemetry.shards import Shard, ShardMap, list_shards
from telemetry.streams import UNKNOWN_PARENT, kinesis_id

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

log = structlog.get_logger(__name__)

_END_PATIENCE_S = 10
"""How long an end is asked for. ListShards may be late; a process that exits is told of the end once more."""
_PAGES_MAX = 5


class Certainty:
    """Asks about the shards of one stream, for as long as `patience_s`. Shards go by the log's names of them."""

    def __init__(self, kinesis: "KinesisClient", dynamodb: "DynamoDBClient", names: ResourceNames, patience_s: float) -> None:
        self._kinesis = kinesis
        self._dynamodb = dynamodb
        self._names = names
        self._patience_s = patience_s

    def find(self, shard_id: str) -> Shard:
        """A shard that KCL wants read: as ListShards shows it, or, when it has expired, as KCL noted it in its lease.

        Raises StoreUnavailable when that cannot be found out in time, and WrongStream.
        """
        self._refuse_another_stream()
        found = _until(
            lambda: self._listed(shard_id) or (self._leased(shard_id) if self._expired(shard_id) else None), self._patience_s
        )
        if found is None:
            raise StoreUnavailable(f"{shard_id} is not shown by ListShards, and yet it is there")
        return found

    def open_shards(self) -> int:
        """How many shards write to the tables side by side; 1 when none is shown in time."""
        return _until(lambda: len(self._shards().open) or None, self._patience_s) or 1

    def has_ended(self, shard_id: str, position: int) -> bool:
        """Whether nothing follows `position` in a shard and nothing ever will. Raises what makes that uncertain."""
        patience_s = min(_END_PATIENCE_S, self._patience_s)

        def over() -> bool | None:
            self._check_stream()
            if shard := self._listed(shard_id):
                return not self._more_after(shard_id, position) if shard.closed else None
            return self._expired(shard_id) or None

        return bool(_until(over, patience_s))

    def _refuse_another_stream(self) -> None:
        """Raises WrongStream or StreamMissing. A right that lacks proves nothing; what else may pass is asked again."""
        self._described(self._check_stream)

    def _check_stream(self) -> None:
        place, ours = check_stream(self._kinesis, self._dynamodb, self._names).place, self._names.place
        if place != ours:
            raise WrongStream(f"The log has gone on in its stream {place.number}, and this process reads stream {ours.number}.")

    def retention_s(self) -> int | None:
        """How long the stream keeps a record, in seconds; None when that may not be asked."""
        return self._described(lambda: retention_s(self._kinesis, self._names))

    def _described[T](self, ask: Callable[[], T]) -> T | None:
        def once() -> tuple[T | None]:
            try:
                return (ask(),)
            except ClientError as error:
                if may_pass(error):
                    raise
                log.warning("stream_not_described", error=str(error))
                return (None,)

        if (answer := _until(once, self._patience_s)) is None:
            raise StoreUnavailable(f"{self._names.stream} cannot be described")
        return answer[0]

    def _listed(self, shard_id: str) -> Shard | None:
        return self._shards().shards.get(shard_id)

    def _shards(self) -> ShardMap:
        return list_shards(self._kinesis, self._names.stream, self._names.place)

    def _expired(self, shard_id: str) -> bool:
        """Whether an unlisted shard cannot be read and, asked again, is not listed: it has left the stream with its records."""
        try:
            self._iterator(shard_id, {"ShardIteratorType": "TRIM_HORIZON"})
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return self._listed(shard_id) is None
        return False

    def _leased(self, shard_id: str) -> Shard:
        """A shard that is not listed, by what KCL knew of it. Whatever its parents had is asked for."""
        answer: Any = self._dynamodb.get_item(
            TableName=self._names.application, Key={"leaseKey": {"S": kinesis_id(shard_id)}}, ConsistentRead=True
        )
        lease = answer.get("Item", {})
        return Shard(
            shard_id,
            int(lease.get("startingHashKey", {}).get("S", 0)),
            int(lease.get("endingHashKey", {}).get("S", HASH_KEY_MAX)),
            tuple(map(self._names.place.name, lease.get("parentShardId", {}).get("SS", ()))) or (UNKNOWN_PARENT,),
            closed=True,
        )

    def _more_after(self, shard_id: str, position: int) -> bool:
        """Whether records are seen beyond a position. A closed shard, too, may be said to be gone before it was read."""
        place: Any = {"ShardIteratorType": "TRIM_HORIZON"}
        if position:
            place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": str(position)}
        try:
            iterator = self._iterator(shard_id, place)
            for _ in range(_PAGES_MAX):
                page: Any = self._kinesis.get_records(ShardIterator=iterator, Limit=1)
                if page["Records"] or not (iterator := page.get("NextShardIterator")):
                    return bool(page["Records"])
        except ClientError as error:
            if may_pass(error):
                raise
            # The position has left the stream, or cannot be asked about: then ListShards alone tells.
            log.warning("end_not_read", shard_id=shard_id, error=str(error))
        return False

    def _iterator(self, shard_id: str, place: Any) -> Any:
        answer = self._kinesis.get_shard_iterator(StreamName=self._names.stream, ShardId=kinesis_id(shard_id), **place)
        return answer["ShardIterator"]


def _until[T](ask: Callable[[], T | None], patience_s: float) -> T | None:
    """What `ask` answers once it knows, asked again until patience ends, also after errors that may pass."""
    for _ in tries(patience_s):
        try:
            if (answer := ask()) is not None:
                return answer
        except (ClientError, BotoCoreError) as error:
            if not may_pass(error):
                raise
            log.warning("asked_again", error=str(error))
    return None
