"""How many write units a second may be taken of DynamoDB: one bucket for all writes of a process, or of several.

What a call took is known once it is answered. So it is charged then, and whoever wants to write waits until what was taken is
paid for: the rate is kept exactly over time, and overshot by the calls that are under way.
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

    def wait(self) -> None:
        """Return when all that was taken so far is paid for."""
        while (pause_s := self._state[_PAID_S] - self._now_s()) > 0:
            self._sleep(pause_s)

    def take(self, units: float) -> None:
        """So many were taken."""
        with self._lock:
            self._state[_TAKEN] += units
            self._state[_PAID_S] = max(self._state[_PAID_S], self._now_s() - _SAVED_S) + units / self.a_second


def pace_writes(dynamodb: "DynamoDBClient", units: Units) -> None:
    """Have all that a client writes wait for the bucket, and be charged to it."""

    def wait(params: Mapping[str, Any], context: dict[str, Any], **_: object) -> Mapping[str, Any]:
        units.wait()
        context["items"] = _items(params)
        return {**params, "ReturnConsumedCapacity": "TOTAL"}

    def charge(parsed: Mapping[str, Any], context: Mapping[str, Any], **_: object) -> None:
        units.take(_consumed(parsed.get("ConsumedCapacity")) or context["items"])

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
