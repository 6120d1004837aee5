"""The stores on DynamoDB and Kinesis. Together with `dynamodb_reads.py`, the only place that makes requests of the tables.

Each method retries in place, within the time the settings give, and raises StoreUnavailable after that. What one answer leaves
undone (UnprocessedItems, UnprocessedKeys, failed entries) is asked again, never taken as done or absent (hazard H16).
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from projections.effects import Believed, DeadLetter, Sighting
from projections.generations import read_pointer
from projections.items import (
    directory_key,
    first_sighting,
    pack_item,
    read_pack_end,
    read_pack_key,
    read_row,
    row_item,
    row_key,
    row_statement,
    unmoved,
)
from projections.letters import calls_of, dead_letter_items, mark_item
from projections.packs import Bucket, Pack, Search, search
from projections.rows import PROGRESS, Row, RowKey, sensor_of, time_prefix
from telemetry.errors import StoreUnavailable
from telemetry.letter_marks import LetterMark
from telemetry.limits import (
    BATCH_GET_KEYS_MAX,
    BATCH_STATEMENTS_MAX,
    BATCH_WRITE_ITEMS_MAX,
    EVENT_BYTES_MAX,
    PUT_RECORDS_BYTES_MAX,
)
from telemetry.names import ResourceNames
from telemetry.retry import patiently, tries
from telemetry.streams import number_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

    from projections.items import Item, Statement

CALLS_AT_ONCE = 8

_OWN_PACKS_A_PAGE = 100
"""Packs of its own that a shard passes over after a crash, to find its parents'."""

_REFUSED = frozenset({"ConditionalCheckFailed", "DuplicateItem"})
"""A statement's codes when somebody moved the row, or made it."""
_LASTING = frozenset({"AccessDenied", "ItemCollectionSizeLimitExceeded", "ResourceNotFound", "ValidationError"})
"""A statement's codes that the same statement will meet again; the others may pass."""


