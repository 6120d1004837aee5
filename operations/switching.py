"""What `telemetry promote` sees and does on AWS, and that nothing is left behind when it is interrupted (`promoting.py`)."""

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from operations.lacking import Progress
from operations.promoting import Asked, Ending, Outcome, World, promote, take_back
from projections.effects import run
from projections.generations import Pointer, replace_pointer, require_pointer
from projections.queries import fleet_stats
from projections.register import read_registered
from telemetry.errors import TelemetryError
from telemetry.names import ResourceNames
from telemetry.retry import patiently
from telemetry.shards import list_shards

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

_PATIENCE_S: Final = 30.0


class AwsWorld:
    """The pointer, the stream and the tables of one prefix. `tell` is given what a person who waits may read."""

    def __init__(
        self, kinesis: "KinesisClient", dynamodb: "DynamoDBClient", names: ResourceNames, tell: Callable[[str], object]
    ) -> None:
        self._kinesis, self._dynamodb, self._names, self._tell = kinesis, dynamodb, names, tell

    def pointer(self) -> Pointer:
        """The pointer as it is. Raises NotSetUp when there is none."""
        return require_pointer(self._dynamodb, self._names)

    def replace(self, known: Pointer, pointer: Pointer) -> bool:
        """Put a pointer in place of the one that is known; whether that still was the one."""
        return replace_pointer(self._dynamodb, self._names, known, pointer)

    def progress(self, generation: int) -> Progress | None:
        """A generation's progress rows; None when it has no tables, or was dropped."""
        names = replace(self._names, generation=generation)
        if (registered := read_registered(self._dynamodb, names)) and registered.dropped_us is not None:
            return None
        try:
            return fleet_stats(self._dynamodb, names).shards
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return None

    def listed(self) -> Collection[str]:
        """The shards that the stream lists, by the log's names."""
        return list_shards(self._kinesis, self._names.stream, self.pointer().place).shards.keys()

    def now_s(self) -> float:
        """By a clock that nobody sets."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    def say(self, text: str) -> None:
        """Tell who waits."""
        self._tell(text)


def promote_or_take_back(world: World, asked: Asked) -> Outcome:
    """Promote. What interrupts it takes its mark off the pointer again, so that the live generation's consumers go on.

    Raises what interrupted it, unless the generation is live all the same.
    """
    try:
        return run(promote(asked), world)
    except BaseException:
        if _taken_back(world, asked).ending is Ending.LIVE:
            return Outcome(Ending.LIVE)
        raise


def _taken_back(world: World, asked: Asked) -> Outcome:
    try:
        return patiently(lambda: run(take_back(asked.next), world), _PATIENCE_S)
    except (ClientError, BotoCoreError, TelemetryError):
        world.say("The pointer may still be marked, and consumers wait: type telemetry promote --take-back when AWS answers.")
        raise
