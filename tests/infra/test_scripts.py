"""The delivery's scripts, with programs in place of Terraform, Docker and AWS's client that write down how they were called."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT

ACCOUNT = {"AWS_ACCOUNT_ID": "123456789012", "AWS_REGION": "eu-north-1"}
REGISTRY = "123456789012.dkr.ecr.eu-north-1.amazonaws.com"


class Recorded:
    """Stand-ins for programs, and the calls they got."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calls = folder / "calls"
        self._calls.touch()
        self.environment = folder / "tree/infra/terraform/environment"
        self.environment.mkdir(parents=True)

    def program(self, name: str, body: str = "") -> None:
        """A program that writes its call down, with the folder it was called in and what it was told, then does `body`."""
        path = self._folder / name
        path.write_text(
            f'#!/bin/sh\necho "{name} $*" >> "{self._calls}"\n'
            f'echo "$PWD $TF_VAR_account_id $TF_VAR_region $TF_VAR_permissions_boundary $TF_WORKSPACE" '
            f'> "{self._folder}/told"\n'
            f'echo "$TF_WORKSPACE" >> "{self._folder}/workspaces"\n{body}\n'
        )
        path.chmod(0o755)

    def run(self, script: str, *words: str, **environ: str) -> int:
        """The exit status of a script that is called in this folder."""
        path = f"{self._folder}:{os.environ['PATH']}"
        copy = self._folder / "tree" / script
        copy.parent.mkdir(exist_ok=True)
        shutil.copy2(ROOT / script, copy)
        done = subprocess.run([copy, *words], cwd=self._folder, env={"PATH": path, **environ}, capture_output=True, check=False)
        return done.returncode

    @property
    def calls(self) -> list[str]:
        """All calls so far, in order."""
        return self._calls.read_text().splitlines()

    @property
    def workspaces(self) -> list[str]:
        """What TF_WORKSPACE said at each call."""
        return (self._folder / "workspaces").read_text().splitlines()

    @property
    def told(self) -> str:
        """Folder and variables of the last call."""
        return (self._folder / "told").read_text().strip()


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """No stand-ins yet."""
    return Recorded(tmp_path)


THERE = """case "$*" in "workspace list") printf '  default\\n  dev\\n* prod\\n' ;; esac"""
INIT = (
    "terraform init -reconfigure -backend-config=bucket=telemetry-terraform-123456789012 -backend-config=region=eu-north-1 "
    "-backend-config=workspace_key_prefix=telemetry"
)


@pytest.mark.parametrize(
    ("words", "last"),
    [
        (["plan", "-out=x"], "terraform plan -lock=false -var-file=prod.tfvars -out={here}/x"),
        (["plan", "-out=/tmp/x", "-no-color"], "terraform plan -lock=false -var-file=prod.tfvars -out=/tmp/x -no-color"),
        (["destroy", "-out=x"], "terraform plan -lock=false -var-file=prod.tfvars -destroy -out={here}/x"),
        (["apply", "saved"], "terraform apply {here}/saved"),
        (["output", "-raw", "url"], "terraform output -raw url"),
    ],
    ids=["plan", "absolute", "destroy", "apply", "output"],
)
def test_everything_about_an_environment_follows_from_its_name(
    words: list[str], last: str, recorded: Recorded, tmp_path: Path
) -> None:
    """Workspace and values; state, account and region are the same for the whole run."""
    here = tmp_path.resolve()
    (here / "saved").touch()
    recorded.program("terraform", THERE)
    assert recorded.run("infra/environment.sh", "prod", *words, **ACCOUNT) == 0
    assert recorded.calls == [INIT, "terraform workspace list", last.format(here=here)]
    boundary = "arn:aws:iam::123456789012:policy/telemetry-prod-boundary"
    assert recorded.told == f"{recorded.environment.resolve()} 123456789012 eu-north-1 {boundary} prod"


def test_no_call_is_made_in_another_workspace(recorded: Recorded) -> None:
    """Not even the first: init reads the state that it finds, and the roles may read none but their environment's."""
    recorded.program("terraform", THERE)
    assert recorded.run("infra/environment.sh", "dev", "plan", **ACCOUNT, TF_WORKSPACE="prod") == 0
    assert recorded.workspaces == ["dev"] * 3


def test_providers_that_were_locked_are_the_only_ones(recorded: Recorded) -> None:
    """Where the deployer keeps a lock."""
    recorded.program("terraform", THERE)
    (recorded.environment / ".terraform.lock.hcl").touch()
    assert recorded.run("infra/environment.sh", "dev", "plan", **ACCOUNT) == 0
    assert recorded.calls[0] == f"{INIT} -lockfile=readonly"


