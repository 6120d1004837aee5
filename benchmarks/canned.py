"""DynamoDB's answers without a socket: what a real client sends is kept, and answered from what was kept.

The client serialises, validates, signs and parses as it does on AWS; only the network is left out. Conditions are not checked:
one worker writes. Items lie in a file and not in memory, so that the process that asks weighs what it weighs on AWS.
"""

import json
import re
import sqlite3
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from telemetry.aws import session

PAGE_BYTES: Final = 1024 * 1024
"""Of items, after which a query's answer ends (DynamoDB, "Paginating table query results")."""
READ_UNIT_BYTES: Final = 4096

_NAMES: Final = re.compile(r"""["'](\w+)["'](?: =|:) \?""")
_TABLE: Final = re.compile(r'^(INSERT INTO|UPDATE) "([^"]+)"')
_CHANGE: Final = re.compile(r"([#\w]+)(?: ?= ?| )(:\w+)")
_TERM: Final = re.compile(
    r"begins_with\s*\(\s*(?P<prefixed>[#\w]+)\s*,\s*(?P<prefix>:\w+)\s*\)"
    r"|(?P<between>[#\w]+)\s+BETWEEN\s+(?P<first>:\w+)\s+AND\s+(?P<last>:\w+)"
    r"|(?P<compared>[#\w]+)\s*(?P<sign><=|>=|<|>|=)\s*(?P<value>:\w+)"
)
_AFTER_ALL: Final = "\U0010ffff"

type Item = dict[str, Any]


def item_of(statement: Any) -> Item:
    """What a statement of ours leaves in the table: names stand in its text, values in its parameters, in the same order."""
    pairs = list(zip(_NAMES.findall(statement["Statement"]), statement["Parameters"], strict=True))
    return dict(reversed(pairs))  # what is set comes first, and after it the same attribute as it must have been


