"""How old the archive is, for `/api/status`: of the archive that ARCHIVE_TARGET names to the API, where it names one."""

import time
from concurrent.futures import Executor
from typing import Final

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from operations.archived import Archived, ArchiveWatch
from producer_api.operating.sight import Sight
from producer_api.pages.lasting import Lasting
from producer_api.shared import READ_S_MAX, Shared
from telemetry.errors import StoreUnavailable, TelemetryError
from telemetry.settings import Settings

_SHARED_S: Final = {"folder": 5.0, "S3": 60.0}
"""A look at S3 costs three calls a shard, and an object is put every five minutes."""
_LASTS_S: Final = 600.0

log = structlog.get_logger(__name__)


class ArchiveSight:
    """Looks at the archive, once for all who ask. Nobody waits long for it who may be told what was seen before."""

    def __init__(self, settings: Settings, threads: Executor) -> None:
        self._watch = ArchiveWatch(settings, READ_S_MAX)
        self._threads = threads
        kind = "S3" if (settings.archive_target or "").startswith("s3://") else "folder"
        look = Shared(self._look, _SHARED_S[kind])
        self._lasting = Lasting(look.get, fresh_s=_SHARED_S[kind], lasts_s=_LASTS_S)
        self._sight: Sight | None = None

    async def get(self, sight: Sight) -> Archived | None:
        """How far the shards that were seen open are archived; None while the archive cannot be looked at."""
        self._sight = sight
        try:
            return await self._lasting.get()
        except StoreUnavailable:
            return None

    def _look(self) -> Archived | None:
        assert self._sight
        created, shard_ids = self._sight.pointer.stream_created, self._sight.open_shards
        try:
            return self._watch.look(created, shard_ids, time.time_ns() // 1_000_000, self._threads)
        except (TelemetryError, BotoCoreError, ClientError, OSError) as error:
            log.warning("archive_unseen", error=str(error))
            return None
