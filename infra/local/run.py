"""`make run`: the whole pipeline on this machine, in the foreground, until Ctrl-C or SIGTERM.

Starts LocalStack, unless AWS_ENDPOINT_URL says that AWS is elsewhere, makes stream and tables, fills them with what earlier
runs archived (kept.py), then runs archiver, consumer and API, and says which URL to open once a first reading could be served.
Stops everything it started, in order, and nothing else.

Of the user's shell it takes what environment.py says: into its own environment, where boto3 looks, and into what it starts.
"""

import ipaddress
import os
import shlex
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from archive.folder import FolderTarget
from infra.local import kept
from infra.local.console import Console
from infra.local.downloads import ensure_java
from infra.local.environment import for_running
from infra.local.fetch import DownloadError
from infra.local.localstack import LocalStack, LocalStackError, free_port
from infra.local.services import Service
from infra.local.tools import MissingToolError
from infra.setup import names_now, set_up
from projections.generations import Pointer, check_stream
from projections.queries import fleet_stats
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import InvalidSettings, TelemetryError
from telemetry.names import ResourceNames
from telemetry.settings import Settings
from telemetry.shards import list_shards

_LOCALSTACK_PORT = 4566
_READY_WAIT_S = 120
_DATA = Path(__file__).parents[2] / ".local" / "data"
"""Where what runs here is archived, by prefix, unless ARCHIVE_TARGET says otherwise. Nothing of ours removes it."""
_ARCHIVE_INTERVAL_S = 5
_POLL_S = 0.1

EXAMPLE = """Ready. Open {url} or send a first reading:

  {curl} -X PUT {put} -H 'Content-Type: application/json' \\
    -d '{{"sensorId": "202", "temperature": 18.7, "timestamp": "2021-11-26T18:10:00"}}'
  {curl} {get}

The log itself, as JSON lines:

  {replay}
"""
_CURL_PROXIES = ("http_proxy", "all_proxy", "ALL_PROXY")
"""What curl reads for an address that begins with http."""


class _StopError(BaseException):
    """Asked to stop. No Exception: a signal may come within a call of boto3, which takes those for failures of the network."""


