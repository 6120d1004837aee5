"""docs/deploy.md, typed command by command in an empty directory with emulators behind it.

A whole walk takes minutes: `make infra-apply-test` takes it, and writes docs/walk.md. Which commands are typed, the document
itself says.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from infra.local.downloads import ensure_environment
from infra.local.environment import installing
from infra.local.tools import find_uv
from infra.setup import set_up
from tests.support.processes import running, running_api
from tests.support.stack import open_stack
from tests.support.terraform import TREE, find_provider
from tests.support.walk import NEEDS, Shell, Step, faults, steps, walk, written_down
from tests.tidy.tree import ROOT

DEPLOY: Final = (ROOT / "docs/deploy.md").read_text()
PATHS: Final = """
provider "aws" {
  s3_use_path_style = true
}
"""
BACKEND: Final = """
terraform {
  backend "s3" {
    key            = "environment.tfstate"
    encrypt        = true
    use_lockfile   = true
    use_path_style = true
  }
}
"""
MANIFEST: Final = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": ["%s"]}'
PUSHED: Final = "; ".join(
    f"aws ecr put-image --repository-name telemetry-pipeline --image-tag $(git rev-parse HEAD)-{target} "
    f"--image-manifest '{MANIFEST % target}' --query image.imageId.imageTag"
    for target in ("api", "consumer")
)
BUCKET: Final = "telemetry-prod-archive-$AWS_ACCOUNT_ID"
SECRETS: Final = ("telemetry-prod-admin-key", "telemetry-prod-canary-keys")
KEYED: Final = "; ".join(
    [
        *(f"aws secretsmanager create-secret --name {name} --query Name" for name in SECRETS),
        "aws dynamodb create-table --table-name telemetry-prod-keys --query TableDescription.TableName "
        "--billing-mode PAY_PER_REQUEST --attribute-definitions AttributeName=id,AttributeType=S "
        "--key-schema AttributeName=id,KeyType=HASH",
        f"echo '{json.dumps({name.removeprefix('telemetry-prod-'): name for name in SECRETS})}' "
        "| PREFIX=telemetry-prod .venv/bin/python -m infra.first_keys",
    ]
)
"""What of prod the first keys need, and its output."""
INSTEAD: Final[Mapping[str, str]] = {
    "export TF_VAR_github_ids": """export TF_VAR_github_ids='{"owner": 1234, "repository": 5678}'""",
    "make push-images": PUSHED,
    "export TF_VAR_allowed_cidrs": """export TF_VAR_allowed_cidrs='["203.0.113.7/32"]'""",
    "export TF_VAR_architecture": "export TF_VAR_architecture=arm64",
    "url=": "{command}; echo $url; url={api}",
    "infra/environment.sh prod output -json first_keys": KEYED,
    "aws secretsmanager get-secret-value": "{command} | sed -E 's/^(.{6}).*/\\1…/'",
    "PREFIX=telemetry-dev .venv/bin/telemetry doctor": "env -u AWS_ENDPOINT_URL "
    "AWS_ENDPOINT_URL_KINESIS={localstack} AWS_ENDPOINT_URL_DYNAMODB={localstack} {command}",
    "aws s3api put-bucket-lifecycle-configuration": "aws s3api create-bucket --bucket " + BUCKET
    + " --create-bucket-configuration LocationConstraint=$AWS_REGION --query Location; {command}",
}  # fmt: skip
"""By a marked command's beginning, what is typed in its place, so that those after it work: images and a bucket, for two."""
ANSWERS: Final[Mapping[str, str]] = {
    "infra/environment.sh dev apply": "Apply complete!",
    "PREFIX=telemetry-dev .venv/bin/python -m infra.setup": "holds the pointer",
    "infra/environment.sh prod output -json first_keys": ", ".join(SECRETS) + ": filled with first keys",
    "infra/environment.sh dev output -json rollout": "what was applied runs",
    'curl --fail "$url/readyz"': '"status":"ok"',
    'curl --fail "$url/api/stats': '{"Maximum": 18.7, "Minimum": 18.7, "Average": 18.7}',
    "PREFIX=telemetry-dev .venv/bin/telemetry doctor": "All is well.",
}
"""By a command's beginning, what the document promises of its answer."""
HEAD: Final = """# deploy.md, walked
Made by `make infra-apply-test`: each command of [deploy.md](deploy.md), typed as it stands at the top of a fresh clone, by one
shell, with moto in place of AWS, and the last lines of what it answered. `/readyz`, PUT, statistics and doctor are asked of an
API and a consumer on LocalStack, since moto starts no tasks; their stream is as `dev.tfvars` has it. Beside what the document
tells it to set, the shell has credentials, `AWS_ENDPOINT_URL`, Terraform's provider from a folder, S3 by paths instead of host
names, and `TF_VAR_zones`: moto does not filter zones. No answer here is AWS's.
"""


def test_what_a_command_needs_is_marked_by_known_words() -> None:
    """And every replacement is one of a command that is marked."""
    found = list(steps(DEPLOY))
    assert {step.needs for step in found} <= {"", *NEEDS}
    marked = [step.command for step in found if step.needs]
    assert all(any(command.startswith(beginning) for command in marked) for beginning in INSTEAD)
    assert not [step for step in found if not step.needs and step.command.split()[0] in ("docker", "gh")]
    assert all(any(step.command.startswith(beginning) for step in found) for beginning in ANSWERS)


