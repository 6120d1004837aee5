"""Looks at the machine that this runs on: java, KCL's jars, and who listens at a port."""

import hashlib
import http.client
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from operations.surroundings import JavaSeen, Listener, PortSeen

_PATIENCE_S: Final = 2.0
_BODY_BYTES_MAX: Final = 1_000_000
_OURS: Final = {"/livez": b'{"status":"ok"}', "/metrics": b"telemetry_"}
"""What is in the answers of ours."""


def look_at_java(program: str, lock: Path, jars: Path | None = None) -> JavaSeen:
    """The java of this name, and the jars; `lock` has a SHA-256 and a name a line. Raises OSError."""
    locked = {name: sha256 for sha256, name in (line.split() for line in lock.read_text().splitlines())}
    folder = jars or _kcls_jars()
    there = {path.name: path for path in folder.glob("*.jar")} if folder else {}
    other = [name for name, path in there.items() if locked.get(name) != hashlib.sha256(path.read_bytes()).hexdigest()]
    return JavaSeen(program, java_version(program), len(there), sorted(locked.keys() - there.keys()), sorted(other))


def java_version(program: str) -> int | None:
    """The major version of the java of this name; 0 when it does not run, None when there is none."""
    return None if (found := shutil.which(program)) is None else _version(found)


def look_at_ports(host: str, wanted: Sequence[tuple[str, int, str]]) -> list[PortSeen]:
    """Who listens at these: setting, port (0 for none), and the path that ours answer there."""
    return [PortSeen(setting, port, _listener(host, port, path)) for setting, port, path in wanted if port]


def _listener(host: str, port: int, path: str) -> Listener:
    connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        ours = answer.status == 200 and _OURS[path] in answer.read(_BODY_BYTES_MAX)
        return Listener.OURS if ours else Listener.OTHER
    except ConnectionRefusedError:
        return Listener.NOBODY
    except (OSError, http.client.HTTPException):
        return Listener.OTHER
    finally:
        connection.close()


def _kcls_jars() -> Path | None:
    """Where the package keeps them, which nobody but the consumer imports."""
    spec = importlib.util.find_spec("amazon_kclpy")
    return Path(spec.origin).parent / "jars" if spec and spec.origin else None


def _version(java: str) -> int:
    """The major version; 0 when it does not run."""
    # What these hold would come first in what java says.
    environ = {name: value for name, value in os.environ.items() if name not in {"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS"}}
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=10, env=environ)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"\d+", done.stderr + done.stdout) if done.returncode == 0 else None
    return int(found[0]) if found else 0
