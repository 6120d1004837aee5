"""docs/api.md: its commands as they stand, one after the other in one shell, give what it shows."""

import re
import subprocess
import threading

from tests.producer_api.test_contract import project
from tests.support.stack import Stack
from tests.tidy.tree import ROOT

CHANGES = (
    (r'"(asOf|AsOf)":"[^"]+"', r'"\1":"…"'),
    (r'"(LagMs|silentForS)":\d+', r'"\1":…'),
    (r"(?im)^(x-as-of|x-projection-lag-ms|etag): .*$", r"\1: …"),
)
"""What differs from run to run."""


def examples() -> list[tuple[str, str]]:
    """Each command, and what is shown under it."""
    blocks = re.findall(r"^```console\n(.*?)^```", (ROOT / "docs/api.md").read_text(), re.DOTALL | re.MULTILINE)
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks), re.MULTILINE)


def steady(text: str) -> str:
    """Without what differs from run to run; lines may end in either way."""
    text = text.replace("\r\n", "\n").strip()
    for pattern, instead in CHANGES:
        text = re.sub(pattern, instead, text)
    return text


def answers(api: str, stack: Stack) -> list[str]:
    """What the commands print, while everything that is sent is counted."""
    stopped = threading.Event()

    def count() -> None:
        while not stopped.wait(0.2):
            project(stack)

    script = "".join(f"{command}\nprintf '\\0'\n" for command, _ in examples()).replace("http://127.0.0.1:8080", api)
    counting = threading.Thread(target=count)
    counting.start()
    try:
        done = subprocess.run(["bash", "-e"], input=script, capture_output=True, text=True, timeout=120, check=True)
    finally:
        stopped.set()
        counting.join()
    return done.stdout.split("\0")[:-1]


def test_the_document_shows_what_comes_back(api: str, stack: Stack) -> None:
    """But for ages and moments."""
    for (command, shown), answer in zip(examples(), answers(api, stack), strict=True):
        assert steady(answer) == steady(shown), command
