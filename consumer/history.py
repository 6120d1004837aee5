"""Keeps a supervisor's last restarts where others can read them. What cannot be kept now is tried again at the next look."""

from collections import deque
from collections.abc import Callable

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from operations.restarts import RESTARTS_MAX, Restart

log = structlog.get_logger(__name__)


class History:
    """`keep` puts the restarts, the newest first, in place of those kept before; it may raise boto3's errors."""

    def __init__(self, keep: Callable[[tuple[Restart, ...]], None]) -> None:
        self.count = 0
        """Restarts since the supervisor began."""
        self._keep = keep
        self._restarts: deque[Restart] = deque(maxlen=RESTARTS_MAX)
        self._unkept = False

    def add(self, restart: Restart) -> None:
        """Another one."""
        self.count += 1
        self._restarts.appendleft(restart)
        self._unkept = True
        self.keep()

    def keep(self) -> None:
        """Keep what is not kept yet. A failure is logged and disturbs nobody."""
        if not self._unkept:
            return
        try:
            self._keep(tuple(self._restarts))
        except (ClientError, BotoCoreError) as error:
            log.warning("restarts_not_kept", error=str(error))
        else:
            self._unkept = False