def main() -> int:
    """Exit status 0 after being asked to stop, 1 when something could not start or ended by itself."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(*_: object) -> NoReturn:
        for number in signals:  # asked once is enough: stopping takes its time
            signal.signal(number, signal.SIG_IGN)
        raise _StopError

    for number in signals:
        signal.signal(number, stop)
    console = Console()
    try:
        _run(os.environ, console)
    except _StopError:
        return 0
    except (TelemetryError, LocalStackError, DownloadError, MissingToolError, ClientError, BotoCoreError) as error:
        console.say("run", str(error))
    return 1


def _run(environ: MutableMapping[str, str], console: Console) -> NoReturn:
    """Start everything and watch it. Ends by _StopError, or LocalStackError when something ended by itself."""
    taken, proxied = for_running(environ), any(environ.get(name) for name in _CURL_PROXIES)
    environ.clear()
    environ.update(taken)
    settings = _settings(environ)
    environ["PORT"] = str(free_port(settings.port, "PORT", settings.host))
    archive_here(environ, settings)
    elsewhere = settings.aws_endpoint_url is not None
    folder = None if elsewhere else kept_in(environ)
    _refuse_fresh(environ, folder)
    with ExitStack() as stack:
        if folder:
            stack.enter_context(kept.locked(folder))
            if _asked(environ, "FRESH"):
                _begin_fresh(stack, folder, console)
        alive: dict[str, Callable[[], int | None]] = {}
        environ.setdefault("JAVA", str(ensure_java()))
        if not elsewhere:
            alive["LocalStack"] = _start_localstack(stack, environ, console)
        began_us = time.time_ns() // 1000
        settings = Settings.from_environment(environ)
        console.say("run", f"making stream and tables {settings.prefix}-…")
        pointer = kept.go_on(settings, folder, partial(console.say, "run")) if folder else _set_up(settings)
        names = pointer.names(settings.prefix)
        if folder:
            stack.callback(_archive_to_end, folder, pointer.stream_created, environ, console, alive["LocalStack"])
        # Stopped the other way round: what the API took in last is archived.
        for label, module in (("archiver", "archive"), ("consumer", "consumer")):
            alive[label] = _start(stack, label, module, environ, console).ended
        if folder:
            kinesis, target = kinesis_client(settings), FolderTarget(folder)
            _wait_until_ready(lambda: kept.is_looked_at(kinesis, target, names, pointer.stream_created), alive)
        alive["api"] = _start(stack, "api", "producer_api", environ, console).ended
        url = url_to_open(settings.host, settings.port)
        _wait_until_ready(lambda: _serves(url, settings, names, began_us), alive)
        console.say("run", ready(url, environ, elsewhere=elsewhere, proxied=proxied))
        if _asked(environ, "DEMO"):
            _start(stack, "sensors", "infra.local.sensors", {**environ, "URL": url}, console)
        while True:
            _check(alive)
            time.sleep(_POLL_S)


def _asked(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "0") not in ("", "0")


def _set_up(settings: Settings) -> Pointer:
    """Make what is missing; the pointer. Raises WrongStream when the log is not that of the tables."""
    kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings)
    names = names_now(kinesis, dynamodb, settings.prefix)
    set_up(kinesis, dynamodb, names)
    return check_stream(kinesis, dynamodb, names)


def _settings(environ: Mapping[str, str]) -> Settings:
    """The settings. An address of AWS that holds a password is refused: nothing uses it, and errors and logs would show it."""
    if "@" in environ.get("AWS_ENDPOINT_URL", ""):
        raise InvalidSettings("AWS_ENDPOINT_URL holds an @: leave user and password out, nothing uses them.")
    return Settings.from_environment(environ)


def archive_here(environ: MutableMapping[str, str], settings: Settings) -> None:
    """Set where to archive to and how often, where the shell does not say. Raises InvalidSettings."""
    if settings.prefix in (".", ".."):
        raise InvalidSettings(f"PREFIX={settings.prefix}: what is archived here is kept in a folder of this name. Use letters.")
    environ.setdefault("ARCHIVE_TARGET", str(_DATA / settings.prefix))
    environ.setdefault("ARCHIVE_INTERVAL_S", str(_ARCHIVE_INTERVAL_S))


def kept_in(environ: Mapping[str, str]) -> Path | None:
    """The folder that this run goes on with; None where the archive is elsewhere, which may be others' as well."""
    where = environ["ARCHIVE_TARGET"]
    return None if where.startswith("s3://") else Path(where).expanduser()


def _refuse_fresh(environ: Mapping[str, str], folder: Path | None) -> None:
    if folder is None and _asked(environ, "FRESH"):
        raise InvalidSettings(
            "FRESH=1 moves aside what this machine keeps, and this run would keep nothing here: AWS_ENDPOINT_URL or "
            "ARCHIVE_TARGET names another place. Leave FRESH out; another PREFIX begins with nothing there."
        )


def _begin_fresh(stack: ExitStack, folder: Path, console: Console) -> None:
    if aside := kept.move_aside(folder):
        stack.enter_context(kept.locked(folder))
        console.say("run", f"beginning with nothing; what was in {folder} is in {aside} now")


def _archive_to_end(
    folder: Path, created: str, environ: Mapping[str, str], console: Console, lost: Callable[[], object]
) -> None:
    """Nobody writes any more: the archive gets its end. Where LocalStack is `lost`, the next run says what may be missing."""
    if lost() is None and Service("archiver", "archive", environ, console, "--last").finish() == 0:
        kept.forget_if_empty(folder, created)


