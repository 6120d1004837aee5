"""docs/reliability.md says what was found, and nothing else."""

import json

from tests.faults.report import KEPT, PAGE, keep, render


def test_the_page_is_what_the_results_make() -> None:
    """Nobody edits it by hand: run `make test-faults`, or `python -m tests.faults.report` after a change of its form."""
    assert PAGE.read_text() == render(json.loads(KEPT.read_text()))


def test_newer_results_take_the_place_of_older_ones() -> None:
    """Of the same test and fault; what was not run again stays."""
    older = [{"test": "one", "fault": "kill", "times": 1}, {"test": "two", "fault": "kill", "times": 1}]
    assert keep(older, [{"test": "one", "fault": "kill", "times": 2}]) == [
        {"test": "one", "fault": "kill", "times": 2},
        {"test": "two", "fault": "kill", "times": 1},
    ]
