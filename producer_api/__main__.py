"""`python -m producer_api`: serve the API as the environment's settings say, until SIGTERM or SIGINT."""

import math
import os
import resource
import signal
import sys
from functools import partial

import structlog
import uvicorn

from producer_api.app import create_app
from producer_api.connections import Connection
from producer_api.guard import Guard, Limits
from producer_api.operating.outcomes import Outcomes
from telemetry.errors import InvalidSettings
from telemetry.logs import configure_logs
from telemetry.settings import Settings

_OTHER_DESCRIPTORS = 400
"""Files, connections to AWS, and clients that are about to be told that there are too many."""

log = structlog.get_logger(__name__)


def main() -> None:
    """Serve."""
    try:
        settings = Settings.from_environment(os.environ)
    except InvalidSettings as error:
        sys.exit(str(error))
    configure_logs(settings.log_level, unblocked=True, process="api")
    # uvicorn drains, then raises the signal once more: to have stopped as asked is a success, not a death by signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    outcomes = Outcomes()
    guard = Guard(
        Limits(
            connections_max=_connections_max(settings),
            request_s=settings.request_timeout_s,
            keep_alive_s=settings.keep_alive_s,
            drain_s=settings.drain_s,
        ),
        outcomes,
    )
    uvicorn.run(
        create_app(settings, outcomes),
        host=settings.host,
        port=settings.port,
        http=partial(Connection, guard),  # type: ignore[arg-type]  # called as the class would be
        ws="none",
        workers=1,  # said, because WEB_CONCURRENCY would otherwise decide; more processes share no queue
        proxy_headers=False,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(settings.stopping_s),
    )


def _connections_max(settings: Settings) -> int:
    """As many connections as are wished, or as the operating system leaves descriptors for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.connections_max + _OTHER_DESCRIPTORS
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft >= wanted:
        return settings.connections_max
    allowed = max(1, soft - _OTHER_DESCRIPTORS)
    log.warning("fewer_connections", wanted=settings.connections_max, allowed=allowed, descriptors=soft)
    return allowed


if __name__ == "__main__":
    main()
