"""The reads on DynamoDB, and the fleet of the live generation read through them. The only place that queries for readers.

What one answer leaves undone (pages, UnprocessedKeys) is asked for again, never taken as absent (hazard H16). A call that fails
is not made again, beyond what the client does by itself: whoever asked can ask again.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import batched, islice
from threading import Lock
from typing import TYPE_CHECKING, Any

from projections.effects import run
from projections.fleet import FleetReader, FleetStats
from projections.generations import LiveNames, Pointer
from projections.items import directory_key, read_directory, read_pack, read_row, row_key
from projections.packs import Pack
from projections.reads import Listing, Page, Reads, Silence
from projections.rows import Row, RowKey
from telemetry.errors import StoreUnavailable
from telemetry.limits import BATCH_GET_KEYS_MAX
from telemetry.names import ResourceNames
from telemetry.retry import tries

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import ConsumedCapacityTypeDef

    from projections.items import Item

CALLS_AT_ONCE = 8
"""Of all questions together that are asked at once: threads, each with a connection, for whoever asks such questions."""

_INDEX = "BySeen"
_POINTER_UNITS = 1.0
"""It is below 4 KB; beyond that are pointers to logs that lost their stream dozens of times."""
_PACKS_FIRST = 100
"""Of a sensor of which nothing is known: a page of readings, if it sends often."""
_PACKS_A_PAGE_MAX = 10_000
"""As many as fit into a query's megabyte."""


class AwsReads:
    """The tables of one projection generation. `patience_s` is how long they may leave keys unprocessed.

    Questions that are asked at once run on `threads`; without, one after the other.
    """

    def __init__(
        self, dynamodb: "DynamoDBClient", names: ResourceNames, patience_s: float = 2, threads: Executor | None = None
    ) -> None:
        self._dynamodb = dynamodb
        self._names = names
        self._patience_s = patience_s
        self._threads = threads
        self._counting = Lock()
        self.calls = 0
        self.units = 0.0
        """Read units consumed so far, as DynamoDB says."""

    def rows(self, keys: Collection[tuple[str, RowKey]]) -> Mapping[tuple[str, RowKey], Row]:
        """Those rows that exist."""
        found = map(read_row, self._get([row_key(*key) for key in set(keys)]))
        return {(shard_id, row.key): row for shard_id, row in found}

    def rows_between(self, scope: str, first: str, last: str, most: int | None = None) -> Sequence[tuple[str, Row]]:
        """The rows of a scope whose windows lie between two; the first `most` of them."""
        request = _between(self._names.stats, ("scope", scope), ("window", first, last)) | ({"Limit": most} if most else {})
        return [read_row(item) for item in islice(self._query(request), most)]

    def packs_between(self, sensor_id: str, first: str, last: str, most: int, *, newest_first: bool = False) -> Sequence[Pack]:
        """A sensor's packs of the buckets between two, until they hold more than `most` readings."""
        packs: list[Pack] = []
        request = _between(self._names.readings, ("sensor_id", sensor_id), ("pack", first, last))
        request |= {"ScanIndexForward": not newest_first, "Limit": _PACKS_FIRST}
        left = most
        while True:
            page = self._page(request)
            for item in page["Items"]:
                packs.append(read_pack(item))
                left -= len(packs[-1].readings)
                if left < 0:
                    return packs
            if not (last_key := page.get("LastEvaluatedKey")):
                return packs
            # As many more as it takes when they hold what those before did.
            more = len(packs) * left // max(most - left, 1) + 1
            request |= {"ExclusiveStartKey": last_key, "Limit": min(more, _PACKS_A_PAGE_MAX)}

    def sensors(self, scope: str, after: str, prefix: str, limit: int) -> Page[Listing]:
        """Sensors of one part of the directory by id."""
        request = _equal(self._names.stats, ("scope", scope)) | {"Limit": limit}
        if prefix:
            request["KeyConditionExpression"] += " AND begins_with(#range, :prefix)"
            request["ExpressionAttributeNames"]["#range"] = "window"
            request["ExpressionAttributeValues"][":prefix"] = {"S": prefix}
        if after.startswith(prefix) and after:
            # It may be the key of nothing, but must meet the condition.
            request["ExclusiveStartKey"] = {"scope": {"S": scope}, "window": {"S": after}}
        elif after > prefix:
            return Page([], more=False)
        answer = self._page(request)
        return Page([Listing(*read_directory(item)) for item in answer["Items"]], "LastEvaluatedKey" in answer)

    def silent(self, scope: str, after: Silence | None, limit: int) -> Page[Silence]:
        """Sensors of one part of the directory by when they were seen, from the index."""
        request = _equal(self._names.stats, ("scope", scope)) | {"IndexName": _INDEX, "ConsistentRead": False, "Limit": limit}
        if after:
            # From its time on, since the index has no order among those of one moment.
            request["KeyConditionExpression"] += " AND #range >= :seen"
            request["ExpressionAttributeNames"]["#range"] = "seen"
            request["ExpressionAttributeValues"][":seen"] = {"N": str(after.seen_s)}
        found: list[Silence] = []
        while True:
            answer = self._page(request)
            found += (Silence(int(item["seen"]["N"]), item["window"]["S"]) for item in answer["Items"])
            later = sorted(one for one in found if after is None or one > after)
            if not (last := answer.get("LastEvaluatedKey")):
                return Page(later, more=False)
            # Those of the last moment may go on.
            if whole := [one for one in later if one.seen_s < found[-1].seen_s]:
                return Page(whole, more=True)
            request["ExclusiveStartKey"] = last

    def listings(self, sensor_ids: Collection[str]) -> Mapping[str, Listing]:
        """What the directory says of these sensors."""
        found = map(read_directory, self._get([directory_key(sensor_id) for sensor_id in set(sensor_ids)]))
        return {listing[0]: Listing(*listing) for listing in found}

    def at_once[T](self, questions: Sequence[Callable[[Reads], T]]) -> Sequence[T]:
        """The answers to several questions. When one fails, those that have not begun by then are left."""

        def ask(question: Callable[[Reads], T]) -> T:
            return question(self)

        return list(self._threads.map(ask, questions) if self._threads else map(ask, questions))

    def _query(self, request: Any) -> "Iterator[Item]":
        """Every item, page by page as they are drawn."""
        while True:
            page = self._page(request)
            yield from page["Items"]
            if not (last := page.get("LastEvaluatedKey")):
                return
            request = {**request, "ExclusiveStartKey": last}

    def _page(self, request: Any) -> Any:
        answer = self._dynamodb.query(**request, ReturnConsumedCapacity="TOTAL")
        self._count(answer["ConsumedCapacity"])
        return answer

    def _count(self, *consumed: "ConsumedCapacityTypeDef") -> None:
        units = sum(one["CapacityUnits"] for one in consumed)
        with self._counting:
            self.calls += 1
            self.units += units

    def _get(self, keys: "Sequence[Item]") -> "Iterator[Item]":
        """Items of the stats table by key, those that exist."""
        for chunk in batched(keys, BATCH_GET_KEYS_MAX, strict=False):
            yield from self._get_chunk(chunk)

    def _get_chunk(self, keys: "Sequence[Item]") -> "Iterable[Item]":
        items: list[Item] = []
        request: Any = {self._names.stats: {"Keys": keys, "ConsistentRead": True}}
        for _ in tries(self._patience_s):
            answer = self._dynamodb.batch_get_item(RequestItems=request, ReturnConsumedCapacity="TOTAL")
            self._count(*answer["ConsumedCapacity"])
            items.extend(answer["Responses"].get(self._names.stats, []))
            if not (request := answer.get("UnprocessedKeys")):
                return items
        raise StoreUnavailable(f"{self._names.stats}: keys left unprocessed for {self._patience_s:g} s")


