"""How fast a shard is replayed, and how much of it at once: so that the consumer keeps its share (`telemetry/read_budget.py`).

A page is sized by the records seen, and what then comes is paid for with time.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from telemetry.read_budget import OTHERS_BYTES_A_S, OTHERS_CALLS_A_S

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import GetRecordsOutputTypeDef

PAGE_BYTES: Final = OTHERS_BYTES_A_S // OTHERS_CALLS_A_S
"""What a page is to hold: the share of a second, since it takes a second at least."""

PAGE_RECORDS_MAX: Final = 1000
"""As many as a shard takes a second (PutRecords); the emulator takes seconds over many more."""


def pause_s(page_bytes: int) -> float:
    """How long a shard is left alone after a page of so many bytes, in seconds; 0 bytes when nothing came, or an error."""
    return max(1 / OTHERS_CALLS_A_S, page_bytes / OTHERS_BYTES_A_S)


class Pace:
    """Asks for the pages of one shard, none before the pause after the last one is over, whatever became of that one."""

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        """`clock` tells seconds and never goes back; `sleep` takes seconds."""
        self._clock = clock
        self._sleep = sleep
        self._next_s = clock()

    def page(self, ask: Callable[[], "GetRecordsOutputTypeDef"]) -> "GetRecordsOutputTypeDef":
        """The page that `ask` gets, when it is time for it; what `ask` raises goes on. What the caller did meanwhile counts."""
        if (wait_s := self._next_s - self._clock()) > 0:
            self._sleep(wait_s)
        came_bytes = 0
        try:
            page = ask()
            came_bytes = sum(len(record["Data"]) for record in page["Records"])
            return page
        finally:
            # From the answer on: Kinesis counts when it answers, and we may have waited long for that.
            self._next_s = self._clock() + pause_s(came_bytes)
