"""The commands of docs/runbook.md, by section, and a shell that types them."""

import re
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from telemetry.processes import end_with_parent
from tests.support.processes import stop
from tests.tidy.tree import ROOT

NEEDS_AWS = "# needs AWS"
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_TIMEOUT_S = 300


def blocks_by_section() -> Iterator[tuple[str, str]]:
    """Each block with its section's title; those before the first section have the page's."""
    for section in re.split(r"^## |\A# ", (ROOT / "docs/runbook.md").read_text(), flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        yield from ((title, block) for block in _BLOCK.findall(text))


def here() -> dict[str, list[str]]:
    """The lines of each section that need no AWS, as they are typed: those that have any."""
    found: dict[str, list[str]] = {}
    for title, block in blocks_by_section():
        if not block.startswith(NEEDS_AWS):
            found.setdefault(title, []).extend(line for line in block.splitlines() if line)
    return found


class Shell:
    """Types a section's lines in their order, in a folder of its own."""

    def __init__(self, title: str, environ: Mapping[str, str], folder: Path) -> None:
        self._lines = deque(here()[title])
        self._environ, self._folder = environ, folder
        self._running: list[subprocess.Popen[bytes]] = []
        (folder / ".venv").symlink_to(ROOT / ".venv")

    def types(self, status: int = 0, *, place: str = "") -> str:
        """Type the next line, in which `place` stands for PLACE, and be told what it says; it ends with this status."""
        line = self._next(place)
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self._folder,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == status, f"{line}: status {done.returncode}, not {status}\n{said}"
        return said

    def starts(self) -> tuple[subprocess.Popen[bytes], Callable[[], str]]:
        """Start the next line, which does not end by itself; the process, and what it has said so far."""
        log = self._folder / f"{len(self._running)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {self._next()}"],
                cwd=self._folder,
                env=self._environ,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509  it only makes a system call
            )
        self._running.append(process)
        return process, log.read_text

    def ends(self) -> None:
        """All that was started is stopped."""
        for process in self._running:
            stop(process)

    @property
    def left(self) -> Sequence[str]:
        """Lines that nobody has typed."""
        return list(self._lines)

    def _next(self, place: str = "") -> str:
        return self._lines.popleft().replace("PLACE", place)
