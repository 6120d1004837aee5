"""A running API and what its process takes of the machine."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.processes import free_port, running
from tests.support.waiting import eventually


@dataclass(frozen=True)
class Server:
    """A running API."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def memory_mb(self) -> float:
        """What it holds of the machine's memory."""
        return int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())[0]) / 1024

    def descriptors(self) -> int:
        """How many files and connections it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def lives(self) -> None:
        """Asserts that others are served."""
        assert httpx.get(f"{self.url}/livez").status_code == 200


@contextmanager
def serving(environ: dict[str, str], log: Path) -> Iterator[Server]:
    """An API of which a test wants to know more than its address; at a port of the environment's, if it names one."""
    port = environ.get("PORT") or free_port()
    with running("producer_api", {**environ, "PORT": str(port)}, log) as process:
        server = Server(process, f"http://127.0.0.1:{port}", log)

        def answers() -> None:
            assert process.poll() is None, log.read_text()
            try:
                server.lives()
            except httpx.TransportError as error:
                raise AssertionError(log.read_text()) from error

        eventually(answers)
        yield server
