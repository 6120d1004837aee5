"""What `telemetry doctor` says, and how it exits."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from cli.main import telemetry
from operations.doctor import Finding, Section, State
from telemetry.settings import Settings

WELL = Section("AWS", "it answers")
ILL = Section("tables", "", (Finding("There is no table t.", "It stops them.", "make it"),), State.FOUND)
UNSEEN = Section("consumer", "AWS refused", state=State.UNSEEN)
NONE = Section("archive", "ARCHIVE_TARGET is not set here", state=State.NONE)

type Typed = Callable[..., Result]


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The prefixes that were set up."""
    made: list[str] = []
    monkeypatch.setattr("cli.checking._fix", lambda settings: made.append(settings.prefix))
    return made


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, fixed: list[str]) -> Typed:
    def typed(found: list[Section], *words: str) -> Result:
        def examined(settings: Settings) -> list[Section]:
            assert settings.prefix == "t-cli"
            return [WELL] if fixed else found

        monkeypatch.setattr("cli.checking.examined", examined)
        return CliRunner(env={"PREFIX": "t-cli"}).invoke(telemetry, ["doctor", *words])

    return typed


def test_what_is_well_is_folded_and_what_is_not_is_told(typed: Typed) -> None:
    """Of a finding what is, why it matters and what mends it; a sentence at the end; status 1."""
    answer = typed([WELL, ILL, NONE])
    assert (answer.exit_code, answer.stdout.splitlines()) == (
        1,
        [
            "✓ AWS             it answers",
            "✗ tables",
            "    There is no table t.",
            "      why   It stops them.",
            "      mend  make it",
            "– archive         ARCHIVE_TARGET is not set here",
            "",
            "One thing is wrong, in tables: mend tables first.",
        ],
    )


@pytest.mark.parametrize(("found", "status", "said"), [([WELL, NONE], 0, "All is well."), ([ILL, UNSEEN], 5, "Could not")])
def test_the_status_is_the_verdicts(typed: Typed, found: list[Section], status: int, said: str) -> None:
    """0 when all is well, 5 when something could not be looked at."""
    answer = typed(found)
    assert (answer.exit_code, said in answer.stdout.splitlines()[-1]) == (status, True)


def test_programs_are_told_the_same(typed: Typed) -> None:
    """As JSON, with the same status."""
    answer = typed([WELL, ILL], "--json")
    told = json.loads(answer.stdout)
    assert (answer.exit_code, told["verdict"]) == (1, "One thing is wrong, in tables: mend tables first.")
    assert told["sections"][1] == {
        "name": "tables",
        "state": "found",
        "told": "",
        "findings": [{"what": "There is no table t.", "why": "It stops them.", "mend": "make it"}],
    }


def test_what_is_missing_is_made_when_asked(typed: Typed, fixed: list[str]) -> None:
    """Then looked at again. What is none of stream and tables is left to whoever reads it."""
    assert typed([WELL, UNSEEN], "--fix").exit_code == 5
    assert fixed == []
    answer = typed([WELL, ILL], "--fix")
    assert (answer.exit_code, answer.stdout.splitlines()[-1], fixed) == (0, "All is well.", ["t-cli"])


def test_nothing_is_made_on_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Terraform does that."""
    monkeypatch.setattr("cli.checking.examined", lambda _: [ILL])
    answer = CliRunner(env={"PREFIX": "t-cli", "AWS_ENDPOINT_URL": ""}).invoke(telemetry, ["doctor", "--fix"])
    assert (answer.exit_code, "where Terraform does" in answer.stderr) == (1, True)


def test_settings_that_cannot_be_used_are_said() -> None:
    """Status 5: nothing was looked at."""
    answer = CliRunner(env={"PREFIX": "a b"}).invoke(telemetry, ["doctor"])
    assert (answer.exit_code, "PREFIX" in answer.stderr) == (5, True)
