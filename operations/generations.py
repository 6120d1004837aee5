"""What there is of every projection generation, watched until it is seen who works on which."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from operations.movement import Living, Unchanged
from operations.observation import Observation, observe_if_there
from operations.stages import Seen, Stage, State, state_of
from projections.generations import Pointer, check_stream
from projections.register import Register, read_register
from telemetry.names import ResourceNames

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

LOOK_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """One look."""

    pointer: Pointer
    register: Register
    seen: Mapping[int, Observation]
    """Of each generation that was not dropped and has its tables."""

    @property
    def numbers(self) -> list[int]:
        """All generations that were ever registered, and the live one."""
        return sorted({*self.register, self.pointer.generation})


def look(kinesis: "KinesisClient", dynamodb: "DynamoDBClient", prefix: str) -> Look:
    """Look at everything once; strongly consistent. Raises WrongStream, StreamMissing and boto3's errors."""
    pointer = check_stream(kinesis, dynamodb, ResourceNames(prefix))
    live = observe_if_there(kinesis, dynamodb, pointer.names(prefix))
    return look_beside(kinesis, dynamodb, prefix, pointer, live)


def look_beside(
    kinesis: "KinesisClient", dynamodb: "DynamoDBClient", prefix: str, pointer: Pointer, live: Observation | None
) -> Look:
    """The same, for who has seen the `live` generation; None where its tables are missing. Raises boto3's errors."""
    names = pointer.names(prefix)
    register = read_register(dynamodb, names)
    others = {number for number, one in register.items() if one.dropped_us is None} - {pointer.generation}
    found = {number: observe_if_there(kinesis, dynamodb, replace(names, generation=number)) for number in sorted(others)}
    return Look(pointer, register, {number: seen for number, seen in {pointer.generation: live, **found}.items() if seen})


class Watch:
    """Tells the states of all generations, from one look after another: who gives no sign for `patience_s` is not at work."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._living: dict[int, Living] = {}
        self._beats = Unchanged()
        self._first_beats: dict[int, int] = {}

    def see(self, found: Look, now_s: float) -> list[State]:
        """Take in a look, by number. `now_s` is by a clock that nobody sets."""
        live = found.seen.get(found.pointer.generation)
        return [state_of(self._seen(found, number, now_s), live.progress if live else {}) for number in found.numbers]

    def _seen(self, found: Look, number: int, now_s: float) -> Seen:
        registered, seen = found.register.get(number), found.seen.get(number)
        is_live = number == found.pointer.generation
        filling = bool(registered and self._is_filling(number, registered.beat, now_s))
        if seen is None:
            return Seen(number, is_live, registered, tables=False, filling=filling)
        living = self._living.setdefault(number, Living(self._patience_s)).see(seen, now_s)
        return Seen(
            number,
            is_live,
            registered,
            tables=True,
            leased=bool(seen.leases),
            filling=filling,
            workers=living,
            progress=seen.progress,
            listed=seen.shards.shards.keys(),
        )

    def _is_filling(self, number: int, beat: int, now_s: float) -> bool:
        """Whether its beat has moved lately; what it was at the first look tells nothing."""
        first = self._first_beats.setdefault(number, beat)
        return self._beats.for_s(number, beat, now_s) <= self._patience_s and beat != first


def watched(
    look_again: Callable[[], Look], now_s: Callable[[], float], sleep: Callable[[float], None], patience_s: float
) -> list[State]:
    """Look until it is seen who works on which generation, or for as long as it takes to say that nobody does."""
    watch, began_s = Watch(patience_s), now_s()
    while True:
        states = watch.see(look_again(), now_s())
        if now_s() - began_s >= patience_s or all(one.at_work or one.stage is Stage.DROPPED for one in states):
            return states
        sleep(LOOK_EVERY_S)


def missing_tables(dynamodb: "DynamoDBClient", names: ResourceNames) -> list[str]:
    """Which tables of a generation are not there, or not ready yet. Raises boto3's errors."""
    return [table for table in names.of_generation if not _is_active(dynamodb, table)]


def _is_active(dynamodb: "DynamoDBClient", table: str) -> bool:
    try:
        return dynamodb.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE"
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return False
