"""Opens the archive that the settings name."""

from pathlib import Path
from urllib.parse import urlsplit

from archive.folder import FolderTarget
from archive.s3 import S3Target
from archive.targets import Target
from telemetry.aws import s3_client
from telemetry.errors import InvalidSettings
from telemetry.settings import Settings


def open_target(settings: Settings) -> Target:
    """The archive at ARCHIVE_TARGET. Raises InvalidSettings when none is named, or the folder named cannot be used."""
    where = settings.archive_target
    if not where:
        raise InvalidSettings("ARCHIVE_TARGET is not set: name a folder, or s3://bucket/prefix.")
    if not where.startswith("s3://"):
        return FolderTarget(Path(where).expanduser())
    parts = urlsplit(where)
    return S3Target(s3_client(settings), parts.netloc, parts.path.strip("/"), settings.store_retry_s)
