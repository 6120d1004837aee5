"""LocalStack's main program, listening where it is told to, and writing down who calls what if CALLS_FILE names a file.

Run by the interpreter of LocalStack's environment, not imported by anything. LocalStack 4.14 takes only the port from
GATEWAY_LISTEN when its server is Twisted, and listens on every interface of the machine; here it is loopback alone.
"""

import json
import os
import re
import runpy
import warnings
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

_PARTS = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}
"""What each part of a transaction is to IAM, which judges them one by one."""


def record_calls(path: Path) -> None:
    """Write each call's caller (its access key), service, operation and resource to `path`, once for all that are alike.

    A resource is a stream, a table, or a table and an index with a slash between; empty when the call does not name it.
    """
    seen: set[tuple[str, ...]] = set()

    def record(_chain: Any, context: Any, _response: Any) -> None:
        if not (context.service and context.operation):
            return
        found = re.search("Credential=([^/]+)/", context.request.headers.get("Authorization", ""))
        for operation, resource in calls(context.operation.name, context.service_request or {}):
            call = (found[1] if found else "", context.service.service_name, operation, resource)
            if call not in seen:
                seen.add(call)
                with path.open("a") as file:
                    file.write(json.dumps(call) + "\n")

    import_module("localstack.aws.handlers").serve_custom_service_request_handlers.append(record)


def calls(operation: str, request: Any) -> Iterator[tuple[str, str]]:
    """What a request to Kinesis, DynamoDB or S3 does, in IAM's words, and to what; of an object that is its first folder."""
    if "TransactItems" in request:
        for item in request["TransactItems"]:
            yield from ((_PARTS[kind], part["TableName"]) for kind, part in item.items())
    elif "RequestItems" in request:
        yield from ((operation, table) for table in request["RequestItems"])
    elif "Statements" in request:
        for statement in request["Statements"]:
            verb = statement["Statement"].partition(" ")[0].capitalize()
            yield f"PartiQL{verb}", statement["Statement"].split('"')[1]
    elif "Bucket" in request:
        folder = f"/{request['Key'].partition('/')[0]}/*" if "Key" in request else ""
        yield {"ListObjectsV2": "ListBucket"}.get(operation, operation), request["Bucket"] + folder
    else:
        name = request.get("TableName") or request.get("StreamName") or request.get("StreamARN") or ""
        yield operation, name.rpartition("/")[2] + (f"/{request['IndexName']}" if request.get("IndexName") else "")


# Twisted recommends a package for checking the names of TLS peers, of which there are none.
warnings.filterwarnings("ignore", message=".*service_identity")

endpoints: Any = import_module("twisted.internet.endpoints")
endpoints.TCP4ServerEndpoint = partial(endpoints.TCP4ServerEndpoint, interface="127.0.0.1")
if calls_file := os.environ.get("CALLS_FILE"):
    record_calls(Path(calls_file))
runpy.run_module("localstack.runtime.main", run_name="__main__", alter_sys=True)
