"""Builds the images without Docker: the Dockerfile's own steps, carried out in folders that stand for the stages' file systems.

Not a substitute for Docker: there is no base image, no other root and no other user. The interpreter is the tests' own, and
paths of the image become paths below a stage's folder.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.environment import installing
from tests.tidy.tree import ROOT, tracked_files

DOCKERFILE = ROOT / "infra/images/Dockerfile"
_PATH = re.compile(r"(?<![\w./-])/(?:opt|build)\b")


@dataclass
class Instruction:
    """One instruction, continuation lines joined."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The words after the instruction's name; those of a JSON list when it is one (exec form)."""
        parsed: list[str] = json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)
        return parsed


@dataclass
class Stage:
    """FROM `base` AS `name`, and what follows."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def last(self, name: str) -> Instruction | None:
        """The last instruction of that name: the one that counts for CMD, ENTRYPOINT, HEALTHCHECK and USER."""
        return next((found for found in reversed(self.instructions) if found.name == name), None)


def parse(text: str) -> dict[str, Stage]:
    """The stages by name."""
    stages: dict[str, Stage] = {}
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", "\n \x00")
    for entry in re.split(r"\n(?! \x00)", lines):
        if not (joined := " ".join(entry.replace("\n \x00", " ").split())):
            continue
        name, _, rest = joined.partition(" ")
        if name == "FROM":
            base, _, stage = rest.partition(" AS ")
            current = stages[stage] = Stage(base, stage)
        else:
            current.instructions.append(Instruction(name, rest))
    return stages


def context(folder: Path) -> Path:
    """A copy of what `.dockerignore` lets through: the last line that matches a file or a folder above it decides."""
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    for path in tracked_files():
        names = [str(path), *map(str, path.parents[:-1])]
        allowed = True
        for rule in rules:
            pattern = rule.removeprefix("!")
            if any(fnmatch.fnmatchcase(name, pattern) for name in names):
                allowed = rule.startswith("!")
        if allowed:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, folder / path)
    return folder


class Builder:
    """Carries out stages below a folder, each once."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._context = folder, context(folder / "context")
        self._stages = parse(DOCKERFILE.read_text())
        self._environ: dict[str, dict[str, str]] = {}

    def build(self, name: str) -> Path:
        """The folder of a stage, which stands for the root of its file system."""
        root = self._folder / name
        if name in self._environ:
            return root
        stage = self._stages[name]
        if stage.base in self._stages:
            shutil.copytree(self.build(stage.base), root, symlinks=True)
            self._environ[name] = dict(self._environ[stage.base])
        else:
            root.mkdir()
            self._environ[name] = self._base_environ(root)
        workdir = root
        for instruction in stage.instructions:
            if instruction.name == "WORKDIR":
                workdir = root / instruction.text.lstrip("/")
                workdir.mkdir(parents=True, exist_ok=True)
            elif instruction.name == "ENV":
                pairs = (pair.partition("=") for pair in instruction.words)
                self._environ[name] |= {key: self._inside(root, value) for key, _, value in pairs if key != "PATH"}
            elif instruction.name == "COPY":
                self._copy(instruction.words, workdir, root)
            elif instruction.name == "RUN":
                self._run(instruction.text, workdir, root, self._environ[name])
        return root

    def environ(self, name: str) -> dict[str, str]:
        """The variables a stage sets."""
        return self._environ[name]

    def instruction(self, name: str, of: str) -> Instruction:
        """The last instruction of that name in a stage or those it is built from."""
        stage = self._stages[of]
        found = stage.last(name)
        return found or self.instruction(name, stage.base)

    def command(self, name: str, words: list[str]) -> list[str]:
        """A command of the image as it is run outside of it."""
        assert words[0] == "python"
        return [str(self._folder / name / "opt/venv/bin/python"), *words[1:]]

    def _base_environ(self, root: Path) -> dict[str, str]:
        programs = root / "usr/local/bin"
        programs.mkdir(parents=True)
        (programs / "python").symlink_to(Path(sys.executable).resolve())
        with installing():
            passed = dict(os.environ)
        return {**passed, "PATH": f"{programs}:{os.environ['PATH']}", "LANG": "C.UTF-8"}

    @staticmethod
    def _inside(root: Path, text: str) -> str:
        return _PATH.sub(lambda path: f"{root}{path[0]}", text)

    def _copy(self, words: list[str], workdir: Path, root: Path) -> None:
        source = self._context
        if words[0].startswith("--from="):
            source = self.build(words[0].removeprefix("--from="))
            words = words[1:]
        *names, target = words
        into = root / target.lstrip("/") if target.startswith("/") else workdir / target
        for name in names:
            found = source / name.lstrip("/")
            if found.is_dir():
                shutil.copytree(found, into, symlinks=True, dirs_exist_ok=True)
            elif target.endswith("/"):
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, into / found.name)
            else:
                shutil.copy2(found, into)

    def _run(self, text: str, workdir: Path, root: Path, environ: dict[str, str]) -> None:
        done = subprocess.run(
            ["sh", "-c", self._inside(root, text)], cwd=workdir, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
