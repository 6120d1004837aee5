"""What documents say can be typed is there to be typed, and what they name is there to be read."""

import importlib.util
import os
import re
import subprocess
from pathlib import Path

import pytest

from cli.main import telemetry
from tests.support.runbook import NEEDS_AWS, blocks_by_section, here
from tests.tidy.tree import ROOT

DOCUMENTS = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
ORIGINAL = [f"A{row}" for row in (1, 2, 3, 4, 6, 7)] + [
    f"{part}{row}" for part, last in (("B", 7), ("T", 11), ("W", 5), ("D", 3)) for row in range(1, last + 1)
]
PROGRAMS = {
    *("aws", "cd", "curl", "docker", "done", "export", "printf", "for", "git", "make", "terraform"),
    *("infra/environment.sh", "infra/images/keep.sh"),
}


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / document).read_text(), re.DOTALL | re.MULTILINE)


def commands(document: str) -> list[str]:
    """The commands of all shell blocks, one a line, without comments."""
    text = "\n".join(blocks(document, "sh")).replace("\\\n", " ")
    return [line for raw in text.splitlines() if (line := re.sub(r"(^|\s)#.*$", "", raw).strip())]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_shown_exists(document: str) -> None:
    """Syntax, targets of make, scripts, modules, and commands of `telemetry`; what AWS makes of it is not tried."""
    for block in blocks(document, "sh"):
        done = subprocess.run(["bash", "-n", "-c", block], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in commands(document):
        words = re.sub(r"^(\w+=\S+\s+)+(?=\S)", "", command).split()
        if "=$(" in command:
            words = re.sub(r"^.*=\$\(", "", command).split()
        match words:
            case [".venv/bin/python", "-m", module, *_]:
                assert importlib.util.find_spec(module), command
            case [".venv/bin/telemetry", name, *_]:
                assert name in telemetry.commands, command
            case ["make", target, *_]:
                assert target in targets, command
            case [program, *_]:
                assert program in PROGRAMS, command
                assert "/" not in program or os.access(ROOT / program, os.X_OK), command


def test_what_the_runbook_does_not_mark_needs_no_aws() -> None:
    """A block of it begins with `# needs AWS`, or holds nothing but our own commands."""
    for title, block in blocks_by_section():
        if not block.startswith(NEEDS_AWS):
            for line in block.splitlines():
                assert line.startswith((".venv/bin/telemetry ", ".venv/bin/python -m infra.setup")), f"{title}: {line}"


def test_every_section_of_the_runbook_is_typed() -> None:
    """Those with commands that need no AWS. Two wait for consumers, and do what tests of their own try."""
    elsewhere = {"Rebuild", "Roll back"}
    typed = (ROOT / "tests/cli/test_runbook_on_localstack.py").read_text()
    assert {title for title in here() if f'"{title}"' not in typed} == elsewhere


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_named_exists(document: str) -> None:
    """Between backticks, or after -chdir: what begins with a folder of the tree is a path in it."""
    text = (ROOT / "docs" / document).read_text()
    parts = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
    named = re.findall(rf"(?:`|-chdir=)((?:{parts})/[\w./-]*)", text)
    missing = [name for name in named if not (ROOT / Path(name)).exists()]
    assert not missing


def test_every_row_of_the_original_is_accounted_for() -> None:
    """Once each, in order."""
    rows = re.findall(r"^\| ([A-Z]\d+) \| .+ \| .+ \|$", (ROOT / "docs/original.md").read_text(), re.MULTILINE)
    assert rows == ORIGINAL


def test_the_diagrams_show_the_tables_that_there_are() -> None:
    """Keys as infra/resources.json has them; only ours, KCL's are its own business."""
    import json

    tables = json.loads((ROOT / "infra/resources.json").read_text())["tables"]
    [diagram] = [block for block in blocks("architecture.md", "mermaid") if block.startswith("erDiagram")]
    drawn = {
        name.lower(): re.findall(r"string (\w+) PK", body)
        for name, body in re.findall(r"^  (\w+) \{\n(.*?)^  \}", diagram, re.MULTILINE | re.DOTALL)
    }
    ours = ("readings", "stats", "dead_letters", "generations")
    keys = {
        name: [table["hash_key"], *([table["range_key"]] if "range_key" in table else [])] for name, table in tables.items()
    }
    assert drawn == {name: keys[name] for name in ours}


def test_what_a_container_is_told_to_run_does_run() -> None:
    """Its entry point is `python -m`, so the first word is a module or package that can be started."""
    told = [
        name
        for document in DOCUMENTS
        for name in re.findall(r'"command": \["([\w.]+)"', (ROOT / "docs" / document).read_text())
    ]
    assert told
    places = [ROOT / name.replace(".", "/") for name in told]
    assert all((place / "__main__.py").is_file() or "__main__" in place.with_suffix(".py").read_text() for place in places)