def url_to_open(host: str, port: int) -> str:
    """The API's URL as a client on this machine writes it; a server at every address is asked at loopback's."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    if address.version == 4:
        return f"http://{'127.0.0.1' if address.is_unspecified else address}:{port}"
    return f"http://[{'::1' if address.is_unspecified else address}]:{port}"


def ready(url: str, environ: Mapping[str, str], *, elsewhere: bool, proxied: bool) -> str:
    """What to try first, in a shell where curl may ask a proxy (`proxied`).

    Keys are shown only where this run made them (not `elsewhere`): others are their owner's secrets.
    """
    names = ["AWS_ENDPOINT_URL", "PREFIX", "ARCHIVE_TARGET"]
    names += ["AWS_REGION", "AWS_DEFAULT_REGION"] if elsewhere else ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    shown = [f"{name}={environ[name]}" for name in names if name in environ]
    # What this run did not take of the shell should not reach the replay either. Elsewhere the keys are in the shell.
    replay = [*([] if elsewhere else ["env", "-i"]), *shown, ".venv/bin/telemetry", "replay"]
    put, get = (shlex.quote(f"{url}/api/{name}") for name in ("temperature", "stats"))
    curl = "curl --noproxy '*'" if proxied else "curl"
    return EXAMPLE.format(url=url, curl=curl, put=put, get=get, replay=" ".join(map(shlex.quote, replay)))


def _start_localstack(stack: ExitStack, environ: MutableMapping[str, str], console: Console) -> Callable[[], int | None]:
    """A LocalStack of our own, which every process of ours will use; how to ask whether it has ended."""
    port = environ.get("LOCALSTACK_PORT") or str(_LOCALSTACK_PORT)
    if not port.isdecimal():
        raise InvalidSettings(f"LOCALSTACK_PORT={port!r}: Expected a number; 0 takes any free port.")
    console.say("run", "starting LocalStack")
    localstack = LocalStack(int(port), on_log=lambda line: console.say("localstack", line) if line else None)
    text = f"stopped; stream and tables are forgotten, what was archived lies in {environ['ARCHIVE_TARGET']}"
    goes_on = ", and the next run goes on with it" if kept_in(environ) else ""
    stack.callback(lambda: console.say("run", text + goes_on))
    stack.enter_context(localstack)
    stack.callback(lambda: console.say("run", "stopping LocalStack"))
    # Our own environment, because boto3 looks for credentials there and our processes inherit it.
    environ.update(
        AWS_ENDPOINT_URL=localstack.endpoint,
        AWS_ENDPOINT_URL_DYNAMODB=localstack.dynamodb_endpoint,  # through LocalStack a call takes at least twice as long
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",  # noqa: S106  LocalStack takes any
        KCL_TIMING="local",
    )
    return lambda: localstack.wait(0)


def _start(stack: ExitStack, label: str, module: str, environ: Mapping[str, str], console: Console) -> Service:
    service = Service(label, module, environ, console)
    stack.callback(service.stop)
    return service


def _wait_until_ready(ready: Callable[[], bool], alive: Mapping[str, Callable[[], int | None]]) -> None:
    deadline = time.monotonic() + _READY_WAIT_S
    while not ready():
        _check(alive)
        if time.monotonic() > deadline:
            raise LocalStackError(f"not ready within {_READY_WAIT_S} s; the log above says why")
        time.sleep(_POLL_S)


def _check(alive: Mapping[str, Callable[[], int | None]]) -> None:
    for label, ended in alive.items():
        if (status := ended()) is not None:
            raise LocalStackError(f"{label} ended by itself with status {status}; stopping the rest")


def _serves(url: str, settings: Settings, names: ResourceNames, began_us: int) -> bool:
    """Whether a reading would be stored and counted: the API is ready, and every open shard has a projector at work."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/readyz", timeout=5):
            pass
    except (urllib.error.URLError, OSError):
        return False
    rows = fleet_stats(dynamodb_client(settings), names).shards
    at_work = {shard_id for shard_id, row in rows.items() if row.as_of_us >= began_us}
    return at_work >= {shard.shard_id for shard in list_shards(kinesis_client(settings), names.stream, names.place).open}


if __name__ == "__main__":
    sys.exit(main())
