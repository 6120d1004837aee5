"""A worker on one generation, whichever is live: what `telemetry rebuild` feeds a generation by before that is promoted."""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from consumer.oversight import AwsWorld
from operations.observation import Observation, observe_if_there
from projections.generations import Pointer
from projections.register import require_kept
from telemetry.errors import NotRebuilt
from telemetry.names import GENERATION_MAX, ResourceNames, worker_of
from telemetry.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient


class PinnedWorld(AwsWorld):
    """The world of such a worker: the pointer may name another generation, as long as the log goes on in the same stream."""

    def __init__(self, settings: Settings, names: ResourceNames, pointer: Pointer) -> None:
        super().__init__(settings, names, pointer, pinned=True)

    def observe(self) -> Observation:
        """Look at everything once, if the generation was not dropped: else Dropped."""
        require_kept(self._dynamodb, self._names)
        return super().observe()


def asked_generation() -> int | None:
    """What the command line says: `--generation N`. Ends the process when it says something else."""
    parser = argparse.ArgumentParser(prog="python -m consumer", description="Project the log, until told to stop.")
    parser.add_argument(
        "--generation", type=_number, metavar="N", help="feed this generation, whichever is live, as telemetry rebuild does"
    )
    asked: int | None = parser.parse_args().generation
    return asked


def pinned_settings(settings: Settings, generation: int) -> Settings:
    """The settings of its worker, which has a name of its own: its machine may have another one on the live generation."""
    return settings.model_copy(update={"worker_id": worker_of(settings.worker_id, generation)})


def pinned_names(kinesis: "KinesisClient", dynamodb: "DynamoDBClient", names: ResourceNames, generation: int) -> ResourceNames:
    """What it works on; `names` names the live generation. Raises Dropped, NotRebuilt without tables, boto3's errors."""
    own = replace(names, generation=generation)
    require_kept(dynamodb, own)
    if observe_if_there(kinesis, dynamodb, own) is None:
        raise NotRebuilt(f"g{generation} has no tables: telemetry rebuild --generation {generation} makes and fills them.")
    return own


def _number(text: str) -> int:
    """A projection generation's number. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= GENERATION_MAX:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to {GENERATION_MAX}")
    return int(text)