@dataclass(frozen=True, eq=False)
class LiveLook:
    """What the fleet's totals said, and in which generation. Each is itself alone, so that much can be made of it once."""

    pointer: Pointer
    fleet: FleetStats

    @property
    def passes(self) -> bool:
        """Whether a promote is under way, so that another generation may be live in a moment."""
        return self.pointer.next is not None


class LiveFleet:
    """The fleet's totals in the live generation. For one thread at a time."""

    def __init__(self, dynamodb: "DynamoDBClient", live: LiveNames) -> None:
        self._dynamodb = dynamodb
        self._live = live
        self._pointer: Pointer | None = None
        self._fleet = FleetReader()
        self.units = 0.0
        """Read units consumed so far."""

    def read(self) -> LiveLook:
        """What it says now. Raises NotSetUp when there is no pointer."""
        pointer = self._live.pointer()
        self.units += _POINTER_UNITS
        if pointer != self._pointer:  # rows that are final in one generation, or of one stream, say nothing in another
            self._pointer, self._fleet = pointer, FleetReader()
        reads = AwsReads(self._dynamodb, self._live.names(pointer))
        fleet = run(self._fleet.read(), reads)
        self.units += reads.units
        return LiveLook(pointer, fleet)


def _equal(table: str, hash_key: tuple[str, str]) -> Any:
    """A strongly consistent query of all that has this hash key."""
    return {
        "TableName": table,
        "KeyConditionExpression": "#hash = :hash",
        "ExpressionAttributeNames": {"#hash": hash_key[0]},
        "ExpressionAttributeValues": {":hash": {"S": hash_key[1]}},
        "ConsistentRead": True,
    }


def _between(table: str, hash_key: tuple[str, str], range_key: tuple[str, str, str]) -> Any:
    """And whose range key, up to the "#" in it, lies between two texts."""
    request = _equal(table, hash_key)
    name, first, last = range_key
    request["KeyConditionExpression"] += " AND #range BETWEEN :first AND :last"
    request["ExpressionAttributeNames"]["#range"] = name
    # "$" follows "#".
    request["ExpressionAttributeValues"] |= {":first": {"S": f"{first}#"}, ":last": {"S": f"{last}$"}}
    return request
