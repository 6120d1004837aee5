"""What is downloaded is right, whole, and downloaded once."""

import hashlib
import io
import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.local import downloads, tools
from infra.local.downloads import install_once
from infra.local.fetch import (
    ChecksumMismatchError,
    DownloadError,
    LockedFile,
    Progress,
    fetch,
    fetch_all,
    parse_lock,
)

CONTENT = b"a jar" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A Maven repository in a folder, holding g:a:1."""
    jar = tmp_path / "repository" / "g" / "a" / "1" / "a-1.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(CONTENT)
    return tmp_path / "repository"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where downloads are kept."""
    folder = tmp_path / "kept"
    folder.mkdir()
    return folder


def quiet(files_total: int = 1) -> Progress:
    return Progress("test", files_total, io.StringIO())


def test_a_file_with_the_locked_checksum_is_kept(repository: Path, folder: Path) -> None:
    """What arrives is the file, and nothing else."""
    fetch_all(repository.as_uri(), [LockedFile("g/a/1/a-1.jar", SHA256)], folder, quiet())
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"a-1.jar": CONTENT}


def test_a_file_with_another_checksum_is_refused_and_not_kept(repository: Path, folder: Path) -> None:
    """An altered file never gets the name under which it would count."""
    with pytest.raises(ChecksumMismatchError, match=r"a-1\.jar was refused"):
        fetch_all(repository.as_uri(), [LockedFile("g/a/1/a-1.jar", "0" * 64)], folder, quiet())
    assert list(folder.iterdir()) == []


def test_a_transfer_that_is_cut_leaves_nothing_that_counts_as_present(folder: Path) -> None:
    """A server that closes early is an error that names the fix, and leaves no file."""

    class Cut(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:10])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Cut) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(DownloadError, match="MAVEN_REPO_URL"):
            fetch(f"http://127.0.0.1:{server.server_port}/a-1.jar", SHA256, folder / "a-1.jar", quiet())
        server.shutdown()
    assert list(folder.iterdir()) == []


def test_r01_r03_a_repository_that_wants_a_password_gets_it_and_nobody_else(folder: Path) -> None:
    """As MAVEN_REPO_URL holds it in some offices; no error shows it."""
    asked: list[tuple[str | None, str | None]] = []

    class Guarded(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.headers["Host"], self.headers["Authorization"]))
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_port}"
        with pytest.raises(DownloadError, match="401") as refused:
            fetch(f"http://somebody:hid%2Fden@{host}/a-1.jar", SHA256, folder / "a-1.jar", quiet())
        server.shutdown()
    assert set(asked) == {(host, "Basic " + b64encode(b"somebody:hid/den").decode())}
    assert "hid" not in str(refused.value)


def test_an_interrupted_installation_is_done_again(folder: Path) -> None:
    """Only a finished folder counts, however the first attempt ended."""
    attempts: list[Path] = []

    def build(target: Path) -> None:
        attempts.append(target)
        if len(attempts) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install_once(folder / "thing", build)
    for _ in range(2):
        install_once(folder / "thing", build)
    assert len(attempts) == 2


def test_two_at_once_install_once(folder: Path) -> None:
    """The second waits for the first and finds its work done."""
    builds: list[Path] = []
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: install_once(folder / "thing", builds.append), range(8)))
    assert len(builds) == 1


def test_lock_lines_name_files_of_a_maven_repository() -> None:
    """Classifier and extension are optional; comments and blank lines are skipped."""
    lock = "# comment\n\na.b:c:1.0 11\na.b:c:1.0:linux 22\na.b:d:2/so 33\n"
    assert [file.path for file in parse_lock(lock)] == [
        "a/b/c/1.0/c-1.0.jar",
        "a/b/c/1.0/c-1.0-linux.jar",
        "a/b/d/2/d-2.so",
    ]


@pytest.mark.parametrize("line", ["a:b:1", "a:b 11", "a:b:1 11 22"])
def test_a_malformed_lock_line_is_refused(line: str) -> None:
    """The message shows the line."""
    with pytest.raises(DownloadError, match=line):
        parse_lock(line)


def test_our_lock_files_name_no_hosts() -> None:
    """Where things come from is each machine's own setting."""
    files = [*downloads.HERE.glob("*.lock"), *downloads.HERE.glob("*.txt"), *downloads.HERE.glob("*/*.json")]
    assert len(files) == 10
    assert [file.name for file in files if "://" in file.read_text()] == []


def test_a_missing_uv_is_reported_with_its_fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither UV nor PATH nor python's own folder has it."""
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(tools.MissingToolError, match="pip install uv"):
        tools.find_uv()


@pytest.mark.parametrize(("version", "found"), [("1.8.0_402", False), ("11.0.2", False), ("17.0.15", True), ("25", True)])
def test_only_a_java_that_is_new_enough_counts(
    version: str, found: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The version is read from the file `release` of the Java home."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.touch(0o755)
    (tmp_path / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(java.parent))
    assert tools.find_java() == (java if found else None)


def test_progress_off_a_terminal_is_two_lines() -> None:
    """A first and a last line, however many files and chunks there are."""
    out = io.StringIO()
    progress = Progress("jars", 2, out)
    for _ in range(2):
        progress.add(500_000)
        progress.add(0, files=1)
    assert out.getvalue() == "jars: 0/2 files, 0.0 MB\njars: 2/2 files, 1.0 MB\n"
