"""Starts and stops one LocalStack (Kinesis, DynamoDB and friends) on loopback, with nothing kept afterwards.

Responsible for its environment, readiness, log lines and end. Not responsible for installing it (downloads.py), nor
for streams and tables.
"""

import errno
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from infra.local.downloads import ensure_localstack
from infra.local.instance import environment, kinesis_port, make_root

KEEPER = Path(__file__).with_name("keeper.py")
LAUNCHER = Path(__file__).with_name("launcher.py")
HOST = "127.0.0.1"
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.1
LOG_LINES_SHOWN = 30
# LocalStack loads a service at its first call, so asking both at once loads them side by side.
FIRST_CALLS = {"kinesis": "Kinesis_20131202.ListStreams", "dynamodb": "DynamoDB_20120810.ListTables"}


class LocalStackError(Exception):
    """LocalStack did not start or stop; the message holds its last log lines, or names the fix."""


class PortTakenError(LocalStackError):
    """Another program listens on the port that was asked for."""


class LocalStack:
    """One LocalStack process tree, as a context manager or by start() and stop().

    `port` 0 means any free one. `on_log` gets every log line, without its end, from a thread of its own. To `calls_file` goes
    who called what: a line of JSON for each kind of call, as launcher.py describes them.
    After start(): `endpoint` is LocalStack's URL; `dynamodb_endpoint` and `kinesis_endpoint` are those of the emulators
    behind it, which answer faster and know neither accounts nor regions.
    """

    def __init__(self, port: int = 0, on_log: Callable[[str], None] | None = None, calls_file: Path | None = None) -> None:
        self.port = port
        self._calls_file = calls_file
        self._on_log = on_log or (lambda _: None)
        self._last_lines: deque[str] = deque(maxlen=LOG_LINES_SHOWN)
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._root = Path()
        self._dynamodb_port = 0

    @property
    def endpoint(self) -> str:
        """LocalStack's URL."""
        return f"http://{HOST}:{self.port}"

    @property
    def dynamodb_endpoint(self) -> str:
        """DynamoDB Local's own URL."""
        return f"http://{HOST}:{self._dynamodb_port}"

    @property
    def kinesis_endpoint(self) -> str:
        """kinesis-local's own URL."""
        return f"http://{HOST}:{kinesis_port(self._root)}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Install what is missing, start, and return once Kinesis and DynamoDB answer.

        Raises PortTakenError, LocalStackError (died or was not ready in time), DownloadError, MissingToolError.
        """
        home = ensure_localstack()
        self.port = free_port(self.port, "LOCALSTACK_PORT")
        self._dynamodb_port = free_port()
        self._root = make_root(home)
        keeper = [sys.executable, "-I", str(KEEPER), str(self._root)]
        self._process = subprocess.Popen(
            [*keeper, str(home.python), "-P", str(LAUNCHER)],
            env=environment(home, self._root, f"{HOST}:{self.port}", self._dynamodb_port, self._calls_file),
            cwd=self._root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C in a terminal is for the asker, who then stops us in order
        )
        self._reader = threading.Thread(target=self._read_log, name="localstack-log", daemon=True)
        self._reader.start()
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End LocalStack and everything it started, and remove its folder. Does nothing when it is not running."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        process.stdin.close()  # the keeper's sign to end everything
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise LocalStackError(f"LocalStack did not stop within {STOP_TIMEOUT_S:.0f} s; it was killed") from None
        finally:
            shutil.rmtree(self._root, ignore_errors=True)
        if self._reader:
            self._reader.join(timeout=1)

    def wait(self, timeout_s: float | None = None) -> int | None:
        """The exit code once LocalStack ends of itself; None while it runs after `timeout_s` seconds."""
        assert self._process is not None, "not started"
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def _read_log(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._last_lines.append(line.rstrip())
                self._on_log(line.rstrip())

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        self._poll(deadline, lambda: _responds(f"{self.endpoint}/_localstack/health"))
        with ThreadPoolExecutor(len(FIRST_CALLS)) as pool:
            for _ in pool.map(lambda service: self._poll(deadline, lambda: self._answers(service)), FIRST_CALLS):
                pass

    def _answers(self, service: str) -> bool:
        headers = {
            "X-Amz-Target": FIRST_CALLS[service],
            "Content-Type": "application/x-amz-json-1.1",
            "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, "
            "SignedHeaders=host, Signature=0",
        }
        return _responds(self.endpoint, headers, b"{}")

    def _poll(self, deadline: float, answers: Callable[[], bool]) -> None:
        while not answers():
            if (code := self.wait(POLL_S)) is not None:
                raise self._failure(f"LocalStack ended with code {code} while starting")
            if time.monotonic() > deadline:
                raise self._failure(f"LocalStack was not ready within {START_TIMEOUT_S:.0f} s")

    def _failure(self, what: str) -> LocalStackError:
        return LocalStackError("\n".join([f"{what}. Its last log lines:", *self._last_lines]))


def _responds(url: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> bool:
    """Whether the answer is a success. Proxies are for the internet, so the environment's are not used."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, body, headers or {}), timeout=START_TIMEOUT_S):
            return True
    except (OSError, urllib.error.URLError):
        return False


def free_port(port: int = 0, variable: str = "PORT", host: str = HOST) -> int:
    """`port` itself when nobody listens on it at any address of `host`, or some free port for 0.

    Raises PortTakenError, which names the variable that chooses another, and LocalStackError when `host` is not this machine.
    """
    for family, address in _addresses(host):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address[0], port, *address[2:]))
                port = int(probe.getsockname()[1])
        except (OSError, OverflowError) as error:
            number = error.errno if isinstance(error, OSError) else None
            if number in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise LocalStackError(f"HOST={host}: this machine has no address {address[0]}") from None
            taken = number == errno.EADDRINUSE
            why = "is in use by another program" if taken else f"cannot be used ({error})"
            stop = " or stop it" if taken else ""
            raise PortTakenError(f"port {port} {why}: choose another with {variable}=… (0: any){stop}") from None
    return port


def _addresses(host: str) -> list[tuple[int, tuple[Any, ...]]]:
    """Family and address of all that a server at `host` listens on."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise LocalStackError(f"HOST={host}: no address of this machine ({error})") from None
    return [(family, address) for family, _, _, _, address in found]
