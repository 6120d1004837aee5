"""An archive in memory that counts what is asked of it."""

from collections.abc import Iterator

from archive.targets import MemoryTarget


class CountingTarget(MemoryTarget):
    """Counts the names that it lists."""

    listed = 0

    def list_after(self, prefix: str, after: str = "") -> Iterator[str]:
        """See Target."""
        for key in super().list_after(prefix, after):
            self.listed += 1
            yield key
