"""Opens the archive that the settings name."""

from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from archive.folder import FolderTarget
from archive.s3 import S3Target
from archive.targets import Target
from telemetry.aws import s3_client
from telemetry.errors import InvalidSettings
from telemetry.settings import Settings

_CALLS_OF_READERS = 320
"""At once: of 64 shards, of which four objects ahead and the one that is read."""


def open_target(settings: Settings) -> Target:
    """The archive at ARCHIVE_TARGET. Raises InvalidSettings when none is named, or the folder named cannot be used."""
    where = _named(settings)
    if not where.startswith("s3://"):
        return FolderTarget(Path(where).expanduser())
    return _in_s3(settings, where, pool=10, patience_s=settings.store_retry_s)


def open_for_reading(settings: Settings, patience_s: float) -> Target:
    """The same for who reads: a folder must be there, S3 is given up after so many seconds without a success."""
    where = _named(settings)
    if not where.startswith("s3://"):
        return FolderTarget(Path(where).expanduser(), for_reading=True)
    return _in_s3(settings, where, pool=_CALLS_OF_READERS, patience_s=patience_s)


def _named(settings: Settings) -> str:
    if not settings.archive_target:
        raise InvalidSettings("ARCHIVE_TARGET is not set: name a folder, or s3://bucket/prefix.")
    return settings.archive_target


def _in_s3(settings: Settings, where: str, *, pool: int, patience_s: float) -> Target:
    parts = urlsplit(where)
    return S3Target(partial(s3_client, settings, pool=pool), parts.netloc, parts.path.strip("/"), patience_s)
