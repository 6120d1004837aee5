"""AwsStores when AWS answers badly: what an answer leaves undone is asked again; what lasts is raised."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from projections.dynamodb import AwsStores
from projections.effects import Believed, DeadLetter, Origin, Sighting, run
from projections.items import pack_item, row_item
from projections.letters import dead_letter_items
from projections.packs import Place, Search, pack_of
from projections.rows import PROGRESS, Progress, Row, RowKey, sensor_total
from telemetry.errors import ReasonCode, StoreUnavailable
from telemetry.limits import DEAD_LETTERS_CALL_BYTES_MAX
from telemetry.names import ResourceNames
from tests.projections.logs import SHARD, projector, reading, record

NAMES = ResourceNames("faults")
ANYBODYS = Believed("other", 0)
ONE, TWO = (pack_of(SHARD.shard_id, Place(7, 0), Place(7, 0), [one]) for one in (reading("one"), reading("two")))
KNOWN = Row(RowKey("all", "hour#1"), 1), Row(RowKey("all", "hour#2"), 1)
MOVED = [(replace(row, position=2), row) for row in KNOWN]


class Scripted:
    """A client whose calls take the next answer of a script, or raise it; `asked` holds each operation with its request."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, Any]] = []

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            self.asked.append((operation, request))
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


class Opened:
    """Makes stores on scripted clients and closes them all."""

    def __init__(self) -> None:
        self._made: list[AwsStores] = []

    def __call__(self, client: Any, patience_s: float = 5) -> AwsStores:
        stores = AwsStores(client, client, NAMES, patience_s)
        self._made.append(stores)
        return stores

    def close(self) -> None:
        for stores in self._made:
            stores.close()


@pytest.fixture
def stores_on() -> Iterator[Opened]:
    """AwsStores on a scripted client: `stores_on(client)`."""
    opened = Opened()
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr("telemetry.retry.backoff_s", lambda _: 0.001)


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "scripted"}}, "Scripted")


def test_h16_unprocessed_items_are_written_again(stores_on: Opened) -> None:
    """BatchWriteItem answers 200 and leaves items undone: those, and only those, are asked again until none is left."""
    left = {NAMES.readings: [{"PutRequest": {"Item": pack_item(TWO)}}]}
    client = Scripted({"UnprocessedItems": left}, {"UnprocessedItems": left}, {"UnprocessedItems": {}})
    stores_on(client).store_packs([ONE, TWO])
    assert len(client.asked[0][1]["RequestItems"][NAMES.readings]) == 2
    assert [request["RequestItems"] for _, request in client.asked[1:]] == [left, left]


def test_before_each_try_it_is_asked_whether_it_may_be_made(stores_on: Opened) -> None:
    """So that who may not write any more is not on the way with a second try."""
    client = Scripted(client_error("InternalServerError"), {"UnprocessedItems": {}})
    asked: list[int] = []
    stores = AwsStores(client, client, NAMES, 5, lambda: asked.append(len(client.asked)))  # type: ignore[arg-type]
    stores.store_packs([ONE])
    stores.close()
    assert asked == [0, 1]


def letters_of(count: int, data: bytes = b"{broken") -> list[DeadLetter]:
    """Dead letters of so many lines of one record."""
    return [DeadLetter(Origin(SHARD.shard_id, 7, line), data, ReasonCode.NOT_JSON, "not JSON", 0) for line in range(count)]


def test_s06_dead_letters_are_written_25_a_call(stores_on: Opened) -> None:
    """A thousand records of an unknown event type cost forty calls; a letter that is there twice is named once (H16)."""
    client = Scripted({"UnprocessedItems": {}})
    stores_on(client).store_dead_letters([*letters_of(1_000), *letters_of(1)])
    assert {operation for operation, _ in client.asked} == {"batch_write_item"}
    assert [len(request["RequestItems"][NAMES.dead_letters]) for _, request in client.asked] == [25] * 40


