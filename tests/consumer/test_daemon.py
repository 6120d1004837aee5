"""The daemon's command and its end, with a shell script in java's place, in a folder with a space in its name."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consumer.child import PROCESSORS_VARIABLE
from consumer.composition import GENERATION_VARIABLE, STREAM_VARIABLE
from consumer.daemon import Daemon
from telemetry.names import ResourceNames
from telemetry.settings import Settings
from telemetry.streams import StreamPlace
from tests.support.waiting import eventually

NAMES = ResourceNames("telemetry-test", 3, StreamPlace(2))

type Start = Callable[[str], Daemon]

WAITS = """
trap 'echo asked > "$0.asked"; exit 7' TERM
touch "$0.ready"
while :; do sleep 0.05; done
"""


@pytest.fixture
def java(tmp_path: Path) -> Path:
    """Where the script stands that plays java's part; what it writes lies beside it."""
    folder = tmp_path / "a folder with spaces"
    folder.mkdir()
    return folder / "java"


@pytest.fixture
def start(java: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts a daemon whose java is a shell script with this body."""
    started: list[Daemon] = []

    def begin(body: str) -> Daemon:
        java.write_text(f"#!/bin/sh\n{body}\n")
        java.chmod(0o755)
        run = tmp_path / "run"
        run.mkdir()
        started.append(Daemon(Settings(java=str(java)), NAMES, run, os.environ))
        return started[-1]

    yield begin
    for daemon in started:
        daemon.kill()


def written(java: Path, suffix: str) -> str:
    """What the script wrote to a file beside it, once it has."""

    def read() -> str:
        path = Path(f"{java}.{suffix}")
        assert path.exists()
        text = path.read_text()
        assert text.endswith("\n")
        return text

    return eventually(read)


def ended(daemon: Daemon) -> int:
    def status() -> int:
        found = daemon.poll()
        assert found is not None
        return found

    return eventually(status)


def test_java_runs_kcls_main_class_with_our_properties(start: Start, java: Path, tmp_path: Path) -> None:
    """The command names KCL's jars, its class and the properties file; children are told generation and stream."""
    daemon = start(f'printf "%s\\n" "$@" > "$0.arguments"; echo "${GENERATION_VARIABLE} ${STREAM_VARIABLE}" > "$0.works-on"')
    assert ended(daemon) == 0
    arguments = written(java, "arguments").splitlines()
    properties = tmp_path / "run" / "kcl.properties"
    assert arguments[-3:] == ["software.amazon.kinesis.multilang.MultiLangDaemon", "--properties-file", str(properties)]
    jars = Path(arguments[arguments.index("-cp") + 1])
    assert jars.name == "*"
    assert list(jars.parent.glob("amazon-kinesis-client-multilang-*.jar"))
    (added,) = [Path(text.partition(":")[2]) for text in arguments if text.startswith("-Xbootclasspath/a:")]
    assert (added / "javax/xml/bind/DatatypeConverter.class").exists()
    (logging,) = [Path(text.partition("=")[2]) for text in arguments if text.startswith("-Dlogback.configurationFile=")]
    assert logging.is_file()
    assert written(java, "works-on") == "3 2\n"


def test_s08_the_heap_is_for_every_shard_and_java_ends_when_it_runs_out(tmp_path: Path) -> None:
    """A worker may have to hold all of them. Without its memory java would go on half dead."""
    java = tmp_path / "java"
    java.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$0.arguments"\n')
    java.chmod(0o755)
    heaps = []
    for shards in (1, 2, 8):
        run = tmp_path / f"run-{shards}"
        run.mkdir()
        daemon = Daemon(Settings(java=str(java)), NAMES, run, os.environ, shards=shards)
        assert ended(daemon) == 0
        arguments = Path(f"{java}.arguments").read_text().splitlines()
        assert "-XX:+ExitOnOutOfMemoryError" in arguments
        heaps += [argument for argument in arguments if argument.startswith("-Xmx")]
    assert heaps == ["-Xmx320m", "-Xmx320m", "-Xmx896m"]


def test_the_executable_starts_a_child_by_one_word(start: Start, tmp_path: Path) -> None:
    """KCL splits the command at spaces, so it is a script without any in its path, and it runs consumer.child."""
    start("exit 0")
    properties = dict(line.split(" = ") for line in (tmp_path / "run" / "kcl.properties").read_text().splitlines())
    executable = properties["executableName"]
    assert len(executable.split()) == 1
    child = subprocess.run([executable], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    assert (child.returncode, child.stdout) == (0, b"")
    assert "-m consumer.child" in Path(executable).read_text()


def test_h08_stopping_asks_first(start: Start, java: Path) -> None:
    """SIGTERM reaches java itself, which ends in its own time with its own status."""
    daemon = start(WAITS)
    eventually(lambda: _exists(java, "ready"))
    assert daemon.poll() is None
    assert daemon.stop() == 7
    assert written(java, "asked") == "asked\n"


def test_a_daemon_that_does_not_end_is_killed(start: Start, java: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ignores SIGTERM beyond its grace is ended by force."""
    monkeypatch.setattr("consumer.daemon.SHUTDOWN_GRACE_S", 0)
    monkeypatch.setattr("consumer.daemon._BEYOND_GRACE_S", 0.1)
    daemon = start("trap '' TERM; touch \"$0.ready\"; while :; do sleep 0.05; done")
    eventually(lambda: _exists(java, "ready"))
    assert daemon.stop() == -9


@pytest.mark.parametrize("orderly", [False, True], ids=["after its end", "when stopped"])
def test_children_that_a_daemon_leaves_behind_are_ended(start: Start, java: Path, orderly: bool) -> None:
    """The daemon has a group of its own, and what is left of the group is killed with it."""
    daemon = start('sleep 600 & echo $! > "$0.child"\n' + (WAITS if orderly else "exit 3"))
    child = int(written(java, "child"))
    if orderly:
        eventually(lambda: _exists(java, "ready"))
        assert daemon.stop() == 7
    else:
        assert ended(daemon) == 3
        assert _lives(child)
        daemon.kill()

    def gone() -> None:
        assert not _lives(child)

    eventually(gone)


def test_the_daemon_has_a_group_of_its_own(start: Start) -> None:
    """A terminal's Ctrl-C reaches the supervisor alone, which then ends things in order."""
    daemon = start(WAITS)
    assert os.getpgid(daemon.pid) == daemon.pid != os.getpgrp()


def _exists(java: Path, suffix: str) -> None:
    assert Path(f"{java}.{suffix}").exists()


def _lives(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip() != "" and not state.startswith("Z")


def test_h06_a_processor_that_died_is_told_from_one_that_ended_in_order(start: Start, java: Path, tmp_path: Path) -> None:
    """Each leaves a trace, and takes it away when the daemon closes its standard input."""
    daemon = start(f'echo "${PROCESSORS_VARIABLE}" > "$0.folder"\n{WAITS}')
    environ = {**os.environ, PROCESSORS_VARIABLE: written(java, "folder").strip()}
    command = [str(tmp_path / "run" / "record-processor")]
    orderly, killed = (subprocess.Popen(command, env=environ, stdin=subprocess.PIPE) for _ in range(2))
    traces = Path(environ[PROCESSORS_VARIABLE])

    def both() -> None:
        assert len(list(traces.iterdir())) == 2

    eventually(both)
    assert daemon.dead_processor() is None
    orderly.communicate()
    assert daemon.dead_processor() is None
    killed.kill()
    killed.communicate()
    assert daemon.dead_processor() == killed.pid
