"""The pipeline: API and consumer on the module's stack."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from projections.queries import fleet_stats
from telemetry.shards import list_shards
from tests.support.processes import running, running_api
from tests.support.stack import Stack
from tests.support.waiting import eventually


@dataclass(frozen=True)
class Pipeline:
    """A running API and consumer."""

    stack: Stack
    url: str
    log: Path


@pytest.fixture(scope="module")
def pipeline(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """API and consumer, once every shard has a projector at work."""
    log = tmp_path_factory.mktemp("pipeline") / "processes.log"
    with running_api(stack.environ, log) as url, running("consumer", stack.environ, log) as consumer:

        def at_work() -> None:
            assert consumer.poll() is None, log.read_text()
            shards = {shard.shard_id for shard in list_shards(stack.kinesis, stack.names.stream).open}
            assert shards <= fleet_stats(stack.dynamodb, stack.names).shards.keys(), log.read_text()

        eventually(at_work, within_s=60)
        yield Pipeline(stack, url, log)
