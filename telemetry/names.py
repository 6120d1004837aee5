"""What our stream and tables are called. `infra/resources.json` says the same to Terraform and the set-up; a test compares."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResourceNames:
    """Names for one prefix and one projection generation."""

    prefix: str
    generation: int = 1

    @property
    def stream(self) -> str:
        """The log."""
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
        """What could not be applied."""
        return f"{self.prefix}-dead-letters"

    @property
    def generations(self) -> str:
        """The pointer to the live generation."""
        return f"{self.prefix}-generations"

    @property
    def application(self) -> str:
        """KCL's application, which is also the name of its lease table."""
        return f"{self.prefix}-projector-g{self.generation}"

    @property
    def coordinator(self) -> str:
        """KCL's own: who leads."""
        return f"{self.application}-CoordinatorState"

    @property
    def workers(self) -> str:
        """KCL's own: each worker's sign of life."""
        return f"{self.application}-WorkerMetricStats"
