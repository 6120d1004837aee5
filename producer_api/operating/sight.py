"""The one look of `/api/status` and `/metrics` at what the log's readers leave in tables. Blocking; for one thread."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from operations.generations import Watch, look_beside
from operations.observation import observe
from operations.restarts import Supervisor, read_restarts
from operations.stages import Stage, State
from operations.tally import dead_letters, sensors
from operations.verdicts import STILL_S, Judge, ShardState
from projections.dynamodb_reads import LiveFleet
from projections.generations import LiveNames, Pointer
from telemetry.errors import ReasonCode

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen."""

    at_us: int
    """When, in microseconds since 1970."""
    pointer: Pointer
    shards: Sequence[ShardState]
    """Those whose turn it is to be read."""
    sensors: int
    """Of which a reading was ever counted."""
    dead_letters: Mapping[str, Mapping[ReasonCode, int]]
    """Of every shard that has a row, those read to their end too, by reason."""
    supervisors: Sequence[Supervisor]
    open_shards: Sequence[str] = ()
    """Of the stream that is written to."""
    others: Sequence[State] = ()
    """Generations beside the live one that were not dropped."""


class Watcher:
    """Looks, and remembers what it takes to say what moves."""

    def __init__(self, kinesis: "KinesisClient", dynamodb: "DynamoDBClient", live: LiveNames) -> None:
        self._kinesis, self._dynamodb = kinesis, dynamodb
        self._live = live
        self._fleet = LiveFleet(dynamodb, live)
        self._pointer: Pointer | None = None
        self._judge, self._watch = Judge(), Watch(STILL_S)

    def look(self) -> Sight:
        """Look once. Raises boto3's errors, and NotSetUp when there is no pointer."""
        found = self._fleet.read()
        names = self._live.names(found.pointer)
        seen = observe(self._kinesis, self._dynamodb, names, found.fleet.shards)
        if found.pointer != self._pointer:  # what moved in one generation says nothing of another
            self._pointer, self._judge = found.pointer, Judge()
        beside = look_beside(self._kinesis, self._dynamodb, names.prefix, found.pointer, seen)
        states = self._watch.see(beside, time.monotonic())
        now_us = time.time_ns() // 1000
        return Sight(
            at_us=now_us,
            pointer=found.pointer,
            shards=self._judge.see(seen, time.monotonic(), now_us),
            sensors=sensors(found.fleet.shards),
            dead_letters=dead_letters(found.fleet.shards),
            supervisors=read_restarts(self._dynamodb, names),
            open_shards=[shard.shard_id for shard in seen.shards.open],
            others=[one for one in states if one.number != found.pointer.generation and one.stage is not Stage.DROPPED],
        )
