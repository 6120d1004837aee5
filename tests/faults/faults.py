"""What can go wrong with one call to AWS: each fault is given the call, a way to pass it on, and a random generator."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Any

_HANGS_S = 60


class Cut(Exception):
    """The connection ends here, without an answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """A call as it came."""

    head: bytes
    body: bytes

    @property
    def target(self) -> str:
        """`DynamoDB_20120810.PutItem`, or nothing for what is no call to AWS."""
        lines = (line.partition(b": ") for line in self.head.split(b"\r\n"))
        return next((value.decode() for name, _, value in lines if name.lower() == b"x-amz-target"), "")

    @property
    def service(self) -> str:
        """`DynamoDB` or `Kinesis`."""
        return self.target.partition("_")[0]

    @property
    def operation(self) -> str:
        """`PutItem`."""
        return self.target.partition(".")[2]

    @property
    def table(self) -> str:
        """The table, or the first of several; empty for a stream."""
        document = self.document
        if statements := document.get("Statements"):
            return str(statements[0]["Statement"].split('"')[1])
        return str(document.get("TableName") or next(iter(document.get("RequestItems", {})), ""))

    @property
    def document(self) -> Any:
        """The body, parsed; KCL's own calls are JSON too."""
        return json.loads(self.body) if self.body.startswith(b"{") else {}

    def with_document(self, document: Any) -> "Request":
        """The same call with another body."""
        body = json.dumps(document).encode()
        return Request(_resized(self.head, len(body)), body)

    def encode(self) -> bytes:
        """As it goes over the wire."""
        return self.head + self.body


@dataclass(frozen=True, slots=True)
class Response:
    """An answer."""

    head: bytes
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the call succeeded."""
        return self.head.split(b" ", 2)[1] == b"200"

    def with_document(self, document: Any) -> "Response":
        """The same answer with another body, and without the checksum of the old one."""
        body = json.dumps(document).encode()
        return Response(_resized(_without(self.head, b"x-amz-crc32"), len(body)), body)

    def encode(self) -> bytes:
        """As it goes over the wire."""
        return self.head + self.body


type Forward = Callable[[Request], Awaitable[Response]]
type Fault = Callable[[Request, Forward, Random], Awaitable[Response]]


async def drop_before(request: Request, forward: Forward, rng: Random) -> Response:
    """The connection breaks before the call takes effect."""
    raise Cut


async def drop_after(request: Request, forward: Forward, rng: Random) -> Response:
    """The call takes effect and its answer is lost (hazard H15)."""
    await forward(request)
    raise Cut


async def hang(request: Request, forward: Forward, rng: Random) -> Response:
    """No answer at all, until the client gives up."""
    await asyncio.wait_for(asyncio.Event().wait(), _HANGS_S)
    raise Cut


async def delay(request: Request, forward: Forward, rng: Random) -> Response:
    """The call takes effect late: sometimes after the client has given up on it."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), rng.uniform(0.1, 3))
    return await forward(request)


async def duplicate(request: Request, forward: Forward, rng: Random) -> Response:
    """The call is carried out twice, as a retry somewhere on the way would; the second answer counts."""
    await forward(request)
    return await forward(request)


async def throttle(request: Request, forward: Forward, rng: Random) -> Response:
    """Too many calls."""
    return _error(400, "ProvisionedThroughputExceededException")


def refuse_with(
    code: str, message: str = "User: arn:aws:iam::123456789012:role/secret is not authorized", **headers: str
) -> Fault:
    """AWS refuses the call: it was not carried out."""

    async def refuse(request: Request, forward: Forward, rng: Random) -> Response:
        response = _answer(400, {"__type": code, "message": message})
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        return Response(response.head[:-2] + more + b"\r\n", response.body)

    return refuse


async def break_down(request: Request, forward: Forward, rng: Random) -> Response:
    """AWS itself fails."""
    return _error(500, "InternalServerError" if request.service == "DynamoDB" else "InternalFailure")


async def fail_entries(request: Request, forward: Forward, rng: Random) -> Response:
    """PutRecords: some entries are not stored, and the answer, with status 200, says so entry by entry (hazard H14)."""
    document = request.document
    entries = document["Records"]
    failing = {number for number in range(len(entries)) if rng.random() < 0.5}
    passing = [entry for number, entry in enumerate(entries) if number not in failing]
    failed = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "injected"}
    if not passing:
        return _answer(200, {"FailedRecordCount": len(failing), "Records": [failed] * len(entries)})
    response = await forward(request.with_document({**document, "Records": passing}))
    if not response.ok:
        return response
    stored = iter(json.loads(response.body)["Records"])
    records = [failed if number in failing else next(stored) for number in range(len(entries))]
    return response.with_document({"FailedRecordCount": len(failing), "Records": records})


async def leave_unprocessed(request: Request, forward: Forward, rng: Random) -> Response:
    """BatchWriteItem, BatchGetItem: part of the batch is left undone, with status 200 (hazard H16)."""
    document = request.document
    ((table, wanted),) = document["RequestItems"].items()
    writing = isinstance(wanted, list)
    items = wanted if writing else wanted["Keys"]
    kept = rng.randint(1, len(items))
    rest = items[kept:]
    passed, left = (items[:kept], rest) if writing else ({**wanted, "Keys": items[:kept]}, {**wanted, "Keys": rest})
    response = await forward(request.with_document({**document, "RequestItems": {table: passed}}))
    if not response.ok or not rest:
        return response
    undone = "UnprocessedItems" if writing else "UnprocessedKeys"
    return response.with_document({**json.loads(response.body), undone: {table: left}})


async def fail_statements(request: Request, forward: Forward, rng: Random) -> Response:
    """BatchExecuteStatement: the last few are not executed, and the answer, with status 200, says so one by one."""
    document = request.document
    statements = document["Statements"]
    kept = rng.randint(1, len(statements))
    response = await forward(request.with_document({**document, "Statements": statements[:kept]}))
    if not response.ok:
        return response
    failed = {"Error": {"Code": "ThrottlingError", "Message": "injected"}}
    answers = [*json.loads(response.body)["Responses"], *[failed] * (len(statements) - kept)]
    return response.with_document({"Responses": answers})


def _error(status: int, code: str) -> Response:
    return _answer(status, {"__type": code, "message": "injected"})


def _answer(status: int, document: Any) -> Response:
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 {status} Injected\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    return Response(head.encode(), body)


def _resized(head: bytes, size: int) -> bytes:
    return _without(head, b"content-length")[:-2] + f"Content-Length: {size}\r\n\r\n".encode()


def _without(head: bytes, name: bytes) -> bytes:
    kept = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(name + b":")]
    return b"\r\n".join(kept) + b"\r\n\r\n"