def test_s06_a_call_of_large_dead_letters_is_bounded_in_bytes(stores_on: Opened) -> None:
    """The largest record there can be, and many lines as long as an event may be: a megabyte of data a call."""
    client = Scripted({"UnprocessedItems": {}})
    stores_on(client).store_dead_letters([*letters_of(1, bytes(10 * 2**20)), *letters_of(40, bytes(64 * 1024))[1:]])
    puts = [[put["PutRequest"]["Item"] for put in request["RequestItems"][NAMES.dead_letters]] for _, request in client.asked]
    assert max(sum(len(item["data"]["B"]) for item in items) for items in puts) <= DEAD_LETTERS_CALL_BYTES_MAX
    assert sum(map(len, puts)) == 40 + 39
    assert len(puts) <= 10 + 4


def test_s06_dead_letters_left_unprocessed_are_written_again(stores_on: Opened) -> None:
    """As everywhere: those, and only those."""
    (item,) = dead_letter_items(letters_of(2)[1])
    left = {NAMES.dead_letters: [{"PutRequest": {"Item": item}}]}
    client = Scripted({"UnprocessedItems": left}, {"UnprocessedItems": {}})
    stores_on(client).store_dead_letters(letters_of(2))
    assert [request["RequestItems"] for _, request in client.asked[1:]] == [left]


def test_h16_unprocessed_keys_are_asked_again_never_absent(stores_on: Opened) -> None:
    """BatchGetItem answers 200 and leaves a key undone: the row behind it is found by asking again."""
    left = {NAMES.stats: {"Keys": [{"scope": {"S": "all"}}], "ConsistentRead": True}}
    one, two = (row_item(SHARD.shard_id, row) for row in KNOWN)
    client = Scripted(
        {"Responses": {NAMES.stats: [one]}, "UnprocessedKeys": left},
        {"Responses": {}, "UnprocessedKeys": left},
        {"Responses": {NAMES.stats: [two]}, "UnprocessedKeys": {}},
    )
    assert set(stores_on(client).load_rows(SHARD.shard_id, [row.key for row in KNOWN]).values()) == set(KNOWN)
    assert [request["RequestItems"] for _, request in client.asked[1:]] == [left, left]


def test_h16_statements_that_failed_are_executed_again(stores_on: Opened) -> None:
    """BatchExecuteStatement answers 200 with errors statement by statement: refusals are told, what may pass is asked again."""
    failed = {"Error": {"Code": "ThrottlingError", "Message": "scripted"}}
    refused = {"Error": {"Code": "ConditionalCheckFailed", "Message": "scripted"}}
    client = Scripted({"Responses": [failed, refused]}, {"Responses": [failed]}, {"Responses": [{}]})
    assert stores_on(client).store_rows(SHARD.shard_id, MOVED) == [KNOWN[1].key]
    assert [len(request["Statements"]) for _, request in client.asked] == [2, 1, 1]
    assert client.asked[0][1]["Statements"][:1] == client.asked[2][1]["Statements"]


@pytest.mark.parametrize("code", ["ValidationError", "AccessDenied", "ResourceNotFound"])
def test_a_statement_that_will_always_fail_is_raised(stores_on: Opened, code: str) -> None:
    """Our own mistakes and missing rights are neither retried nor taken for a refusal."""
    client = Scripted({"Responses": [{}, {"Error": {"Code": code, "Message": "scripted"}}]})
    with pytest.raises(ClientError, match=code):
        stores_on(client).store_rows(SHARD.shard_id, MOVED)
    assert len(client.asked) == 1


def test_h16_no_request_exceeds_its_limit(stores_on: Opened) -> None:
    """BatchGetItem takes 100 keys, BatchWriteItem 25 items, BatchExecuteStatement 25; reads are strongly consistent."""
    keys = [RowKey("all", f"hour#{number}") for number in range(130)]
    client = Scripted({"Responses": {}, "UnprocessedKeys": {}, "UnprocessedItems": {}, "Items": []})
    stores = stores_on(client)
    stores.load_rows(SHARD.shard_id, keys)
    asked = [request["RequestItems"][NAMES.stats] for _, request in client.asked]
    assert sorted(len(request["Keys"]) for request in asked) == [30, 100]
    assert all(request["ConsistentRead"] for request in asked)
    client.asked.clear()
    stores.store_packs([replace(ONE, last=Place(7, line)) for line in range(130)])
    sizes = [len(request["RequestItems"][NAMES.readings]) for _, request in client.asked]
    assert sorted(sizes) == [5, 25, 25, 25, 25, 25]
    client.asked.clear()
    stores.search_packs({ONE.bucket: ["x"]}, ANYBODYS, 100)
    stores.find_newest([sensor_total("one")], besides="other")
    assert all(request["ConsistentRead"] for _, request in client.asked)


