"""Finds the programs the local platform runs with: uv, java, node.

Responsible for looking on PATH and judging versions. Not responsible for fetching what is missing; see downloads.py.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from infra.local.environment import machine

JAVA_VERSION_MIN = 17  # DynamoDB Local 3 needs it
NODE_VERSION_MIN = 20  # the first of which every one takes --max-semi-space-size from NODE_OPTIONS


class MissingToolError(Exception):
    """A program is missing and could not be fetched; the message names the fix."""


def find_uv() -> Path:
    """The uv named by the environment variable UV (uv itself sets it for what it runs), on PATH, or beside python."""
    found = os.environ.get("UV") or shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    if not os.access(found, os.X_OK):
        raise MissingToolError("uv not found: `pip install uv`, or set UV to the path of the uv program")
    return Path(found)


def find_java() -> Path | None:
    """A java of version 17 or newer from JAVA_HOME or PATH; None when there is none."""
    home = os.environ.get("JAVA_HOME")
    candidates = [str(Path(home) / "bin" / "java")] if home else []
    candidates.append("java")
    for candidate in candidates:
        found = shutil.which(candidate)
        if found and _java_version(Path(found)) >= JAVA_VERSION_MIN:
            return Path(found).resolve()
    return None


def find_node_bin() -> Path | None:
    """The folder on PATH that has node 20 or newer and npm; None when there is none."""
    node = shutil.which("node")
    if not node or not (Path(node).parent / "npm").exists():
        return None
    return Path(node).parent if _first_number([node, "--version"]) >= NODE_VERSION_MIN else None


def npm_command(node_bin: Path) -> list[str]:
    """npm's own program file where it lies beside node: the wheel's bin/npm is a copy that does not find the rest."""
    program = node_bin.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(node_bin / "node"), str(program)] if program.exists() else [str(node_bin / "npm")]


def _java_version(java: Path) -> int:
    """The major version. The file `release` of a Java home says it without the 0.1 s that starting a JVM takes."""
    release = java.resolve().parent.parent / "release"
    if release.is_file() and (found := re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.MULTILINE)):
        return int(found[1])
    return _first_number([str(java), "-version"])


def _first_number(command: list[str]) -> int:
    """The first number a program prints about itself, or 0 when it does not run."""
    try:
        # JAVA_TOOL_OPTIONS would come first in what java says, and NODE_OPTIONS may keep node from starting.
        done = subprocess.run(
            command,
            check=False,
            env=machine(os.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"\d+", done.stdout) if done.returncode == 0 else None
    return int(found[0]) if found else 0
