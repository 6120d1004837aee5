"""Restarts are kept, at once or later, and never in the way."""

from botocore.exceptions import ClientError, EndpointConnectionError

from consumer.history import History
from operations.restarts import RESTARTS_MAX, Restart


class Keeper:
    """Where they are kept; refuses while it is told to."""

    def __init__(self) -> None:
        self.kept: tuple[Restart, ...] = ()
        self.calls = 0
        self.fault: Exception | None = None

    def __call__(self, restarts: tuple[Restart, ...]) -> None:
        self.calls += 1
        if self.fault:
            raise self.fault
        self.kept = restarts


def added(history: History, count: int) -> None:
    for number in range(count):
        history.add(Restart(number, f"reason {number}"))


def test_the_last_ten_are_kept_the_newest_first() -> None:
    """Old ones give way."""
    keeper = Keeper()
    history = History(keeper)
    added(history, RESTARTS_MAX + 2)
    assert [one.at_us for one in keeper.kept] == [*range(11, 1, -1)]
    assert history.count == 12


def test_what_cannot_be_kept_is_kept_later() -> None:
    """The supervisor does not notice, and what is kept is not written again."""
    refused = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutItem")
    keeper = Keeper()
    history = History(keeper)
    for keeper.fault in (refused, EndpointConnectionError(endpoint_url="http://127.0.0.1:1")):
        added(history, 1)
    assert (keeper.kept, keeper.calls) == ((), 2)
    keeper.fault = None
    history.keep()
    history.keep()
    assert (len(keeper.kept), keeper.calls) == (2, 3)
