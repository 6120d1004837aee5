"""KCL's MultiLangDaemon as a child process: how it is started and how it is ended."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import amazon_kclpy

from consumer.child import PROCESSORS_VARIABLE
from consumer.composition import GENERATION_VARIABLE, PINNED_VARIABLE, STREAM_VARIABLE
from consumer.properties import SHUTDOWN_GRACE_S, heap_mb, render_properties
from telemetry.names import ResourceNames
from telemetry.processes import end_with_parent
from telemetry.settings import Settings

_MAIN_CLASS = "software.amazon.kinesis.multilang.MultiLangDaemon"
_LOGBACK = Path(__file__).with_name("logback.xml")
_JAVA = Path(__file__).with_name("java")
"""A class that KCL misses; its README tells why."""
_BEYOND_GRACE_S = 5


class Daemon:
    """One run of the daemon, with its files in `folder`, whose path must not hold a space (KCL splits commands at them).

    `shards` is how many there are: when all others are gone, it holds every one of them. `pinned` is one to a generation that
    need not be live.
    """

    def __init__(
        self,
        settings: Settings,
        names: ResourceNames,
        folder: Path,
        environ: Mapping[str, str],
        *,
        shards: int = 1,
        pinned: bool = False,
    ) -> None:
        self._processors = folder / "processors"
        self._processors.mkdir()
        child = folder / "record-processor"
        child.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -m consumer.child\n")
        child.chmod(0o755)
        properties = folder / "kcl.properties"
        properties.write_text(render_properties(settings, names, child))
        jars = Path(amazon_kclpy.__file__).parent / "jars"
        self._process = subprocess.Popen(
            [
                settings.java,
                f"-Xmx{heap_mb(shards)}m",
                # Java would go on without the thread that had no room; this way the supervisor starts it anew.
                "-XX:+ExitOnOutOfMemoryError",
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",  # else it leaves a file behind for every run
                "-XX:TieredStopAtLevel=1",
                f"-Dlogback.configurationFile={_LOGBACK}",
                f"-Xbootclasspath/a:{_JAVA}",
                "-cp",
                f"{jars}/*",
                _MAIN_CLASS,
                "--properties-file",
                str(properties),
            ],
            env={
                **environ,
                GENERATION_VARIABLE: str(names.generation),
                STREAM_VARIABLE: str(names.place.number),
                PINNED_VARIABLE: str(int(pinned)),
                PROCESSORS_VARIABLE: str(self._processors),
            },
            stdin=subprocess.DEVNULL,
            # A group of its own: a terminal's Ctrl-C reaches the supervisor alone, which then ends things in order, and
            # what a killed daemon leaves behind can be ended with it.
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509  it only makes a system call
        )

    @property
    def pid(self) -> int:
        """The daemon's process id, which is also its group's."""
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit status, or None while it runs."""
        return self._process.poll()

    def dead_processor(self) -> int | None:
        """The process id of a record processor that ended out of order. Java then takes its whole grace to follow it."""
        gone = (path for path in self._processors.iterdir() if not Path("/proc", path.name).exists())
        # Looked at twice: one that ends in order takes its trace away before it is gone.
        return next((int(path.name) for path in gone if path.exists()), None)

    def stop(self) -> int:
        """Ask it to shut down, so that every shard flushes and checkpoints; end it by force when it takes too long."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(SHUTDOWN_GRACE_S + _BEYOND_GRACE_S)
        except subprocess.TimeoutExpired:
            return self.kill()
        finally:
            self.kill()

    def kill(self) -> int:
        """End the daemon and every child it left behind, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()
