"""How many write units a second may be taken of DynamoDB: one bucket for all writes of a process, or of several.

What a call took is known once it is answered. A unit for each of its items is taken before, the rest is charged then, and
whoever wants to write waits until what was taken before is paid for. So the rate is kept exactly over time,
however many write, and is overshot only by what the calls that are under way take beyond that.
"""

import threading
import time
from collections.abc import Callable, Mapping, MutableSequence
from contextlib import AbstractContextManager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_SAVED_S: Final = 1.0
"""So much time without a write is credited at most."""
_TAKEN, _PAID_S = range(2)
"""What the bucket knows: units in all, and when these are paid for."""
_WRITES: Final = ("BatchExecuteStatement", "BatchWriteItem", "PutItem", "UpdateItem")
"""All that `projections/dynamodb.py` writes by."""


class Units:
    """The bucket. `now_s` is by a clock that nobody sets, and that all processes of a machine have in common.

    One that is `shared` may be handed to processes that are started by multiprocessing ("spawn"), and is the same in all.
    """

    def __init__(
        self,
        a_second: float,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        *,
        shared: bool = False,
    ) -> None:
        self.a_second = a_second
        self._now_s, self._sleep = now_s, sleep
        context = get_context("spawn")
        self._lock: AbstractContextManager[Any] = context.Lock() if shared else threading.Lock()
        self._state: MutableSequence[float] = context.RawArray("d", 2) if shared else [0.0, 0.0]
        self._state[_PAID_S] = now_s()

    @property
    def taken(self) -> float:
        """In all."""
        return self._state[_TAKEN]

    def wait(self, units: float = 0) -> None:
        """Take so many, and return when all that was taken before is paid for."""
        paid_s = self.take(units)
        while (pause_s := paid_s - self._now_s()) > 0:
            self._sleep(pause_s)

    def take(self, units: float) -> float:
        """So many were taken, or fewer than was thought where it is less than 0; when all before it is paid for."""
        with self._lock:
            paid_s = max(self._state[_PAID_S], self._now_s() - _SAVED_S)
            self._state[_TAKEN] += units
            self._state[_PAID_S] = paid_s + units / self.a_second
            return paid_s


def pace_writes(dynamodb: "DynamoDBClient", units: Units) -> None:
    """Have all that a client writes wait for the bucket, and be charged to it: a unit an item where nobody tells."""

    def wait(params: Mapping[str, Any], context: dict[str, Any], **_: object) -> Mapping[str, Any]:
        context["items"] = _items(params)
        units.wait(context["items"])
        return {**params, "ReturnConsumedCapacity": "TOTAL"}

    def charge(parsed: Mapping[str, Any], context: Mapping[str, Any], **_: object) -> None:
        if consumed := _consumed(parsed.get("ConsumedCapacity")):
            units.take(consumed - context["items"])

    events: Any = dynamodb.meta.events  # a handler's answer counts, which its types do not know
    for operation in _WRITES:
        events.register(f"provide-client-params.dynamodb.{operation}", wait)
        events.register(f"after-call.dynamodb.{operation}", charge)


def _items(params: Mapping[str, Any]) -> int:
    """How many items a request writes: where nobody tells what that took, one unit each."""
    if "RequestItems" in params:
        return sum(map(len, params["RequestItems"].values()))
    return len(params.get("Statements", "1"))


def _consumed(told: Any) -> float:
    """What an answer says; 0 where it says nothing, as one that refuses."""
    each = told if isinstance(told, list) else [told] if told else []
    return sum(float(one.get("CapacityUnits", 0)) for one in each)
