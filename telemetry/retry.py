"""Which AWS errors are worth another try, and when: the one place that says so."""

import math
import random
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
    SSLError,
)
from botocore.exceptions import ConnectionError as AwsConnectionError

from telemetry.errors import StoreUnavailable

_BACKOFF_FIRST_S = 0.05
_BACKOFF_MAX_S = 2.0

_CLOCK = frozenset(
    {"InvalidSignatureException", "RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
)
"""What a request gets whose time is not AWS's (Common Errors of each API; Signature Version 4, "Troubleshooting")."""

_LASTING = frozenset(
    {
        # Whom AWS does not know, or what they may not do (Common Errors of Kinesis and DynamoDB).
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "SubscriptionRequiredException",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
        *_CLOCK,
        # The stream's key: gone, switched off, or not ours to use (PutRecords, Errors). KMSThrottlingException may pass.
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
        "KMSOptInRequired",
        # What is asked for is not there, or not so.
        "ConditionalCheckFailedException",
        "ExpiredIteratorException",
        "InvalidAction",
        "InvalidArgumentException",
        "ResourceNotFoundException",
        "SerializationException",
        "UnknownOperationException",
        "ValidationError",
        "ValidationException",
        # And of S3 (Error Responses, List of Error Codes).
        "InvalidBucketName",
        "InvalidRange",
        "NoSuchBucket",
        "NoSuchKey",
        "PermanentRedirect",
        "PreconditionFailed",
    }
)
"""Errors that the same request will meet again; every other one may pass."""

_NEVER_SENT = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError, SSLError)

SENSELESS = (LookupError, TypeError, ValueError)
"""What reading an answer raises that has status 200 and lacks its members, as a broken proxy gives."""

_RETRY_AFTER_S_MAX = 60.0
_CLOCK_OFF_S = 240


def may_pass(error: Exception) -> bool:
    """Whether the same request may succeed later: everything but our own mistakes and missing rights."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] not in _LASTING
    return isinstance(error, AwsConnectionError | HTTPClientError)


def is_known_undone(error: Exception) -> bool:
    """Whether a call that failed is known to have changed nothing: it was refused, or never left.

    A call that timed out or broke off, or that AWS itself failed at (status 5xx), may have been carried out.
    """
    if isinstance(error, ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)) < 500
    return isinstance(error, _NEVER_SENT) or not may_pass(error)


def error_code(error: Exception) -> str:
    """A short name of what went wrong that tells nothing of accounts, roles or addresses."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


def clock_off(error: Exception, now_s: float) -> str | None:
    """One sentence when AWS refused a call because this machine's clock, which says `now_s`, is not AWS's; else None.

    AWS takes a difference of five minutes, and answers with its own time in the Date header.
    """
    if not isinstance(error, ClientError) or error.response["Error"]["Code"] not in _CLOCK:
        return None
    date = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    off_s = now_s - parsedate_to_datetime(date).timestamp() if date else 0.0
    told_by_aws = any(word in str(error) for word in ("expired", "not yet current", "skewed", "in the future"))
    if abs(off_s) < _CLOCK_OFF_S and not told_by_aws:
        return None  # the key is wrong, or the request was altered on its way
    by = f"{abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'}" if date else "not that of"
    return f"This machine's clock is {by} AWS's, which therefore refuses every call: set the clock (NTP)."


def retry_after_s(outage_s: float, least_s: float = 1, chance: Callable[[], float] = random.random) -> int:
    """How long a client should wait, in whole seconds, when something has failed for `outage_s`.

    Longer the longer it lasts, and different for each, so that a fleet does not come back in the same second.
    """
    most_s = min(_RETRY_AFTER_S_MAX, max(2 * least_s, least_s + outage_s / 2)) + 1
    return math.floor(least_s + (most_s - least_s) * chance())


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