def test_statements_come_25_at_a_time(stores_on: Opened) -> None:
    """More rows than one call takes."""
    rows = [Row(RowKey("all", f"hour#{number}"), 2) for number in range(60)]
    client = LosingAnswers()
    client.lost = {("all", f"{row.key.window}#{SHARD.shard_id}") for row in rows}
    assert not stores_on(client).store_rows(SHARD.shard_id, [(row, Row(row.key)) for row in rows])
    assert len(client.items) == 60
    assert sorted(client.batches) == [10, 25, 25]


def test_h14_append_again_judges_every_entry(stores_on: Opened) -> None:
    """PutRecords answers 200 with a wrong count of failures: entries with an ErrorCode, and only they, go out again."""
    stored = {"SequenceNumber": "1", "ShardId": "shardId-000000000000"}
    failed = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "scripted"}
    client = Scripted(
        {"FailedRecordCount": 0, "Records": [failed, stored, failed]},
        {"FailedRecordCount": 1, "Records": [stored, failed]},
        {"FailedRecordCount": 1, "Records": [stored]},
    )
    stores_on(client).append_again([("a", b"1"), ("b", b"2"), ("c", b"3")])
    keys = [[entry["PartitionKey"] for entry in request["Records"]] for _, request in client.asked]
    assert keys == [["a", "b", "c"], ["a", "c"], ["c"]]


@pytest.mark.parametrize(
    "error",
    [
        client_error("ProvisionedThroughputExceededException"),
        client_error("InternalServerError"),
        client_error("LimitExceededException"),
        ReadTimeoutError(endpoint_url="http://127.0.0.1"),
    ],
    ids=lambda error: str(error)[:60],
)
def test_errors_that_may_pass_are_tried_again(stores_on: Opened, error: Exception) -> None:
    """Throttling, failures of AWS and time-outs are retried in place until there is an answer."""
    client = Scripted(error, error, {"Items": []})
    assert stores_on(client).search_packs({ONE.bucket: ["x"]}, ANYBODYS, 100) == {ONE.bucket: Search(frozenset(), "")}
    assert len(client.asked) == 3


QUESTIONS = (
    *("find", "find newest", "store", "load", "store rows", "store progress", "sight", "sight again"),
    *("letters", "load live progress", "append"),
)


@pytest.mark.parametrize("question", QUESTIONS)
def test_patience_ends_in_store_unavailable(stores_on: Opened, question: str) -> None:
    """What does not pass within the patience is raised as StoreUnavailable, never returned as if done."""
    client = Scripted(client_error("InternalServerError"))
    with pytest.raises(StoreUnavailable):
        ask(stores_on(client, patience_s=0.1), question)
    assert len(client.asked) > 1


@pytest.mark.parametrize("question", ["load", "store", "store rows", "sight", "append"])
def test_what_stays_undone_ends_in_store_unavailable(stores_on: Opened, question: str) -> None:
    """An answer of 200 that leaves everything undone each time is no success either."""
    undone_rows = [{"Error": {"Code": "InternalServerError", "Message": "scripted"}}] * 2
    undone = {
        "Responses": undone_rows[: 1 if question == "sight" else 2] if question in {"store rows", "sight"} else {},
        "UnprocessedKeys": {NAMES.stats: {"Keys": []}},
        "UnprocessedItems": {NAMES.readings: []},
        "Records": [{"ErrorCode": "InternalFailure"}],
    }
    with pytest.raises(StoreUnavailable):
        ask(stores_on(Scripted(undone), patience_s=0.02), question)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException"])
