"""One LocalStack starts, answers, and leaves nothing behind. The first run downloads what it needs."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.downloads import LocalStackHome, ensure_localstack
from infra.local.instance import make_root
from infra.local.localstack import LocalStack, LocalStackError, PortTakenError

PROJECT = Path(__file__).parents[2]
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}
STARTER = """
import sys
from infra.local.localstack import LocalStack
localstack = LocalStack()
localstack.start()
print("started", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def home() -> LocalStackHome:
    """Everything installed."""
    return ensure_localstack()


@pytest.fixture
def folders(home: LocalStackHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which LocalStack's own folders are made during this test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def processes_naming(folder: Path) -> list[int]:
    """Living processes with `folder` in their command line or environment."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if _names(pid, folder)]


def _names(pid: int, folder: Path) -> bool:
    try:
        texts = [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
    except OSError:
        return False
    return any(f"{folder}/telemetry-localstack-".encode() in text for text in texts)


def _wait_for_end(process: int, timeout_s: float = 10) -> None:
    """A process's file descriptor becomes readable when the process ends."""
    assert select.select([process], [], [], timeout_s)[0], "still alive"
    os.close(process)


def listening_addresses(endpoint: str) -> set[str]:
    """The addresses on which somebody listens at the endpoint's port, as the kernel writes them."""
    port = f"{int(endpoint.rpartition(':')[2]):04X}"
    rows = [row.split() for table in ("tcp", "tcp6") for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return {address.partition(":")[0] for _, address, _, state, *_ in rows if state == "0A" and address.endswith(f":{port}")}


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_it_answers_on_loopback_and_leaves_no_process_and_no_folder(folders: Path) -> None:
    """Ready means that Kinesis and DynamoDB answer; stopped means that nothing of it is left. Log lines go to the callback."""
    lines: list[str] = []
    with LocalStack(on_log=lines.append) as localstack:
        assert len(processes_naming(folders)) == 4, "keeper, LocalStack, DynamoDB Local, kinesis-local"
        for endpoint in (localstack.endpoint, localstack.dynamodb_endpoint, localstack.kinesis_endpoint):
            assert listening_addresses(endpoint) <= LOOPBACK
    assert processes_naming(folders) == []
    assert list(folders.iterdir()) == []
    assert "Ready." in lines, "every line, without its end"


def test_nothing_outlives_a_parent_that_was_killed(folders: Path) -> None:
    """kill -9 of the process that started it ends Java, Node and LocalStack, and removes the folder."""
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTER], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    assert parent.stdout.readline() == "started\n"
    ends = [os.pidfd_open(pid) for pid in processes_naming(folders)]
    assert len(ends) >= 4
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    for end in ends:
        _wait_for_end(end)
    assert list(folders.iterdir()) == []
    parent.stdout.close()
    parent.stdin.close()


def test_a_taken_port_is_reported_with_its_fix(home: LocalStackHome, taken_port: int) -> None:
    """Before anything is started."""
    with pytest.raises(
        PortTakenError, match=f"port {taken_port} is in use by another program: choose another with LOCALSTACK_PORT="
    ):
        LocalStack(taken_port).start()


def test_an_early_death_is_reported_with_the_last_log_lines(
    folders: Path, home: LocalStackHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, not after the time-out, and nothing is left."""
    monkeypatch.setattr("infra.local.localstack.LAUNCHER", "no-such-file.py")
    with pytest.raises(LocalStackError, match=r"ended with code 2 while starting[\s\S]*no-such-file\.py"):
        LocalStack().start()
    assert list(folders.iterdir()) == []


def test_a_second_start_downloads_nothing(home: LocalStackHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """With everything installed, no program is run and no connection opened to find that out."""
    monkeypatch.setattr("infra.local.downloads._run", lambda *_, **__: pytest.fail("a program was run"))
    monkeypatch.setattr("infra.local.fetch.fetch", lambda *_: pytest.fail("a download was made"))
    assert ensure_localstack() == home


def test_each_instance_has_its_own_folder_of_links(folders: Path, home: LocalStackHome) -> None:
    """Two instances share what is installed and nothing else."""
    first, second = make_root(home), make_root(home)
    assert first != second
    links = {path.readlink() for root in (first, second) for path in root.rglob("*") if path.is_symlink()}
    assert links == {home.static_libs, home.dynamodb_local, home.kinesis_local}
