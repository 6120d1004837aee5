"""`python -m archive`: the archiver. Runs until SIGTERM or SIGINT, archives the tip as it was then, and ends."""

import argparse
import os
import signal
import sys
import threading

from botocore.exceptions import BotoCoreError, ClientError

from archive.archiver import Archiver
from archive.ending import archive_to_end
from archive.metrics import ArchiveMetrics, served
from archive.opening import open_target
from archive.stream import Stream, now_ms
from telemetry.aws import kinesis_client
from telemetry.errors import TelemetryError
from telemetry.logs import configure_logs
from telemetry.names import ResourceNames
from telemetry.retry import error_code
from telemetry.settings import Settings

_PAGE_TIMEOUT_S = 10
"""A page may have 10 MB."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Waited for by a thread: a handler would run within whatever the main one does, locks included."""


def main() -> None:
    """Archive until told to stop, or to the stream's end."""
    parser = argparse.ArgumentParser(prog="python -m archive", description="Archive the log until stopped.")
    text = "archive to its end a stream that nobody writes to any more and that is about to go: its tip is its shards' end"
    parser.add_argument("--last", action="store_true", help=text)
    last = parser.parse_args().last
    if not last:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        settings = Settings.from_environment(os.environ)
        configure_logs(settings.log_level, process="archiver")
        target = open_target(settings)
        kinesis = kinesis_client(settings, attempts=1, read_timeout_s=_PAGE_TIMEOUT_S)
        metrics = ArchiveMetrics(now_ms)
        stream = Stream(kinesis, ResourceNames(settings.prefix).stream, settings.store_retry_s)
        if last:
            archive_to_end(settings, stream, target)
            return
        archiver = Archiver(settings, stream, target, metrics)
        threading.Thread(target=_stop_when_told, args=(archiver,), name="signals", daemon=True).start()
        with served(metrics, settings):
            archiver.run()
    except TelemetryError as error:
        sys.exit(str(error))
    except (ClientError, BotoCoreError) as error:
        sys.exit(f"{error_code(error)}: {error}")


def _stop_when_told(archiver: Archiver) -> None:
    signal.sigwait(_SIGNALS)
    archiver.stop()


if __name__ == "__main__":
    main()
