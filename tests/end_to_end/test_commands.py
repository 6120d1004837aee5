"""The commands that docs/ shows, with the smallest of their arguments."""

import subprocess

import pytest

from tests.tidy.tree import ROOT


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("make test-faults ONLY=test_newer_results", "1 passed"),
        ("make simulate SEEDS=0:20", "20 schedules, 0 violations"),
    ],
)
def test_a_documented_command_runs(command: str, said: str) -> None:
    """And says what it did."""
    done = subprocess.run(command.split(), cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout
