"""`make setup` installs what is locked, down to KCL's jars and to what builds a package, or is not done."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.local import downloads
from tests.tidy.tree import ROOT

JARS = {"a.jar": "one", "b.jar": "two"}
FILES = ("Makefile", "pyproject.toml", "requirements/dev.txt", "requirements/build.txt", "infra/local/installing.list")
UV = """#!/bin/sh
echo "$*" >> calls
[ "$1 $2" != "pip sync" ] || cp -r built .venv/lib/python3.13/site-packages/amazon_kclpy/jars
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What `make setup` reads, in a folder of its own, and a uv that brings the jars of the folder `built`."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    sums = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in JARS.items())
    (tmp_path / "infra/images").mkdir()
    (tmp_path / "infra/images/kcl-jars.sha256").write_text(sums)
    (tmp_path / ".venv/lib/python3.13/site-packages/amazon_kclpy").mkdir(parents=True)
    (tmp_path / "built").mkdir()
    (tmp_path / "uv").write_text(UV)
    (tmp_path / "uv").chmod(0o755)
    return tmp_path


def set_up(tree: Path, jars: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`make setup` where these jars come with amazon_kclpy."""
    for name, text in jars.items():
        (tree / "built" / name).write_text(text)
    command = ["make", "setup", f"UV={tree}/uv"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def test_r06_with_the_locked_jars_it_is_done(tree: Path) -> None:
    """And what builds a package was held to its hashes, as it is in the images."""
    done = set_up(tree, JARS)
    assert done.returncode == 0, done.stderr
    assert (tree / ".venv/.ready").exists()
    [sync] = [call for call in (tree / "calls").read_text().splitlines() if call.startswith("pip sync")]
    assert "--require-hashes --build-constraints requirements/build.txt" in sync


@pytest.mark.parametrize("jars", [JARS | {"b.jar": "other"}, JARS | {"c.jar": "three"}, {"a.jar": "one"}])
def test_r06_with_another_jar_it_is_not_done_and_says_what_to_do(tree: Path, jars: dict[str, str]) -> None:
    """Another content, one more, one less."""
    done = set_up(tree, jars)
    assert done.returncode != 0
    assert not (tree / ".venv/.ready").exists()
    assert f"`{tree}/uv cache clean amazon-kclpy`" in done.stderr


def test_r06_what_builds_localstacks_packages_is_locked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of them come as sources alone."""
    ran: list[list[str]] = []
    monkeypatch.setattr(downloads, "_run", lambda command, **_: ran.append(command))
    monkeypatch.setattr(downloads, "find_uv", lambda: Path("uv"))
    downloads.ensure_environment("localstack", tmp_path)
    sync = ran[-1]
    assert sync[sync.index("--build-constraints") + 1] == str(ROOT / "requirements/build.txt")
