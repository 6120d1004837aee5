"""`make run`: what the whole of it does is tested in tests/end_to_end/."""

import io
import os
import re
import signal
import socket
from collections.abc import Iterator

import pytest

from infra.local import run
from infra.local.console import Console
from infra.local.localstack import LocalStackError, PortTakenError, free_port
from telemetry.errors import InvalidSettings
from telemetry.settings import Settings
from tests.tidy.tree import ROOT


@pytest.fixture
def signals() -> Iterator[None]:
    """Handlers are as they were, afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
def test_a_signal_stops_it_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also within a call that takes any exception for a failure and tries again, as boto3's do."""

    def ask(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("it went on")

    monkeypatch.setattr(run, "_run", ask)
    assert run.main() == 0
    assert not issubclass(run._StopError, Exception)


KEYS = {"AWS_ACCESS_KEY_ID": "AKIA0", "AWS_SECRET_ACCESS_KEY": "a secret", "AWS_SESSION_TOKEN": "a secret"}


def test_r03_keys_that_this_run_did_not_make_are_not_shown() -> None:
    """With AWS elsewhere the replay is told where it is, and finds the keys where this run found them."""
    environ = {**KEYS, "AWS_ENDPOINT_URL": "https://aws.example", "AWS_REGION": "eu-west-1", "PREFIX": "p"}
    shown = run.ready("http://127.0.0.1:8080", environ, elsewhere=True, proxied=False)
    assert "  AWS_ENDPOINT_URL=https://aws.example PREFIX=p AWS_REGION=eu-west-1 .venv/bin/telemetry replay\n" in shown
    assert not [value for value in KEYS.values() if value in shown]


def test_r03_the_keys_of_its_own_localstack_are_shown() -> None:
    """And where it archives; the replay takes nothing else of the shell."""
    environ = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}
    environ["ARCHIVE_TARGET"] = "/its/archive"
    shown = run.ready("http://127.0.0.1:8080", environ, elsewhere=False, proxied=False)
    places = "AWS_ENDPOINT_URL=http://127.0.0.1:4566 ARCHIVE_TARGET=/its/archive"
    words = f"{places} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test"
    assert f"  env -i {words} .venv/bin/telemetry replay\n" in shown


def test_r03_an_address_that_holds_a_password_is_refused_without_showing_it() -> None:
    """Errors of every process would show it."""
    environ = {"AWS_ENDPOINT_URL": "https://user:hidden@aws.example"}
    with pytest.raises(InvalidSettings, match="AWS_ENDPOINT_URL holds an @") as refused:
        run._run(environ, Console())
    assert "hidden" not in str(refused.value)


def test_r01_a_terminal_without_unicode_stops_nothing() -> None:
    """Python takes the terminal's encoding from LANG or LC_ALL."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    Console(out).say("run", "making stream and tables p-…")
    out.seek(0)
    assert out.read() == "       run | making stream and tables p-?\n"


def test_r01_where_curl_asks_a_proxy_it_is_told_not_to() -> None:
    """Else the first command somebody types in an office fails."""
    shown = run.ready("http://127.0.0.1:8080", {}, elsewhere=False, proxied=True)
    assert re.findall(r"^  (curl .*?)http", shown, re.MULTILINE) == ["curl --noproxy '*' -X PUT ", "curl --noproxy '*' "]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("localhost", "http://localhost:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::1", "http://[::1]:80"),
        ("::", "http://[::1]:80"),
        ("0:0:0:0:0:0:0:0", "http://[::1]:80"),
        ("192.0.2.7", "http://192.0.2.7:80"),
    ],
)
def test_r05_the_url_to_open_is_one_that_can_be_opened(host: str, url: str) -> None:
    """Brackets around IPv6; loopback's address for a server at every address."""
    assert run.url_to_open(host, 80) == url


def test_r05_urls_with_brackets_are_quoted_for_shells() -> None:
    """Some take brackets for a pattern of file names."""
    shown = run.ready("http://[::1]:80", {}, elsewhere=False, proxied=False)
    assert "curl 'http://[::1]:80/api/stats'" in shown


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_r05_a_port_is_looked_for_at_the_host_that_was_asked_for() -> None:
    """One that is taken at ::1 is free at 127.0.0.1."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"port {port} is in use"):
            free_port(port, "PORT", "::1")
        assert free_port(port, "PORT", "127.0.0.1") == port


def test_what_runs_here_is_archived_in_a_folder_of_its_prefix() -> None:
    """Every few seconds; a shell that says otherwise is heard."""
    environ: dict[str, str] = {}
    run.archive_here(environ, Settings(prefix="p-1"))
    assert environ == {"ARCHIVE_TARGET": str(ROOT / ".local" / "data" / "p-1"), "ARCHIVE_INTERVAL_S": "5"}
    named = {"ARCHIVE_TARGET": "s3://a-bucket", "ARCHIVE_INTERVAL_S": "60"}
    run.archive_here(named, Settings(prefix="p-1"))
    assert named == {"ARCHIVE_TARGET": "s3://a-bucket", "ARCHIVE_INTERVAL_S": "60"}


@pytest.mark.parametrize("prefix", [".", ".."])
def test_a_prefix_that_is_no_folder_of_its_own_is_refused(prefix: str) -> None:
    """It would mix with what others keep."""
    with pytest.raises(InvalidSettings, match=r"^PREFIX=\.+: "):
        run.archive_here({}, Settings(prefix=prefix))


@pytest.mark.parametrize("host", ["192.0.2.7", "[::1]"])
def test_r05_a_host_that_is_not_this_machine_is_named(host: str) -> None:
    """Before anything is started."""
    with pytest.raises(LocalStackError, match=f"^HOST={re.escape(host)}: "):
        free_port(0, "PORT", host)