def test_lasting_errors_are_raised_at_once(stores_on: Opened, question: str, code: str) -> None:
    """Our own mistakes and missing rights are not tried twice."""
    client = Scripted(client_error(code))
    with pytest.raises(ClientError, match=code):
        ask(stores_on(client), question)
    assert len(client.asked) == 1


def ask(stores: AwsStores, question: str) -> None:
    match question:
        case "find":
            stores.search_packs({ONE.bucket: ["x"]}, ANYBODYS, 100)
        case "find newest":
            stores.find_newest([sensor_total("one")], besides="other")
        case "store":
            stores.store_packs([ONE])
        case "load":
            stores.load_rows(SHARD.shard_id, [PROGRESS])
        case "store rows":
            stores.store_rows(SHARD.shard_id, MOVED)
        case "store progress":
            stores.store_rows(SHARD.shard_id, [(Row(PROGRESS, 2), Row(PROGRESS, 1, progress=Progress(beat=1)))])
        case "sight":
            stores.sight(SHARD.shard_id, [Sighting("one", 3600, new=True)])
        case "sight again":
            stores.sight(SHARD.shard_id, [Sighting("one", 3600, new=False)])
        case "letters":
            stores.store_dead_letters(letters_of(1))
        case "load live progress":
            stores.load_live_progress(SHARD.shard_id)
        case "append":
            stores.append_again([("a", b"1")])


class LosingAnswers:
    """A DynamoDB of rows whose conditional writes take effect, while the answer to the first of each item is lost."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Any] = {}
        self.lost: set[tuple[str, str]] = set()
        self.refused = 0
        self.batches: list[int] = []

    def batch_get_item(self, **request: Any) -> Any:
        ((table, wanted),) = request["RequestItems"].items()
        keys = [(key["scope"]["S"], key["window"]["S"]) for key in wanted["Keys"] if "scope" in key]
        return {"Responses": {table: [self.items[key] for key in keys if key in self.items]}}

    def batch_write_item(self, **_: Any) -> Any:
        return {"UnprocessedItems": {}}

    def put_item(self, **request: Any) -> None:
        beat = request.get("ExpressionAttributeValues", {}).get(":beat")
        if not self._put(request["Item"], "beat", beat):
            raise client_error("ConditionalCheckFailedException")
        self._answer()

    def update_item(self, **request: Any) -> None:
        assert self.items[request["Key"]["scope"]["S"], request["Key"]["window"]["S"]]
        if "ConditionExpression" in request:
            raise client_error("ConditionalCheckFailedException")

    def batch_execute_statement(self, Statements: Any) -> Any:  # noqa: N803  as boto3 names it
        self.batches.append(len(Statements))
        # Every row here is new: an INSERT with its members in the statement's order.
        done = [
            self._put(dict(zip(re.findall(r"'(\w+)': \?", one["Statement"]), one["Parameters"], strict=True)), "position", None)
            for one in Statements
        ]
        self._answer()
        return {"Responses": [{} if one else {"Error": {"Code": "DuplicateItem", "Message": ""}} for one in done]}

    def _put(self, item: Any, version: str, known: Any) -> bool:
        key = item["scope"]["S"], item["window"]["S"]
        if (key in self.items and self.items[key].get(version, "none at all")) != (known or False):
            self.refused += 1
            return False
        self.items[key] = item
        return True

    def _answer(self) -> None:
        if not self.lost.issuperset(self.items):
            self.lost.update(self.items)
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1")


def test_a_conditional_put_whose_answer_was_lost_counts_as_moved_on(stores_on: Opened) -> None:
    """The retry is refused; loaded again, the row is our own, so nothing is folded twice and the flush is complete."""
    client = LosingAnswers()
    subject = projector()
    stores = stores_on(client)
    run(subject.start(), stores)
    run(subject.project([record(7, reading())], caught_up=True), stores)
    assert run(subject.flush(), stores) == 7
    rows = [item for item in client.items.values() if not item["scope"]["S"].startswith("directory")]
    assert len(rows) == 7
    assert client.refused == 7 + 1, "the sensor's place in the directory too"
    assert {item["count"]["N"] for item in rows if "count" in item} == {"1"}
    assert {item["position"]["B"] for item in rows} == {b"\x07"}
