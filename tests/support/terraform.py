"""Terraform under test: found on this machine, run offline in a copy of the tree, so that it leaves nothing behind."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from telemetry.processes import end_with_parent
from tests.support.waiting import eventually

INFRA = Path(__file__).parents[2] / "infra"
TREE = INFRA / "terraform"
ROOTS = ("environment", "bootstrap")
ENVIRONMENTS = ("dev", "staging", "prod")
ACCOUNT = "123456789012"

_VALUES = {
    "environment": {
        "account_id": ACCOUNT,
        "owner": "tests",
        "image": f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/telemetry-pipeline:abc1234",
        "allowed_cidrs": '["203.0.113.0/24"]',
        "archive": "true",
        "budget": "true",
        "canary": "true",
        "keys": "true",
        "mqtt": "true",
        "request_limit": "6000",
        "traffic_logs": "true",
        "alarm_emails": '["somebody@example.com"]',
        "zones": '["eu-west-1a", "eu-west-1b"]',  # else AWS is asked, which a plan offline cannot
    },
    "bootstrap": {
        "account_id": ACCOUNT,
        "owner": "tests",
        "github_repository": "somebody/telemetry",
        "github_ids": '{owner = "1234", repository = "5678"}',
        "domains": '{dev = {name = "dev.example.com", zone_id = "Z1"}, prod = {name = "api.example.com", zone_id = "Z1"}}',
    },
}
OFFLINE = """
provider "aws" {
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  allowed_account_ids         = null
}
"""
KNOWN = {
    "environment": """
module "observability" {
  load_balancer_dimensions = { LoadBalancer = "app/telemetry-dev/1", TargetGroup = "targetgroup/telemetry-dev-api/1" }
}

module "canary" {
  keys_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:telemetry-dev-canary-keys-AbCdEf"
}
"""
}
"""By root, what AWS would make up, so that a plan shows alarms and dashboard whole."""
EMULATED = """
provider "aws" {
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
}
"""
LOCAL_STATE = """
terraform {
  backend "local" {}
}
"""


def why_not() -> str | None:
    """Why Terraform cannot be run here; None when it can."""
    if not shutil.which("terraform"):
        return "terraform is not on PATH"
    if not find_provider():
        return f"no folder holds {_provider()}: name one with TF_PLUGIN_DIR"
    return None


def find_provider() -> Path | None:
    """The folder of provider plugins that TF_PLUGIN_DIR names, or one in a usual place; it holds the version the roots name."""
    given = os.environ.get("TF_PLUGIN_DIR")
    usual = [Path.home() / ".terraform.d/plugins", Path("/usr/local/share/terraform/plugins"), *sorted(Path("/opt").glob("*"))]
    places = [Path(given)] if given else usual
    return next((place for place in places if any(place.glob(f"*/{_provider()}"))), None)


@contextmanager
def served_provider(log: Path) -> Iterator[dict[str, str]]:
    """A provider that all commands share, and the environment that tells them: else each starts one for every plan it makes."""
    place = find_provider()
    assert place
    [program] = place.glob(f"*/{_provider()}/*/terraform-provider-aws*")
    with log.open("w") as out:
        process = subprocess.Popen([program, "-debug"], stdout=out, stderr=out, preexec_fn=end_with_parent)  # noqa: PLW1509  it only makes a system call

    def address() -> str:
        assert process.poll() is None, log.read_text()
        found = re.findall(r"TF_REATTACH_PROVIDERS='(.+)'\n", log.read_text())
        assert found
        return str(found[0])

    try:
        yield {"TF_REATTACH_PROVIDERS": eventually(address)}
    finally:
        process.terminate()
        process.wait()


def _provider() -> str:
    (version,) = re.findall(r'^ +version += "(.+?)"', (TREE / "environment/versions.tf").read_text(), re.MULTILINE)
    return f"hashicorp/aws/{version}"


@dataclass(frozen=True)
class Root:
    """One root module, in a copy of the tree. `values` are variables given to every plan."""

    folder: Path
    values: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, workspace: str = "dev", status: int = 0) -> str:
        """What `terraform` says; fails unless it ends with this status."""
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "TF_CLI_CONFIG_FILE": os.devnull,
                "TF_IN_AUTOMATION": "1",
                "TF_INPUT": "0",
                "TF_CLI_ARGS": "-no-color",
                "TF_WORKSPACE": workspace,
                **self.environ,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == status, f"terraform {' '.join(arguments)}\n{done.stdout[-6000:]}"
        return done.stdout

    def init(self, *options: str, workspace: str = "dev") -> None:
        """Make it ready, with the provider of this machine."""
        self.run("init", f"-plugin-dir={find_provider()}", *options, workspace=workspace)

    def variables(self, workspace: str = "dev") -> list[str]:
        """Options that hand over every value a plan needs."""
        files = [f"-var-file={workspace}.tfvars"] if (self.folder / f"{workspace}.tfvars").exists() else []
        return [*files, *(f"-var={name}={value}" for name, value in self.values.items())]

    def plan(self) -> dict[str, Any]:
        """The plan of a first apply, as `terraform show -json` has it."""
        self.run("plan", "-out=plan", *self.variables())
        plan: dict[str, Any] = json.loads(self.run("show", "-json", "plan"))
        return plan


def copy_root(
    name: str,
    to: Path,
    override: str = OFFLINE + LOCAL_STATE,
    *,
    values: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Root:
    """A root module in a copy of the tree under `to`, its provider and backend overridden."""
    left_out = shutil.ignore_patterns(".terraform", "*.tfstate*", "override.tf")
    shutil.copytree(TREE, to / "infra/terraform", ignore=left_out, dirs_exist_ok=True)
    shutil.copy(INFRA / "resources.json", to / "infra")
    root = copied_root(name, to, values=values, environ=environ)
    # Bootstrap has no backend; its state is local anyway.
    (root.folder / "override.tf").write_text(override)
    return root


def copied_root(
    name: str, to: Path, *, values: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
) -> Root:
    """A root module that was copied to this folder."""
    return Root(to / "infra/terraform" / name, {**_VALUES[name], **(values or {})}, environ or {})


def planned(plan: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Planned values of every resource of a type, by address."""
    return {item["address"]: item["values"] for item in every(plan) if item["type"] == kind}


def every(plan: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every planned resource, with its address, its type and its planned values."""

    def walk(module: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        yield from module.get("resources", [])
        for child in module.get("child_modules", []):
            yield from walk(child)

    return walk(plan["planned_values"]["root_module"])
