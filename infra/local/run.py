"""`make run`: the whole pipeline on this machine, in the foreground, until Ctrl-C or SIGTERM.

Starts LocalStack, unless AWS_ENDPOINT_URL says that AWS is elsewhere, makes stream and tables, then runs consumer and API, and
says which URL to open once a first reading could be served. Stops everything it started, in order, and nothing else.
"""

import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.console import Console
from infra.local.downloads import ensure_java
from infra.local.fetch import DownloadError
from infra.local.localstack import LocalStack, LocalStackError, free_port
from infra.local.services import Service
from infra.local.tools import MissingToolError
from infra.setup import set_up
from projections.queries import fleet_stats
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import TelemetryError
from telemetry.names import ResourceNames
from telemetry.settings import Settings
from telemetry.shards import list_shards

_LOCALSTACK_PORT = 4566
_READY_WAIT_S = 120
_POLL_S = 0.1

EXAMPLE = """Ready. Open {url} or send a first reading:

  curl -X PUT {url}/api/temperature -H 'Content-Type: application/json' \\
    -d '{{"sensorId": "202", "temperature": 18.7, "timestamp": "2021-11-26T18:10:00"}}'
  curl {url}/api/stats
"""


class _StoppedError(Exception):
    """Asked to stop before everything ran."""


def main() -> int:
    """Exit status 0 after being asked to stop, 1 when something could not start or ended by itself."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    console = Console()
    try:
        return _run(os.environ, console, stopping)
    except _StoppedError:
        return 0
    except (TelemetryError, LocalStackError, DownloadError, MissingToolError, ClientError, BotoCoreError) as error:
        console.say("run", str(error))
        return 1


def _run(environ: MutableMapping[str, str], console: Console, stopping: threading.Event) -> int:
    settings = Settings.from_environment(environ)
    environ["PORT"] = str(free_port(settings.port, "PORT"))
    with ExitStack() as stack:
        java = str(ensure_java())
        local = not settings.aws_endpoint_url
        if local:
            # Our own environment, because boto3 looks for credentials there and our processes inherit it.
            environ.update(stack.enter_context(_localstack(environ, console)))
        environ.setdefault("JAVA", java)
        settings = Settings.from_environment(environ)
        console.say("run", f"making stream and tables {settings.prefix}-…")
        names = ResourceNames(settings.prefix)
        set_up(kinesis_client(settings), dynamodb_client(settings), names)
        services: list[Service] = []
        for label, module in (("consumer", "consumer"), ("api", "producer_api")):
            services.append(_started(stack, label, module, environ, console))
        url = f"http://{settings.host}:{settings.port}"
        _wait_until_ready(lambda: _serves(url, settings, names), services, stopping)
        console.say("run", EXAMPLE.format(url=url))
        if environ.get("DEMO", "0") not in ("", "0"):
            services.append(_started(stack, "sensors", "infra.local.sensors", {**environ, "URL": url}, console))
        ended = _watch(services, stopping)
        if ended:
            console.say("run", f"{ended.label} ended by itself with status {ended.ended()}; stopping the rest")
    if local:
        console.say("run", "stopped; the local data is forgotten")
    return 1 if ended else 0


@contextmanager
def _localstack(environ: Mapping[str, str], console: Console) -> Iterator[dict[str, str]]:
    """A LocalStack of our own; yields the variables that make every process use it."""
    console.say("run", "starting LocalStack")
    port = int(environ.get("LOCALSTACK_PORT") or _LOCALSTACK_PORT)
    with LocalStack(port, on_log=lambda line: console.say("localstack", line) if line else None) as localstack:
        yield {
            "AWS_ENDPOINT_URL": localstack.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "KCL_TIMING": "local",
        }
        console.say("run", "stopping LocalStack")


def _started(stack: ExitStack, label: str, module: str, environ: Mapping[str, str], console: Console) -> Service:
    service = Service(label, module, environ, console)
    stack.callback(service.stop)
    return service


def _wait_until_ready(ready: Callable[[], bool], services: list[Service], stopping: threading.Event) -> None:
    deadline = time.monotonic() + _READY_WAIT_S
    while not ready():
        if stopping.wait(_POLL_S):
            raise _StoppedError
        for service in services:
            if service.ended() is not None:
                raise LocalStackError(f"{service.label} ended with status {service.ended()} while starting")
        if time.monotonic() > deadline:
            raise LocalStackError(f"not ready within {_READY_WAIT_S} s; the log above says why")


def _serves(url: str, settings: Settings, names: ResourceNames) -> bool:
    """Whether a reading would be stored and counted: the API is ready, and every open shard has a projector at work."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/readyz", timeout=5):
            pass
    except (urllib.error.URLError, OSError):
        return False
    at_work = fleet_stats(dynamodb_client(settings), names).shards
    return all(shard.shard_id in at_work for shard in list_shards(kinesis_client(settings), names.stream).open)


def _watch(services: list[Service], stopping: threading.Event) -> Service | None:
    """Wait until told to stop (None), or until a service ends by itself."""
    while not stopping.wait(_POLL_S):
        for service in services:
            if service.ended() is not None:
                return service
    return None


if __name__ == "__main__":
    sys.exit(main())
