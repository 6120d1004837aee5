"""`python -m producer_api`: serve the API as the environment's settings say, until SIGTERM or SIGINT."""

import os
import signal
import sys

import uvicorn

from producer_api.app import create_app
from telemetry.errors import InvalidSettings
from telemetry.logs import configure_logs
from telemetry.settings import Settings

_DRAIN_S = 5
"""How long open requests may take beyond the writer's deadline after SIGTERM."""

_KEEP_ALIVE_S = 75
"""How long an idle connection stays open: longer than a load balancer keeps its own (60 s), or it would at times send a request
into a connection that is just being closed and answer 502."""


def main() -> None:
    """Serve."""
    try:
        settings = Settings.from_environment(os.environ)
    except InvalidSettings as error:
        sys.exit(str(error))
    configure_logs(settings.log_level, process="api")
    # uvicorn drains, then raises the signal once more: to have stopped as asked is a success, not a death by signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.put_deadline_s) + _DRAIN_S,
    )


if __name__ == "__main__":
    main()
