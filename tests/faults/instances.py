"""Instances of our processes that are killed, stopped, and started again as an init system would."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.logs import log_lines
from tests.support.processes import children, free_port, start, stop
from tests.support.waiting import eventually


class Instance:
    """`python -m module`, which may be killed and started again."""

    def __init__(self, module: str, environ: Mapping[str, str], log: Path) -> None:
        self._module, self._environ, self.log = module, environ, log
        log.touch()
        self._log_began = log.stat().st_size
        self.start()

    def start(self) -> None:
        """Start it; it must not be running."""
        self.process = start(self._module, self._environ, self.log)

    def stop(self) -> int:
        """SIGTERM, and its exit status."""
        return stop(self.process)

    def kill(self) -> None:
        """kill -9 of this process alone."""
        self.process.kill()
        self.process.wait()


class Consumer(Instance):
    """One worker: its supervisor, KCL's daemon below it, and a record processor for each of its shards."""

    def __init__(self, environ: Mapping[str, str], log: Path, name: str = "worker-1") -> None:
        # Killed, it cannot remove its own files: they go with the test's.
        super().__init__("consumer", {**environ, "WORKER_ID": name, "TMPDIR": str(log.parent)}, log)
        self.name = name

    def daemon(self) -> int:
        """The process id of KCL's daemon, once there is one."""
        return eventually(lambda: _first(children(self.process.pid)), within_s=60)

    def processors(self) -> list[int]:
        """Those of the record processors, once there is one."""
        return eventually(lambda: _some(children(self.daemon())), within_s=60)

    def everything(self) -> list[int]:
        """All its processes, record processors first."""
        daemons = children(self.process.pid)
        return [*(child for daemon in daemons for child in children(daemon)), *daemons, self.process.pid]

    def signal(self, number: int, pids: list[int]) -> None:
        """Send a signal to those that are still there."""
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill_everything(self) -> None:
        """As when the machine goes: nobody is left to notice."""
        pids = self.everything()
        self.signal(signal.SIGSTOP, [self.process.pid])
        self.signal(signal.SIGKILL, pids)
        self.process.wait()

    def events(self) -> list[str]:
        """What it logged, in order; the log may hold what others logged before it."""
        return [line["event"] for line in log_lines(self.log, self._log_began)]

    def wait_for(self, event: str, times: int = 1, within_s: float = 60) -> None:
        """Until it has logged an event so many times."""

        def logged() -> None:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert self.events().count(event) >= times, self.log.read_text()[-3000:]

        eventually(logged, within_s)


class Api(Instance):
    """The API on a port it keeps when started again."""

    def __init__(self, environ: Mapping[str, str], log: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        super().__init__("producer_api", {**environ, "PORT": str(port)}, log)

    def kill_and_restart(self) -> None:
        """kill -9, and what an init system does then."""
        self.kill()
        self.start()

    def memory_mb(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def descriptors(self) -> int:
        """Files and connections that are open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


def restart_reasons(consumer: Consumer) -> list[str]:
    """Why its daemon was started anew, each time."""
    return [line["reason"] for line in log_lines(consumer.log) if line["event"] == "consumer_restarting"]


@contextmanager
def consuming(environ: Mapping[str, str], log: Path, name: str = "worker-1") -> Iterator[Consumer]:
    """A worker that is at work. It is stopped at the end, even if it stands still, unless it was killed."""
    consumer = Consumer(environ, log, name)
    try:
        consumer.wait_for("consumer_working", within_s=90)
        yield consumer
    finally:
        if consumer.process.poll() is None:
            consumer.signal(signal.SIGCONT, consumer.everything())
            consumer.stop()


@contextmanager
def serving(environ: Mapping[str, str], log: Path) -> Iterator[Api]:
    """An API; sensors may send at once, since they retry."""
    api = Api(environ, log)
    try:
        yield api
    finally:
        api.stop()


def _first(pids: list[int]) -> int:
    assert pids
    return pids[0]


def _some(pids: list[int]) -> list[int]:
    assert pids
    return pids
