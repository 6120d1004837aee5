"""What our stream and tables are called. `infra/resources.json` says the same to Terraform and the set-up; a test compares."""

from dataclasses import dataclass
from typing import Final

from telemetry.streams import FIRST_PLACE, StreamPlace

GENERATION_MAX: Final = 999_999
"""The longest prefix and this number still make names that AWS takes."""


def worker_of(worker_id: str, generation: int) -> str:
    """What a worker is called that works on one generation whichever is live: its machine may have another on the live one."""
    return f"{worker_id}-g{generation}"


@dataclass(frozen=True, slots=True)
class ResourceNames:
    """Names for one prefix, one projection generation, and one of the log's streams."""

    prefix: str
    generation: int = 1
    place: StreamPlace = FIRST_PLACE
    """Of the stream in the log."""

    @property
    def stream(self) -> str:
        """The log; one that is lost is followed by another of the same name."""
        return f"{self.prefix}-temperature-events"

    @property
    def readings(self) -> str:
        """One item per distinct reading."""
        return f"{self.prefix}-temperature-readings-g{self.generation}"

    @property
    def stats(self) -> str:
        """One row per scope, window and shard."""
        return f"{self.prefix}-temperature-stats-g{self.generation}"

    @property
    def dead_letters(self) -> str:
        """What could not be applied, and what was decided about it: another decoder has other letters."""
        return f"{self.prefix}-dead-letters-g{self.generation}"

    @property
    def generations(self) -> str:
        """The pointer to the live generation."""
        return f"{self.prefix}-generations"

    @property
    def keys(self) -> str:
        """Whose keys are taken, while keys are on."""
        return f"{self.prefix}-keys"

    @property
    def application(self) -> str:
        """KCL's application, which is also the name of its lease table: each stream has another, since shard ids repeat."""
        return f"{self.prefix}-projector-g{self.generation}{self.stream_suffix}"

    @property
    def stream_suffix(self) -> str:
        """The end of the application's name: nothing in the log's first stream, `-s2` in its second."""
        return "" if self.place.number == 1 else f"-s{self.place.number}"

    @property
    def coordinator(self) -> str:
        """KCL's own: who leads."""
        return f"{self.application}-CoordinatorState"

    @property
    def workers(self) -> str:
        """KCL's own: each worker's sign of life."""
        return f"{self.application}-WorkerMetricStats"

    @property
    def of_generation(self) -> tuple[str, ...]:
        """All tables that belong to the generation alone; KCL's are those for the one stream."""
        return self.readings, self.stats, self.dead_letters, self.application, self.coordinator, self.workers
