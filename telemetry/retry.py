"""Which AWS errors are worth another try, and when: the one place that says so."""

import random
import time
from collections.abc import Callable, Iterator

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as AwsConnectionError

from telemetry.errors import StoreUnavailable

_BACKOFF_FIRST_S = 0.05
_BACKOFF_MAX_S = 2.0

_LASTING = frozenset(
    {
        "AccessDeniedException",
        "ConditionalCheckFailedException",
        "ExpiredIteratorException",
        "InvalidArgumentException",
        "InvalidSignatureException",
        "ResourceNotFoundException",
        "SerializationException",
        "UnrecognizedClientException",
        "ValidationException",
    }
)
"""Errors that the same request will meet again; every other one may pass."""


def may_pass(error: Exception) -> bool:
    """Whether the same request may succeed later: everything but our own mistakes and missing rights."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] not in _LASTING
    return isinstance(error, AwsConnectionError | HTTPClientError)


def backoff_s(attempt: int, chance: Callable[[], float] = random.random) -> float:
    """How long to wait before try number `attempt` + 1, in seconds: full jitter under a doubling ceiling."""
    return min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S * 2.0**attempt) * chance()


def tries(patience_s: float) -> Iterator[int]:
    """Numbers of tries, from 0, with the waits between them, until `patience_s` has gone by."""
    deadline = time.monotonic() + patience_s
    attempt = 0
    while attempt == 0 or time.monotonic() < deadline:
        yield attempt
        time.sleep(backoff_s(attempt))
        attempt += 1


def patiently[T](call: Callable[[], T], patience_s: float) -> T:
    """Make a call, again after errors that may pass. Raises StoreUnavailable when patience ends, others at once."""
    failure: Exception | None = None
    for _ in tries(patience_s):
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            if not may_pass(error):
                raise
            failure = error
    raise StoreUnavailable(f"no success within {patience_s:g} s: {failure}") from failure