class AwsStores:
    """The tables of one projection generation, and the stream. `leave` returns when the next call may be made."""

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        kinesis: "KinesisClient",
        names: ResourceNames,
        patience_s: float,
        leave: Callable[[], object] = lambda: None,
    ) -> None:
        self._dynamodb = dynamodb
        self._kinesis = kinesis
        self._names = names
        self._patience_s = patience_s
        self._leave = leave
        self._calls = ThreadPoolExecutor(CALLS_AT_ONCE, "dynamodb")

    def close(self) -> None:
        """Let the threads go."""
        self._calls.shutdown()

    def search_packs(
        self, wanted: Mapping[Bucket, Collection[str]], believed: Believed, text_chars_max: int
    ) -> Mapping[Bucket, Search]:
        """Which readings lie in believed packs of their buckets; strongly consistent."""
        found = self._calls.map(
            lambda bucket: search(wanted[bucket], self._believed_texts(bucket, believed), text_chars_max), wanted
        )
        return dict(zip(wanted, found, strict=True))

    def find_newest(self, keys: Collection[RowKey], *, besides: str) -> Mapping[RowKey, int]:
        """The end of the latest bucket in each sensor's total or hour, in other shards; strongly consistent."""
        found = self._calls.map(partial(self._query_last, besides), keys)
        return {key: bucket.last_us for key, bucket in zip(keys, found, strict=True) if bucket}

    def store_packs(self, packs: Sequence[Pack]) -> None:
        """Write packs."""
        # Items are made in the threads, so that there are never more of them than calls under way.
        for _ in self._calls.map(self._write_packs, batched(packs, BATCH_WRITE_ITEMS_MAX, strict=False)):
            pass  # drawn to the end, so that every chunk's error is raised

    def load_rows(self, shard_id: str, keys: Collection[RowKey]) -> Mapping[RowKey, Row]:
        """Those rows that exist; strongly consistent."""
        items = self._get(self._names.stats, [row_key(shard_id, key) for key in set(keys)])
        return {row.key: row for _, row in map(read_row, items)}

    def store_rows(self, shard_id: str, rows: Sequence[tuple[Row, Row]]) -> Collection[RowKey]:
        """Write each row if what is stored still has the version of the one known; the keys of those refused."""
        plain = [pair for pair in rows if pair[0].key != PROGRESS]
        chunks = batched(plain, BATCH_STATEMENTS_MAX, strict=False)
        refused = [key for keys in self._calls.map(partial(self._write_rows, shard_id), chunks) for key in keys]
        for row, known in rows:
            if row.key == PROGRESS and not self._put_progress(shard_id, row, known):
                refused.append(PROGRESS)
        return refused

    def sight(self, shard_id: str, sightings: Sequence[Sighting]) -> None:
        """Tell the directory of sensors."""
        chunks = batched([one for one in sightings if one.new], BATCH_STATEMENTS_MAX, strict=False)
        known = [one for there in self._calls.map(partial(self._sight_first, shard_id), chunks) for one in there]
        for _ in self._calls.map(partial(self._sight_again, shard_id), [*known, *(one for one in sightings if not one.new)]):
            pass  # drawn to the end, so that every call's error is raised

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Keep what could not be applied."""
        # A call that names an item twice is refused as a whole (hazard H16).
        each = {letter.origin: letter for letter in letters}.values()
        items = (item for letter in each for item in dead_letter_items(letter))
        for _ in self._calls.map(partial(self._write_items, self._names.dead_letters), calls_of(items)):
            pass  # drawn to the end, so that every chunk's error is raised

    def mark_letters(self, marks: Sequence[LetterMark]) -> None:
        """Keep what was decided about dead letters: of each the latest."""
        for mark in marks:
            item = mark_item(mark)
            self._holds(
                partial(
                    self._dynamodb.put_item,
                    TableName=self._names.dead_letters,
                    Item=item,
                    ConditionExpression="attribute_not_exists(marked) OR marked < :marked",
                    ExpressionAttributeValues={":marked": item["marked"]},
                )
            )

    def load_live_progress(self, shard_id: str) -> Row | None:
        """Read the pointer, then the row in the tables that it names, if they are there."""
        pointer = self._patiently(partial(read_pointer, self._dynamodb, self._names))
        if pointer is None or number_of(shard_id) < pointer.place.number:
            return None
        items = self._get(pointer.names(self._names.prefix).stats, [row_key(shard_id, PROGRESS)])
        return next((row for _, row in map(read_row, items)), None)

    def append_again(self, events: Sequence[tuple[str, bytes]]) -> None:
        """Put events (partition key, line) on the stream once more, each under its own key."""
        for chunk in batched(events, PUT_RECORDS_BYTES_MAX // EVENT_BYTES_MAX // 2, strict=False):
            self._append(chunk)

    def _believed_texts(self, bucket: Bucket, believed: Believed) -> Iterator[str]:
        """Of the packs of a bucket, page by page."""
        request: Any = {
            "TableName": self._names.readings,
            "KeyConditionExpression": "sensor_id = :sensor AND begins_with(pack, :bucket)",
            "ExpressionAttributeValues": {":sensor": {"S": bucket.sensor_id}, ":bucket": {"S": f"{bucket.time}#"}},
            "ConsistentRead": True,
        }
        while True:
            page = self._patiently(partial(self._dynamodb.query, **request))
            yield from (item["readings"]["S"] for item in page["Items"] if believed(*read_pack_end(item)))
            if not (last := page.get("LastEvaluatedKey")):
                return
            request["ExclusiveStartKey"] = last

    def _query_last(self, besides: str, key: RowKey) -> Bucket | None:
        request: Any = {
            "TableName": self._names.readings,
            "KeyConditionExpression": "sensor_id = :sensor",
            "ExpressionAttributeValues": {":sensor": {"S": sensor_of(key)}},
            "ProjectionExpression": "sensor_id, pack",
            "ConsistentRead": True,
            "ScanIndexForward": False,
            "Limit": 1,
        }
        if begin := time_prefix(key):
            request["KeyConditionExpression"] += " AND begins_with(pack, :begin)"
            request["ExpressionAttributeValues"][":begin"] = {"S": begin}
        while True:
            page = self._patiently(partial(self._dynamodb.query, **request))
            for item in page["Items"]:
                bucket, shard_id = read_pack_key(item)
                if shard_id != besides:
                    return bucket
            if not (last := page.get("LastEvaluatedKey")):
                return None
            request |= {"ExclusiveStartKey": last, "Limit": _OWN_PACKS_A_PAGE}

    def _write_rows(self, shard_id: str, rows: Sequence[tuple[Row, Row]]) -> Collection[RowKey]:
        """Write a batch of rows, each on its own condition: a tenth of the work of a call for each. Those refused."""
        return self._execute({row.key: row_statement(self._names.stats, shard_id, row, known) for row, known in rows})

    def _execute[K: Hashable](self, statements: "Mapping[K, Statement]") -> Collection[K]:
        """Execute a batch of statements, each on its own condition. The keys of those refused."""
        waiting, refused = dict(statements), set()
        for _ in tries(self._patience_s):
            batch: Any = list(waiting.values())
            answer = self._patiently(partial(self._dynamodb.batch_execute_statement, Statements=batch))
            codes = {
                key: response["Error"]["Code"]
                for key, response in zip(waiting, answer["Responses"], strict=True)
                if "Error" in response
            }
            for response in answer["Responses"]:
                if (error := response.get("Error")) and error["Code"] in _LASTING:
                    raise ClientError({"Error": error}, "BatchExecuteStatement")  # type: ignore[typeddict-item]
            refused |= {key for key, code in codes.items() if code in _REFUSED}
            waiting = {key: waiting[key] for key, code in codes.items() if code not in _REFUSED}
            if not waiting:
                return refused
        raise StoreUnavailable(f"{self._names.stats}: statements left undone for {self._patience_s:g} s")

    def _put_progress(self, shard_id: str, row: Row, known: Row) -> bool:
        item, condition = row_item(shard_id, row), unmoved(known)
        return self._holds(partial(self._dynamodb.put_item, TableName=self._names.stats, Item=item, **condition))

    def _sight_first(self, shard_id: str, sightings: Sequence[Sighting]) -> Sequence[Sighting]:
        """Put sensors into the directory; those that are there already."""
        statements = {one.sensor_id: first_sighting(self._names.stats, shard_id, one) for one in sightings}
        refused = self._execute(statements)
        return [one for one in sightings if one.sensor_id in refused]

    def _sight_again(self, shard_id: str, sighting: Sighting) -> None:
        """Raise a sensor's time in the directory, and have the shard among its shards."""
        values: Any = {":seen": {"N": str(sighting.seen_s)}, ":shard": {"SS": [shard_id]}}
        update = partial(self._dynamodb.update_item, TableName=self._names.stats, Key=directory_key(sighting.sensor_id))
        later = partial(
            update,
            UpdateExpression="SET seen = :seen ADD shards :shard",
            ConditionExpression="attribute_not_exists(seen) OR seen < :seen",
            ExpressionAttributeValues=values,
        )
        if not self._holds(later) and sighting.new:
            self._patiently(
                partial(update, UpdateExpression="ADD shards :shard", ExpressionAttributeValues={":shard": values[":shard"]})
            )

    def _holds(self, call: Callable[[], object]) -> bool:
        """Make a call; whether its condition held."""
        try:
            self._patiently(call)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def _get(self, table: str, keys: "Sequence[Item]") -> "Iterable[Item]":
        chunks = batched(keys, BATCH_GET_KEYS_MAX, strict=False)
        return [item for items in self._calls.map(lambda chunk: self._get_chunk(table, chunk), chunks) for item in items]

    def _get_chunk(self, table: str, keys: "Sequence[Item]") -> "list[Item]":
        items: list[Item] = []
        request: Any = {table: {"Keys": keys, "ConsistentRead": True}}
        for _ in tries(self._patience_s):
            answer = self._patiently(partial(self._dynamodb.batch_get_item, RequestItems=request))
            items.extend(answer["Responses"].get(table, []))
            request = answer.get("UnprocessedKeys")
            if not request:
                return items
        raise StoreUnavailable(f"{table}: keys left unprocessed for {self._patience_s:g} s")

    def _write_packs(self, packs: Sequence[Pack]) -> None:
        self._write_items(self._names.readings, [pack_item(pack) for pack in packs])

    def _write_items(self, table: str, items: "Sequence[Item]") -> None:
        request: Any = {table: [{"PutRequest": {"Item": item}} for item in items]}
        for _ in tries(self._patience_s):
            answer = self._patiently(partial(self._dynamodb.batch_write_item, RequestItems=request))
            request = answer.get("UnprocessedItems")
            if not request:
                return
        raise StoreUnavailable(f"{table}: items left unprocessed for {self._patience_s:g} s")

    def _append(self, events: Sequence[tuple[str, bytes]]) -> None:
        entries: Any = [{"PartitionKey": key, "Data": line + b"\n"} for key, line in events]
        for _ in tries(self._patience_s):
            answer = self._patiently(partial(self._kinesis.put_records, StreamName=self._names.stream, Records=entries))
            # Entry by entry: the call's own count of failures has been seen to be wrong (hazard H14).
            entries = [entry for entry, result in zip(entries, answer["Records"], strict=True) if "ErrorCode" in result]
            if not entries:
                return
        raise StoreUnavailable(f"{self._names.stream}: events refused for {self._patience_s:g} s")

    def _patiently[T](self, call: Callable[[], T]) -> T:
        return patiently(lambda: (self._leave(), call())[1], self._patience_s)