def test_another_name_begins_bucket_and_boundary(recorded: Recorded) -> None:
    """As bootstrap was told."""
    recorded.program("terraform", THERE)
    assert recorded.run("infra/environment.sh", "dev", "plan", **ACCOUNT, TF_VAR_name="weather") == 0
    assert recorded.calls[0] == INIT.replace("telemetry", "weather")
    assert "policy/weather-dev-boundary" in recorded.told


def test_a_second_one_of_its_kind_uses_what_bootstrap_made(recorded: Recorded) -> None:
    """The bucket, for a state of its own; there is no boundary for its names, so none is asked for, whatever the shell says."""
    recorded.program("terraform", THERE)
    named = {"TF_VAR_name": "drill", "BOOTSTRAP_NAME": "telemetry", "TF_VAR_permissions_boundary": "arn:of:staging"}
    assert recorded.run("infra/environment.sh", "prod", "plan", **ACCOUNT, **named) == 0
    assert recorded.calls[0] == INIT.removesuffix("telemetry") + "drill"
    assert recorded.told == f"{recorded.environment.resolve()} 123456789012 eu-north-1  prod"


def test_an_environment_that_is_not_there_is_made_only_when_asked_for(recorded: Recorded) -> None:
    """A word that is misspelt, or a state that is missing, ends everything; what is new is made in no workspace."""
    recorded.program("terraform", THERE)
    assert recorded.run("infra/environment.sh", "staging", "plan", **ACCOUNT) == 1
    assert recorded.calls[1:] == ["terraform workspace list"]
    assert recorded.run("infra/environment.sh", "staging", "new", **ACCOUNT, TF_WORKSPACE="staging") == 0
    assert recorded.calls[-2:] == [INIT, "terraform workspace new staging"]
    assert recorded.workspaces[-2:] == ["", ""]


@pytest.mark.parametrize(
    "words",
    [[], ["dev"], ["production", "plan"], ["", "plan"], ["dev", "import"], ["dev", "apply"], ["dev", "apply", "missing"]],
)
def test_what_is_not_meant_is_not_done(words: list[str], recorded: Recorded) -> None:
    """An apply without a saved plan, above all: Terraform would plan anew and apply what nobody has seen."""
    recorded.program("terraform", THERE)
    assert recorded.run("infra/environment.sh", *words, **ACCOUNT) == 2
    assert not [call for call in recorded.calls if call.startswith(("terraform apply", "terraform plan"))]


@pytest.mark.parametrize("missing", ACCOUNT)
def test_a_missing_account_or_region_ends_it_at_once(missing: str, recorded: Recorded) -> None:
    """Before any program is called."""
    recorded.program("terraform")
    given = {name: value for name, value in ACCOUNT.items() if name != missing}
    assert recorded.run("infra/environment.sh", "dev", "plan", **given) != 0
    assert recorded.run("infra/images/push.sh", "abc", **given) != 0
    assert recorded.calls == []


def test_images_are_pushed_once(recorded: Recorded) -> None:
    """Under their tags; one that is there is left alone, because ECR would refuse it."""
    recorded.program("docker", 'if [ "$1" = login ]; then cat >/dev/null; fi')
    recorded.program(
        "aws", 'case "$*" in *imageTag=abc-consumer) exit 0 ;; *describe-images*) exit 254 ;; *) echo secret ;; esac'
    )
    assert recorded.run("infra/images/push.sh", "abc", **ACCOUNT) == 0
    docker = [call for call in recorded.calls if call.startswith("docker")]
    assert docker == [
        f"docker login --username AWS --password-stdin {REGISTRY}",
        f"docker tag telemetry-pipeline:abc-api {REGISTRY}/telemetry-pipeline:abc-api",
        f"docker push {REGISTRY}/telemetry-pipeline:abc-api",
    ]


def test_the_images_of_a_deployment_are_kept(recorded: Recorded) -> None:
    """Under a second tag that names environment and commit; what is kept already is left alone."""
    image = '{"images": [{"imageManifest": "{}", "imageManifestMediaType": "application/vnd.oci.image.index.v1+json"}]}'
    recorded.program(
        "aws",
        'case "$*" in *describe-images*consumer) exit 0 ;; *describe-images*) exit 254 ;; '
        f"*batch-get-image*) echo '{image}' ;; esac",
    )
    assert recorded.run("infra/images/keep.sh", "abc", "dev", **ACCOUNT) == 0
    put = [call for call in recorded.calls if "put-image" in call]
    assert put == [
        "aws ecr put-image --region eu-north-1 --repository-name telemetry-pipeline --image-tag deployed-dev-abc-api "
        "--image-manifest {} --image-manifest-media-type application/vnd.oci.image.index.v1+json"
    ]
    assert recorded.run("infra/images/keep.sh", "abc", **ACCOUNT) == 2
