"""What the workflows' expressions come to is what it is for: Terraform takes its variables, JSON is JSON."""

import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.expressions import evaluated, expressions, filled
from tests.support.terraform import ACCOUNT, ENVIRONMENTS, TREE
from tests.tidy.tree import ROOT

WORKFLOWS: Final = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").glob("*.yml")}
PLANNING: Final = ("environment", "plan", "drift", "destroy")
TOLD: Final[Mapping[str, str]] = {
    "AWS_ACCOUNT_ID": ACCOUNT,
    "AWS_REGION": "eu-west-1",
    "OWNER": "you@example.org",
    "ALLOWED_CIDRS": '["203.0.113.0/24"]',
    "DOMAIN_STAGING": '{"name": "staging.example.org", "zone_id": "Z1"}',
    "DOMAIN_PROD": '{"name": "prod.example.org", "zone_id": "Z1"}',
}
"""The variables that have no default; a domain is wanted outside dev, as is who hears of alarms."""
SAMPLES: Final = dict(re.findall(r"^\| `([A-Z_]+)`[ *]*\| `([^`]+)` \|", (ROOT / "docs/deploy.md").read_text(), re.MULTILINE))
"""Values that docs/deploy.md gives for an example."""


def contexts(environment: str, told: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
    """What a workflow's expressions see."""
    named = {"environment": environment}
    github = {"repository": "owner/name", "sha": "abc1234"}
    return {"vars": told, "github": github, "inputs": named, "matrix": named}


def told_to_terraform(workflow: str, environment: str, told: Mapping[str, str]) -> dict[str, str]:
    """Terraform's variables in the environment of a workflow that plans."""
    loaded = WORKFLOWS[workflow]
    [where] = [one["env"] for one in (loaded, *loaded["jobs"].values()) if "TF_VAR_name" in one.get("env", {})]
    return {name: filled(text, contexts(environment, told)) for name, text in where.items() if name.startswith("TF_VAR_")}


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root of the environment's variables alone, which needs no provider."""
    if not shutil.which("terraform"):
        pytest.skip("terraform is not on PATH")
    folder = tmp_path_factory.mktemp("variables")
    for path in (TREE / "environment").glob("*variables.tf"):
        shutil.copy(path, folder)
    return folder


def planned(environment: str, told: Mapping[str, str], variables: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What Terraform says of an environment's variables, some of them told by its process's environment."""
    environ = {
        **os.environ,
        **told,
        "TF_VAR_account_id": ACCOUNT,
        "TF_VAR_region": "eu-west-1",
        "TF_VAR_image": "repository:abc1234",
        "TF_WORKSPACE": environment,
        "TF_INPUT": "0",
        "TF_CLI_ARGS": "-no-color",
        "TF_DATA_DIR": str(variables / "data"),
    }
    command = ["terraform", "plan", f"-var-file={TREE}/environment/{environment}.tfvars", *options]
    return subprocess.run(command, cwd=variables, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("workflow", "environment"), [*itertools.product(PLANNING, ENVIRONMENTS)])
@pytest.mark.parametrize("told", [{"ALARM_EMAILS": '["you@example.org"]'}, SAMPLES], ids=["defaults", "as documented"])
def test_terraform_takes_what_a_workflow_tells_it(
    workflow: str, environment: str, told: Mapping[str, str], variables: Path
) -> None:
    """Whatever has a default by that, all else as docs/deploy.md has it: types and validations are judged by Terraform."""
    done = planned(environment, told_to_terraform(workflow, environment, {**TOLD, **told}), variables)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("environment", "said", "fine"), [("dev", [], True), ("staging", [], False), ("prod", ["keyless=true"], True)]
)
def test_without_keys_is_said_out_loud(environment: str, said: list[str], fine: bool, variables: Path) -> None:
    """Outside dev: whoever reaches the API may write and read then."""
    options = [f"-var={one}" for one in ["keys=false", *said]]
    told = {**TOLD, "ALARM_EMAILS": '["you@example.org"]'}
    done = planned(environment, told_to_terraform("environment", environment, told), variables, *options)
    assert (done.returncode == 0) is fine
    assert ("keyless" in done.stderr) is not fine


def test_without_tags_the_repository_is_one() -> None:
    """In every workflow that plans."""
    for workflow in PLANNING:
        assert json.loads(told_to_terraform(workflow, "dev", TOLD)["TF_VAR_tags"]) == {"Repository": "owner/name"}


def test_every_default_is_what_it_is_for() -> None:
    """An expression with `||` comes to something where nothing is told; JSON is read where an expression or jq reads it."""
    seen = 0
    needs = {"images": {"result": "success"}}
    for text in (text for loaded in WORKFLOWS.values() for text in expressions(loaded) if "||" in text):
        value = filled(text, {**contexts("dev", TOLD), "needs": needs})
        assert value, text
        seen += 1
        if "UNREVIEWED" in text:
            assert json.loads(value) == []
    assert seen > 40


def test_expressions_mean_what_github_says() -> None:
    """Braces in strings, quotes in quotes, what is not there, and names in any case."""
    known = {"vars": {"NAME_PROD": "x", "LIST": '["a"]'}, "inputs": {"environment": "prod"}}
    assert filled("a ${{ vars[format('NAME_{0}', inputs.environment)] }}-${{ vars.NONE }}.", known) == "a x-."
    assert filled("""${{ vars.NONE || format('{{"it''s":"{0}"}}', 'b') }}""", known) == """{"it's":"b"}"""
    assert evaluated("!vars.NONE && contains(fromJSON(vars.LIST), 'a') && vars.LIST != 'b'", known) is True
    for wrong in ("vars.NAME ||", "vars.NAME 'a'", "other(1)", "format('a'", '"a"'):
        with pytest.raises((ValueError, KeyError)):
            evaluated(wrong, known)
