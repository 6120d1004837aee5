"""The README's commands, run as they stand: `make run`, both curl calls and the replay, then Ctrl-C's signal."""

import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.downloads import ensure_localstack
from tests.support.processes import free_port
from tests.support.waiting import eventually
from tests.tidy.tree import ROOT

README = (ROOT / "README.md").read_text()
IPV6 = Path("/proc/net/if_inet6").exists() and "lo" in Path("/proc/net/if_inet6").read_text()
"""Whether loopback has an IPv6 address; where it has, HOST=::1 is tried, as the harder case."""


LEFTOVERS = {
    **dict.fromkeys(("HTTP_PROXY", "https_proxy"), "http://127.0.0.1:9"),
    **dict.fromkeys(("AWS_ENDPOINT_URL_KINESIS", "AWS_ENDPOINT_URL_DYNAMODB"), "http://127.0.0.1:9"),
    "AWS_PROFILE": "gone",
    "AWS_REGION": "mars",
    "AWS_SECRET_ACCESS_KEY": "a secret",
    "AWS_SESSION_TOKEN": "a secret",
    "AWS_MAX_ATTEMPTS": "many",
    "AWS_CA_BUNDLE": "/nowhere",
    "PYTHONPATH": "/nowhere",
    "PYTHONHOME": "/nowhere",
    "PYTHONWARNINGS": "error",
    "JAVA_TOOL_OPTIONS": "-Xmx1k",
    "JDK_JAVA_OPTIONS": "-Xmx1k",
    "NODE_OPTIONS": "--require /nowhere",
    "WEB_CONCURRENCY": "3",
    "LC_ALL": "C",
}
"""What the shell of somebody with other work in it may hold; each of these alone would keep the pipeline from its work."""


class MakeRun:
    """`make run` on free ports."""

    def __init__(self, log: Path, environ: dict[str, str]) -> None:
        self.port, self.localstack_port, self.log, self.environ = free_port(), free_port(), log, environ
        leftovers = {**environ, **LEFTOVERS}
        self.address = f"[::1]:{self.port}" if IPV6 else f"127.0.0.1:{self.port}"
        ports = [f"PORT={self.port}", f"LOCALSTACK_PORT={self.localstack_port}", "DEMO=1", *(["HOST=::1"] if IPV6 else [])]
        with log.open("w") as out:
            self.process = subprocess.Popen(["make", "run", *ports], cwd=ROOT, env=leftovers, stdout=out, stderr=out)

    def shows(self, text: str) -> None:
        """Assert that the text has been printed."""
        assert text in self.log.read_text(), self.log.read_text()

    def adapt(self, command: str) -> str:
        """A command of the README with this run's ports."""
        return command.replace("127.0.0.1:8080", self.address).replace("4566", str(self.localstack_port))


@pytest.fixture(scope="module")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeRun]:
    """A `make run` that is ready, in a shell full of leftovers."""
    from os import environ

    ensure_localstack()  # the leftovers' proxy is for what installs, too
    own = {name: value for name, value in environ.items() if not name.startswith(("AWS_", "MAKE", "MFLAGS"))}
    folder = tmp_path_factory.mktemp("run")
    run = MakeRun(folder / "run.log", {**own, "PREFIX": "readme", "ARCHIVE_TARGET": str(folder / "archive")})
    eventually(lambda: run.shows("Ready. Open"), within_s=120)
    yield run
    if run.process.poll() is None:
        run.process.send_signal(signal.SIGTERM)
        run.process.wait(60)


def console_blocks() -> list[tuple[str, str]]:
    """Every command of the README's console blocks and the output shown under it."""
    text = "\n".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL))
    return [(command, output) for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).+\n)*)", text, re.MULTILINE)]


def test_the_commands_print_what_the_readme_shows(make_run: MakeRun) -> None:
    """Each in turn; the numbers may be those of the simulated sensors too, so stats are compared by their keys."""
    blocks = console_blocks()
    assert len(blocks) == 3
    for command, shown in blocks:
        words = shlex.split(make_run.adapt(command))
        done = subprocess.run(
            ["env", *words], cwd=ROOT, env=make_run.environ, capture_output=True, text=True, timeout=60, check=True
        )
        if "Maximum" in shown:
            assert re.findall(r'"(\w+)":', done.stdout) == ["Maximum", "Minimum", "Average"]
        elif shown:
            assert done.stdout == shown
        else:
            assert '"subject":"202"' in done.stdout


def test_r01_r02_r03_what_it_prints_holds_no_secret_of_the_shell(make_run: MakeRun) -> None:
    """It is ready whatever the shell held, and of keys it shows those of its own LocalStack alone."""
    make_run.shows("AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test")
    assert "a secret" not in make_run.log.read_text()


def test_r01_r02_the_replay_it_prints_works_in_such_a_shell(make_run: MakeRun) -> None:
    """As it stands; it names the prefix as well."""
    [replay] = re.findall(r"^  (.* \.venv/bin/telemetry replay)$", make_run.log.read_text(), re.MULTILINE)
    done = subprocess.run(
        ["sh", "-c", replay], cwd=ROOT, env={**make_run.environ, **LEFTOVERS}, capture_output=True, timeout=60, check=True
    )
    assert b'"subject":"202"' in done.stdout


def test_demo_sensors_send_readings(make_run: MakeRun) -> None:
    """DEMO=1 fills the statistics by itself."""

    def warm() -> None:
        url = f"http://{make_run.address}/api/stats"
        stats = subprocess.run(["curl", "-s", url], capture_output=True, text=True, check=True).stdout
        assert "null" not in stats, stats

    eventually(warm)


def test_a_signal_stops_everything_it_started_in_order(make_run: MakeRun) -> None:
    """Sensors and API first, then consumer and archiver, then LocalStack; and it says what is forgotten and what is kept."""
    make_run.process.send_signal(signal.SIGTERM)
    make_run.process.wait(60)
    log = make_run.log.read_text()
    order = [log.index(f"stopping {label}") for label in ("sensors", "api", "consumer", "archiver", "LocalStack")]
    assert order == sorted(order), log
    archived = make_run.environ["ARCHIVE_TARGET"]
    make_run.shows(f"stream and tables are forgotten, what was archived lies in {archived}")
    assert list(Path(archived).rglob("*.ndjson.gz"))
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(make_run.localstack_port) not in listed
    assert "readme-projector" not in listed


def test_a_taken_port_is_named_with_its_fix(make_run: MakeRun) -> None:
    """Before anything is started."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            ["make", "run", f"PORT={port}"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode != 0
    assert f"port {port} is in use by another program: choose another with PORT=" in done.stdout
