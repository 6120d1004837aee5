"""One shard's child without its daemon: the real projector and the real stores, on a clock of the log's own.

Imports what a child imports and little else, so that a process of it weighs what a child weighs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.canned import CannedDynamoDB
from consumer import composition  # noqa: F401  it weighs something
from projections.decoding import Record
from projections.dynamodb import CALLS_AT_ONCE, AwsStores
from projections.effects import run
from projections.policy import FlushPolicy
from projections.projector import ShardProjector
from projections.rows import PROGRESS
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.limits import HASH_KEY_MAX
from telemetry.names import ResourceNames
from telemetry.processes import collect_garbage_seldom
from telemetry.settings import Settings
from telemetry.shards import Shard

DELIVERIES_A_SECOND: Final = 3
"""Of the five reads that a shard allows, so that others may read it too."""
_SHARD: Final = Shard("shardId-000000000000", 0, HASH_KEY_MAX)
_NAMES: Final = ResourceNames("bench")
_KEYS: Final = {_NAMES.readings: ("sensor_id", "pack"), _NAMES.stats: ("scope", "window")}
_RETENTION_S: Final = 168 * 3600


class Delivery(NamedTuple):
    """What the daemon hands over at once."""

    at_s: float
    """Since 1970, on the log's clock."""
    records: list[tuple[bytes, int]]
    """Data, and when Kinesis took it: milliseconds since 1970."""
    readings: int
    repeated: int
    """Of these."""


class Child:
    """A shard's projector and its clock. Holds no client and no thread, so that it may be forked."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._position = 10**55
        self._counted = self._repeated = 0
        self._projector: ShardProjector | None = None

    def forget(self) -> None:
        """What only memory holds, as a child does that is started anew."""
        self._projector = None

    def project(self, delivery: Delivery, stores: AwsStores) -> bool:
        """Project a delivery at its time; whether everything up to some record has become durable with it."""
        self._now_s = delivery.at_s
        projector = self._started(stores)
        records = [Record(self._position + n, data, at_ms) for n, (data, at_ms) in enumerate(delivery.records, 1)]
        self._position += len(records)
        self._counted += delivery.readings - delivery.repeated
        self._repeated += delivery.repeated
        durable = projector.durable
        run(projector.project(records, caught_up=True), stores)
        return projector.durable > durable

    @property
    def doubts(self) -> int:
        """How many readings were told by what packs say: by texts that are held, or by a look-up."""
        return self._projector.doubts if self._projector else 0

    def check(self, stores: AwsStores) -> None:
        """Flush, and see that each reading was counted once and each repeat known: a run that errs says nothing of speed."""
        run(self._started(stores).flush(), stores)
        stats = stores.load_rows(_SHARD.shard_id, [PROGRESS])[PROGRESS].stats
        assert (stats.count, stats.duplicates) == (self._counted, self._repeated), (stats, self._counted, self._repeated)

    def _started(self, stores: AwsStores) -> ShardProjector:
        if self._projector is None:
            self._projector = ShardProjector(
                _SHARD,
                lambda: self._now_s,
                FlushPolicy.for_shards(1),
                interval_clock_s=lambda: self._now_s,
                retention_s=_RETENTION_S,
            )
            run(self._projector.start(), stores)
        return self._projector


@contextmanager
def opened(table: Path) -> Iterator[tuple[AwsStores, CannedDynamoDB]]:
    """The stores as `consumer/composition.py` makes them, but that their calls are answered from a file."""
    collect_garbage_seldom()
    canned = CannedDynamoDB(table, _KEYS)
    canned.answer_clients()
    settings = Settings(prefix=_NAMES.prefix)
    dynamodb = dynamodb_client(settings, pool=CALLS_AT_ONCE, validate=False)
    stores = AwsStores(dynamodb, kinesis_client(settings), _NAMES, settings.store_retry_s)
    try:
        yield stores, canned
    finally:
        stores.close()
        canned.close()
