"""docs/deploy.md, typed command by command in an empty directory with emulators behind it.

A whole walk takes minutes: `make infra-apply-test` takes it, and writes docs/walk.md. Which commands are typed, the document
itself says.
"""

import os
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
from tests.support.terraform import find_provider
from tests.support.walk import NEEDS, Shell, Step, steps, walk, written_down
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
    workspace_key_prefix = "telemetry"
    key                  = "environment.tfstate"
    encrypt              = true
    use_lockfile         = true
    use_path_style       = true
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
INSTEAD: Final[Mapping[str, str]] = {
    "export TF_VAR_github_ids": """export TF_VAR_github_ids='{"owner": 1234, "repository": 5678}'""",
    "make push-images": PUSHED,
    "export TF_VAR_allowed_cidrs": """export TF_VAR_allowed_cidrs='["203.0.113.7/32"]'""",
    "export TF_VAR_architecture": "export TF_VAR_architecture=arm64",
    "url=": "{command}; echo $url; url={api}",
    "PREFIX=telemetry-dev .venv/bin/telemetry doctor": "AWS_ENDPOINT_URL={localstack} {command}",
    "aws s3api put-bucket-lifecycle-configuration": "aws s3api create-bucket --bucket " + BUCKET
    + " --create-bucket-configuration LocationConstraint=$AWS_REGION --query Location; {command}",
}  # fmt: skip
"""By a marked command's beginning, what is typed in its place, so that those after it work: images and a bucket, for two."""
HEAD: Final = """# deploy.md, walked
Made by `make infra-apply-test`: each command of [deploy.md](deploy.md), typed as it stands at the top of a fresh clone, by one
shell, with moto in place of AWS, and the last lines of what it answered. `/readyz`, PUT, statistics and doctor are asked of an
API and a consumer on LocalStack, since moto starts no tasks. Beside what the document tells it to set, the shell has
credentials, `AWS_ENDPOINT_URL`, Terraform's provider from a folder, S3 by paths instead of host names, and `TF_VAR_zones`:
moto does not filter zones. No answer here is AWS's.
"""


def test_what_a_command_needs_is_marked_by_known_words() -> None:
    """And every replacement is one of a command that is marked."""
    found = list(steps(DEPLOY))
    assert {step.needs for step in found} <= {"", *NEEDS}
    marked = [step.command for step in found if step.needs]
    assert all(any(command.startswith(beginning) for command in marked) for beginning in INSTEAD)
    assert not [step for step in found if not step.needs and step.command.split()[0] in ("docker", "gh")]


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
    assert not [f"{one.typed}\n{one.said[-3000:]}" for one in outcomes if one.status]


@contextmanager
def _pipeline(endpoint: str, java: str, log: Path) -> Iterator[str]:
    """An API and a consumer of telemetry-dev on LocalStack."""
    stack = open_stack(endpoint, java, "telemetry-dev")
    set_up(stack.kinesis, stack.dynamodb, stack.names)
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
