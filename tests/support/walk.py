"""A document's commands, typed one after the other by a shell that remembers, and written down with what they answered.

What a command needs that is not there when it is typed stands in its comment, in brackets. Such a command is not typed; where
a later one builds on it, something else is typed instead, which is written down as well.
"""

import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NEEDS: Final = {
    "AWS": "AWS itself",
    "Docker": "a Docker engine",
    "GitHub": "GitHub",
    "internet": "the internet",
    "prod": "an environment prod",
}
"""What is marked in a document, and what is meant."""

_SHOWN_LINES: Final = 12
_PATIENCE_S: Final = 900
_TYPED: Final = "yes\n"
"""What a person answers who is asked whether to apply."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a document, the section that it is in, and what it needs that is not there, by its mark."""

    section: str
    command: str
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a step. `typed` is None when nothing was."""

    step: Step
    typed: str | None
    status: int = 0
    said: str = ""
    took_s: float = 0


def steps(document: str) -> Iterator[Step]:
    """The commands of all shell blocks, each with its lines joined and without its comment."""
    for part in re.split(r"^## ", document, flags=re.MULTILINE):
        for block in re.findall(r"^```sh\n(.*?)^```", part, re.DOTALL | re.MULTILINE):
            for line in re.sub(r"\\\n\s*", "", block).splitlines():
                command, _, comment = re.sub(r"(^|\s+)#\s", "\0", line, count=1).partition("\0")
                marked = re.match(r"\[(.+?)\]", comment)
                if command.strip():
                    yield Step(part.partition("\n")[0], command.strip(), marked[1] if marked else "")


class Shell:
    """A shell in a folder: what a command sets, the next one has. Not a terminal, but it is told `yes` when it asks."""

    def __init__(self, folder: Path, environ: Mapping[str, str], state: Path) -> None:
        self._folder = folder
        self._environ = environ
        self._state = state
        state.touch()

    def run(self, command: str) -> tuple[int, str]:
        """A command's exit status, that of a pipe's last part that failed, and what it said."""
        script = (
            f'set -o pipefail\n. "{self._state}" 2>/dev/null\n{command}\nended=$?\ndeclare -p > "{self._state}"\nexit $ended'
        )
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._environ,
            input=_TYPED,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        return done.returncode, done.stdout


def walk(found: Iterable[Step], shell: Shell, instead: Mapping[str, str]) -> Iterator[Outcome]:
    """Type each step, or what is to be typed in its place, by the command's beginning; `{command}` there is the command."""
    for step in found:
        other = next((text for beginning, text in instead.items() if step.command.startswith(beginning)), None)
        if step.needs and other is None:
            yield Outcome(step, None)
            continue
        typed = step.command if other is None else other.replace("{command}", step.command)
        began_s = time.monotonic()
        status, said = shell.run(typed)
        yield Outcome(step, typed, status, said, time.monotonic() - began_s)


def faults(outcomes: Iterable[Outcome], answers: Mapping[str, str]) -> Iterator[str]:
    """What did not end as it should: with status 0, and with what is promised in `answers`, by the command's beginning."""
    for one in outcomes:
        promised = next((text for beginning, text in answers.items() if one.step.command.startswith(beginning)), "")
        if one.status or promised not in one.said:
            yield f"{one.typed}: exit status {one.status}, {promised!r} wanted\n{one.said[-3000:]}"


def written_down(outcomes: Iterable[Outcome], hidden: Mapping[str, str]) -> Iterator[str]:
    """Lines of Markdown, section by section; `hidden` is replaced in all that was said."""
    section = ""
    for one in outcomes:
        if one.step.section != section:
            section = one.step.section
            yield f"\n## {section}"
        yield "\n```console"
        yield f"$ {one.step.command}"
        yield from _answer(one, hidden)
        yield "```"


def _answer(one: Outcome, hidden: Mapping[str, str]) -> Iterator[str]:
    if one.typed is None:
        yield f"(not typed: needs {NEEDS[one.step.needs]})"
        return
    if one.typed != one.step.command:
        other = _hide(one.typed.replace(one.step.command, "<the same>"), hidden)
        yield f"(needs {NEEDS[one.step.needs]}; typed instead: {other})"
    lines = [line.rstrip() for line in _hide(one.said, hidden).splitlines()]
    lines = [line for line in lines if line.strip("╷╵│ ")]
    if len(lines) > _SHOWN_LINES:
        yield f"… {len(lines) - _SHOWN_LINES} lines more"
    yield from lines[-_SHOWN_LINES:]
    yield f"(exit status {one.status}, {one.took_s:.0f} s)"


def _hide(text: str, hidden: Mapping[str, str]) -> str:
    for found, shown in hidden.items():
        text = text.replace(found, shown)
    return text