def test_what_is_for_an_environment_that_is_not_made_is_marked() -> None:
    """The walk makes dev alone; what only sets a variable asks nothing of another."""
    typed = [step for step in steps(DEPLOY) if not step.command.startswith("export ")]
    others = [step for step in typed if re.search(r"\b(staging|prod)\b", step.command)]
    assert others
    assert all(step.needs for step in others), others


def test_commands_are_whole_and_without_comments() -> None:
    """Joined where they go on in the next line; what a comment marks is known."""
    text = "# A\n## B\n```sh\nexport X=1    # say\ncurl '#a' \\\n  b  # [AWS] c\n\n# alone\n```\n```console\n$ no\n```\n"
    assert list(steps(text)) == [Step("B", "export X=1"), Step("B", "curl '#a' b", "AWS")]


def test_a_shell_remembers_and_a_step_that_fails_is_seen(tmp_path: Path) -> None:
    """Variables go on to the next command, exported or not; what is not typed is written down too."""
    shell = Shell(tmp_path, dict(os.environ), tmp_path / "state")
    typed = [("x='a b'", ""), ('echo "$x"', ""), ("sh -c 'exit 3'", ""), ("docker x", "Docker"), ("gh", "GitHub")]
    found = [Step("S", command, needs) for command, needs in typed]
    outcomes = list(walk(found, shell, {"gh": "echo $x instead of {command}"}))
    assert [(one.status, one.said) for one in outcomes] == [(0, ""), (0, "a b\n"), (3, ""), (0, ""), (0, "a b instead of gh\n")]
    lines = list(written_down(outcomes, {"a b": "…"}))
    assert "(not typed: needs a Docker engine)" in lines
    assert "(needs GitHub; typed instead: echo $x instead of <the same>)" in lines
    assert "… instead of gh" in lines


def test_an_answer_that_is_not_the_promised_one_is_a_fault(tmp_path: Path) -> None:
    """As is a status; that of a pipe is the one of whichever part failed."""
    shell = Shell(tmp_path, dict(os.environ), tmp_path / "state")
    found = [Step("S", command) for command in ("echo null", "echo 18.7", "sh -c 'exit 3' | cat", "true")]
    wrong = list(faults(walk(found, shell, {}), {"echo": "18.7"}))
    assert [fault.partition(":")[0] for fault in wrong] == ["echo null", "sh -c 'exit 3' | cat"]


@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("asked_for")
def test_every_command_works_as_it_stands(moto: str, endpoint: str, java: str, tmp_path: Path) -> None:
    """One after the other, in a fresh clone of the commit that is checked out; docs/walk.md is written."""
    clone = tmp_path / "telemetry-pipeline"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    (clone / "infra/terraform/bootstrap/override.tf").write_text(PATHS)
    (clone / "infra/terraform/environment/override.tf").write_text(PATHS + BACKEND)
    with _pipeline(endpoint, java, tmp_path / "pipeline.log") as url:
        instead = {begin: text.replace("{api}", url).replace("{localstack}", endpoint) for begin, text in INSTEAD.items()}
        shell = Shell(clone, _environ(moto), tmp_path / "state")
        outcomes = list(walk(steps((clone / "docs/deploy.md").read_text()), shell, instead))
    hidden = {
        str(clone): "~/telemetry-pipeline",
        url: "http://127.0.0.1:8080",
        endpoint: "http://127.0.0.1:4566",
        moto: "http://127.0.0.1:5000",
    }
    (ROOT / "docs/walk.md").write_text(HEAD + "\n".join(written_down(outcomes, hidden)) + "\n")
    assert not list(faults(outcomes, ANSWERS))


@contextmanager
def _pipeline(endpoint: str, java: str, log: Path) -> Iterator[str]:
    """An API and a consumer of telemetry-dev on LocalStack, on a stream as dev's values make it."""
    stack = open_stack(endpoint, java, "telemetry-dev")
    tfvars = (TREE / "environment/dev.tfvars").read_text()
    shards, hours = (int(re.findall(rf"^{name}\s+= (\d+)", tfvars, re.MULTILINE)[0]) for name in ("shards", "retention_hours"))
    set_up(stack.kinesis, stack.dynamodb, stack.names, shards=shards)
    stack.kinesis.decrease_stream_retention_period(StreamName=stack.names.stream, RetentionPeriodHours=hours)
    with running_api(stack.environ, log) as url, running("consumer", stack.environ, log):
        yield url


def _environ(moto: str) -> dict[str, str]:
    """What the shell has beside what the document tells it to set."""
    with installing():
        environ = dict(os.environ)
    programs = [str(ensure_environment("awscli") / "bin"), str(find_uv().parent)]
    return {
        **environ,
        "PATH": os.pathsep.join([*programs, environ["PATH"]]),
        "NO_PROXY": "127.0.0.1",
        "AWS_ENDPOINT_URL": moto,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "TF_CLI_ARGS": "-no-color",
        "TF_CLI_ARGS_init": f"-plugin-dir={find_provider()}",
        "TF_CLI_CONFIG_FILE": os.devnull,
        "TF_VAR_zones": '["eu-west-1a", "eu-west-1b"]',
    }