class CannedDynamoDB:
    """Tables in a file. `keys` tells each table's hash key and range key, both text.

    Clients call from several threads. Processor time spent here is none of theirs: `cpu_s` says how much it was.
    """

    def __init__(self, path: Path, keys: Mapping[str, tuple[str, str]]) -> None:
        self._keys = keys
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # The file lives no longer than the run: it need not survive anything.
        self._file.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;")
        self._file.execute(
            "CREATE TABLE IF NOT EXISTS items (name TEXT, hash TEXT, range TEXT, item TEXT, PRIMARY KEY (name, hash, range))"
            " WITHOUT ROWID"
        )
        self._file.execute("BEGIN")
        self.cpu_s = 0.0
        self.calls: Counter[str] = Counter()
        """By operation."""
        self.written: Counter[str] = Counter()
        """Items, by operation."""
        self.read = 0
        """Items that scans have answered with."""

    def close(self) -> None:
        """Have everything in the file."""
        self._file.execute("COMMIT")
        self._file.close()

    def answer_clients(self) -> None:
        """Answer every DynamoDB client that is made from now on; other services are not reached either."""
        session.cache_clear()  # one that nobody else answers
        session().events.register("before-send", self._answer)  # type: ignore[arg-type]  # which answers

    def _answer(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        began_s = time.thread_time()
        service, operation = event_name.split(".")[1:]
        assert service == "dynamodb", event_name
        assert isinstance(request.body, bytes)
        asked = json.loads(request.body)
        with self._lock:
            self.calls[operation] += 1
            body = _ANSWERS[operation](self, asked).encode()
        headers: Any = {"Content-Type": "application/x-amz-json-1.0", "x-amz-crc32": str(zlib.crc32(body))}
        response = AWSResponse(request.url, 200, headers, _Raw(body))
        with self._lock:
            self.cpu_s += time.thread_time() - began_s
        return response

    def _batch_get_item(self, asked: Any) -> str:
        responses = []
        for table, request in asked["RequestItems"].items():
            stored = [self._stored(table, key) for key in request["Keys"]]
            found = [_projected(text, request) for text in stored if text is not None]
            responses.append(f"{json.dumps(table)}:[{','.join(found)}]")
        return f'{{"Responses":{{{",".join(responses)}}},"UnprocessedKeys":{{}}}}'

    def _query(self, asked: Any) -> str:
        assert asked.keys().isdisjoint({"FilterExpression", "IndexName"}), asked
        table = asked["TableName"]
        found: list[str] = []
        size_bytes, last = 0, None
        for key, text in self._file.execute(*self._selection(asked)):
            found.append(_projected(text, asked))
            size_bytes += len(text)
            if len(found) == asked.get("Limit") or size_bytes >= PAGE_BYTES:
                last = key
                break
        more = ""
        if last is not None:
            hash_name, range_name = self._keys[table]
            [(_, value)] = _conditions(asked, hash_name)
            more = f',"LastEvaluatedKey":{json.dumps({hash_name: {"S": value}, range_name: {"S": last}})}'
        if asked.get("ReturnConsumedCapacity"):
            more += f',"ConsumedCapacity":{{"CapacityUnits":{max(1, -(-size_bytes // READ_UNIT_BYTES))}.0}}'
        return f'{{"Items":[{",".join(found)}],"Count":{len(found)},"ScannedCount":{len(found)}{more}}}'

    def _scan(self, asked: Any) -> str:
        """Of all items, by their keys."""
        assert asked.keys() <= {"TableName", "ConsistentRead", "ExclusiveStartKey"}, asked
        hash_name, range_name = self._keys[asked["TableName"]]
        start = asked.get("ExclusiveStartKey")
        begin = (start[hash_name]["S"], start[range_name]["S"]) if start else ("", "")
        rows = self._file.execute(
            "SELECT hash, range, item FROM items WHERE name = ? AND (hash, range) > (?, ?) ORDER BY hash, range",
            (asked["TableName"], *begin),
        )
        found: list[str] = []
        size_bytes, more = 0, ""
        for hash_key, range_key, text in rows:
            found.append(text)
            size_bytes += len(text)
            if size_bytes >= PAGE_BYTES:
                more = f',"LastEvaluatedKey":{json.dumps({hash_name: {"S": hash_key}, range_name: {"S": range_key}})}'
                break
        self.read += len(found)
        return f'{{"Items":[{",".join(found)}],"Count":{len(found)},"ScannedCount":{len(found)}{more}}}'

    def _describe_table(self, asked: Any) -> str:
        count = self._file.execute("SELECT COUNT(*) FROM items WHERE name = ?", (asked["TableName"],)).fetchone()[0]
        return json.dumps({"Table": {"TableName": asked["TableName"], "ItemCount": count}})

    def _selection(self, asked: Any) -> tuple[str, list[str]]:
        """A query as SQL and its values. Text is compared by its bytes in UTF-8, there as here."""
        table, forward = asked["TableName"], asked.get("ScanIndexForward", True)
        hash_name, range_name = self._keys[table]
        terms = [("name =", table), *((f"hash {sign}", value) for sign, value in _conditions(asked, hash_name))]
        terms += [(f"range {sign}", value) for sign, value in _conditions(asked, range_name)]
        if start := asked.get("ExclusiveStartKey"):
            terms.append(("range >" if forward else "range <", start[range_name]["S"]))
        where = " AND ".join(f"{term} ?" for term, _ in terms)
        order = "ASC" if forward else "DESC"
        # Signs and names of columns are ours; values are handed over apart.
        return f"SELECT range, item FROM items WHERE {where} ORDER BY range {order}", [value for _, value in terms]  # noqa: S608

    def _batch_write_item(self, asked: Any) -> str:
        for table, requests in asked["RequestItems"].items():
            self._put("BatchWriteItem", [(table, request["PutRequest"]["Item"]) for request in requests])
        return '{"UnprocessedItems":{}}'

    def _batch_execute_statement(self, asked: Any) -> str:
        written, responses = [], []
        for statement in asked["Statements"]:
            match = _TABLE.match(statement["Statement"])
            assert match, statement
            item, table = item_of(statement), match[2]
            written.append((table, item if match[1] != "UPDATE" else self._changed(table, item)))
            responses.append({"TableName": table})
        self._put("BatchExecuteStatement", written)
        return json.dumps({"Responses": responses})

    def _put_item(self, asked: Any) -> str:
        self._put("PutItem", [(asked["TableName"], asked["Item"])])
        return "{}"

    def _update_item(self, asked: Any) -> str:
        table, values = asked["TableName"], asked["ExpressionAttributeValues"]
        names = asked.get("ExpressionAttributeNames", {})
        changes = {names.get(name, name): values[value] for name, value in _CHANGE.findall(asked["UpdateExpression"])}
        self._put("UpdateItem", [(table, self._changed(table, {**asked["Key"], **changes}))])
        return "{}"

    def _stored(self, table: str, key: Item) -> str | None:
        place = (table, *(key[name]["S"] for name in self._keys[table]))
        row = self._file.execute("SELECT item FROM items WHERE name = ? AND hash = ? AND range = ?", place).fetchone()
        return row[0] if row else None

    def _changed(self, table: str, item: Item) -> Item:
        """What is stored, with these attributes as they are now."""
        return {**json.loads(self._stored(table, item) or "{}"), **item}

    def _put(self, operation: str, items: list[tuple[str, Item]]) -> None:
        rows = [(table, *(item[name]["S"] for name in self._keys[table]), json.dumps(item)) for table, item in items]
        self._file.executemany("REPLACE INTO items VALUES (?, ?, ?, ?)", rows)
        self.written[operation] += len(items)


_ANSWERS: Final = {
    "BatchExecuteStatement": CannedDynamoDB._batch_execute_statement,
    "BatchGetItem": CannedDynamoDB._batch_get_item,
    "BatchWriteItem": CannedDynamoDB._batch_write_item,
    "DescribeTable": CannedDynamoDB._describe_table,
    "PutItem": CannedDynamoDB._put_item,
    "Query": CannedDynamoDB._query,
    "Scan": CannedDynamoDB._scan,
    "UpdateItem": CannedDynamoDB._update_item,
}


class _Raw:
    """A body, as the client draws it from a connection."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterator[bytes]:
        yield self._body


def _projected(text: str, asked: Any) -> str:
    """A stored item, cut down to the attributes asked for."""
    if not (projection := asked.get("ProjectionExpression")):
        return text
    item, names = json.loads(text), asked.get("ExpressionAttributeNames", {})
    wanted = [names.get(name, name) for name in re.split(r"\s*,\s*", projection)]
    return json.dumps({name: item[name] for name in wanted if name in item})


def _conditions(asked: Any, attribute: str) -> Iterator[tuple[str, str]]:
    """What a key condition says of one attribute: signs, and what to compare with."""
    names, values = asked.get("ExpressionAttributeNames", {}), asked["ExpressionAttributeValues"]
    for term in _TERM.finditer(asked["KeyConditionExpression"]):
        name = term["prefixed"] or term["between"] or term["compared"]
        if names.get(name, name) != attribute:
            continue
        if term["prefix"]:
            yield ">=", values[term["prefix"]]["S"]
            yield "<", values[term["prefix"]]["S"] + _AFTER_ALL
        elif term["between"]:
            yield ">=", values[term["first"]]["S"]
            yield "<=", values[term["last"]]["S"]
        else:
            yield term["sign"], values[term["value"]]["S"]
