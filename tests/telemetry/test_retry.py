"""Which AWS errors are worth another try, when, and for how long."""

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from hypothesis import given
from hypothesis import strategies as st

from telemetry import retry
from telemetry.errors import StoreUnavailable
from telemetry.retry import backoff_s, may_pass, patiently, tries

URL = "http://127.0.0.1:1"


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "PutRecords")


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, for_s: float) -> None:
        self.now_s += for_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that retries look at during the test."""
    clock = Clock()
    monkeypatch.setattr(retry, "time", clock)
    return clock


@pytest.mark.parametrize(
    "code",
    [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "LimitExceededException",
        "InternalFailure",
        "InternalServerError",
        "ServiceUnavailable",
        "503",
    ],
)
def test_what_aws_may_get_over_is_tried_again(code: str) -> None:
    """Throttling, faults of theirs, a table still being made."""
    assert may_pass(refused(code))


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException", "ConditionalCheckFailedException"])
def test_what_the_same_request_meets_again_is_not_tried_again(code: str) -> None:
    """Our mistakes, missing rights, and a condition that is an answer."""
    assert not may_pass(refused(code))


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        EndpointConnectionError(endpoint_url=URL),
        ConnectionClosedError(endpoint_url=URL),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_network_does_is_tried_again(error: Exception) -> None:
    """The answer may be lost, the request is safe to repeat."""
    assert may_pass(error)


@pytest.mark.parametrize("error", [NoCredentialsError(), ParamValidationError(report="x"), KeyError("x")], ids=repr)
def test_our_own_mistakes_are_not_tried_again(error: Exception) -> None:
    """They would only hide for a while."""
    assert not may_pass(error)


@given(st.integers(0, 1000), st.floats(0, 1, exclude_max=True))
def test_back_off_is_jitter_below_a_doubling_ceiling(attempt: int, chance: float) -> None:
    """50 ms, 100 ms, … 2 s: all of it left to chance, so that many who failed together do not come back together."""
    assert backoff_s(attempt, lambda: chance) == min(2, 0.05 * 2 ** min(attempt, 20)) * chance


def test_tries_end_when_patience_does(clock: Clock) -> None:
    """The first comes at once, the last within the time."""
    moments = [clock.now_s - 100 for _ in tries(5)]
    assert moments[0] == 0
    assert len(moments) > 3
    assert moments[-1] < 5 <= clock.now_s - 100


def test_without_patience_there_is_one_try(clock: Clock) -> None:
    """Not none."""
    assert list(tries(0)) == [0]


def test_a_call_that_recovers_is_a_success(clock: Clock) -> None:
    """Its caller learns nothing of what went before."""
    failures = iter([refused("ThrottlingException"), ReadTimeoutError(endpoint_url=URL)])

    def call() -> str:
        if failure := next(failures, None):
            raise failure
        return "done"

    assert patiently(call, 60) == "done"


def test_a_call_that_does_not_recover_ends_in_store_unavailable(clock: Clock) -> None:
    """With the last reason, and the error itself as the cause."""

    def call() -> None:
        raise refused("ThrottlingException")

    with pytest.raises(StoreUnavailable, match=r"no success within 3 s: .*ThrottlingException") as failed:
        patiently(call, 3)
    assert isinstance(failed.value.__cause__, ClientError)


@pytest.mark.parametrize("error", [refused("ValidationException"), NoCredentialsError(), ZeroDivisionError()], ids=repr)
def test_a_lasting_error_is_raised_at_once(clock: Clock, error: Exception) -> None:
    """As it is."""

    def call() -> None:
        raise error

    with pytest.raises(type(error)):
        patiently(call, 60)
    assert clock.now_s == 100
