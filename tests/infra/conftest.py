"""Terraform's roots, copied and made ready once for all tests, and what they would make; and moto to apply them to."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.downloads import ensure_environment
from tests.support.once import once
from tests.support.processes import free_port, stop
from tests.support.terraform import KNOWN, LOCAL_STATE, OFFLINE, ROOTS, Root, copied_root, copy_root, served_provider, why_not
from tests.support.waiting import eventually

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def roots(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Root]]:
    """Each root module, ready to be validated, tested and planned offline."""
    if reason := why_not():
        pytest.skip(f"Terraform is not tested: {reason}")

    def make(folder: Path) -> None:
        for name in ROOTS:
            copy_root(name, folder / name, OFFLINE + LOCAL_STATE + KNOWN.get(name, "")).init()

    folder = once(request, "terraform", make)
    with served_provider(tmp_path_factory.mktemp("provider") / "log") as environ:
        yield {name: copied_root(name, folder / name, environ=environ) for name in ROOTS}


@pytest.fixture(scope="session")
def plans(roots: Mapping[str, Root], request: pytest.FixtureRequest) -> Mapping[str, dict[str, Any]]:
    """What each root would make in an empty account; the environment is dev, with an archive."""

    def make(folder: Path) -> None:
        for name, root in roots.items():
            (folder / name).write_text(json.dumps(root.plan()))

    folder = once(request, "plans", make)
    return {name: json.loads((folder / name).read_text()) for name in roots}


@pytest.fixture(scope="session")
def thorough() -> None:
    """Skip what takes long and fails seldom, where everything else is tested too."""
    if not os.environ.get("INFRA_TEST"):
        pytest.skip("takes long: make infra-test runs it")


@pytest.fixture(scope="session")
def asked_for() -> None:
    """Skip, and say why."""
    if not os.environ.get("INFRA_APPLY"):
        pytest.skip("takes minutes: make infra-apply-test runs it")
    if reason := why_not():
        pytest.skip(f"Terraform is not tested: {reason}")


@pytest.fixture
def moto(tmp_path: Path) -> Iterator[str]:
    """The address of a moto server."""
    port = free_port()
    python = ensure_environment("moto") / "bin" / "python"
    told = {"MOTO_ACM_VALIDATION_WAIT": "0", "MOTO_IAM_LOAD_MANAGED_POLICIES": "true", "MOTO_ECS_SERVICE_RUNNING": "1"}
    with (tmp_path / "moto.log").open("wb") as log:
        command = [str(python), "-P", str(PROJECT / "tests/support/moto_server.py"), str(port)]
        server = subprocess.Popen(command, env={**os.environ, **told}, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"

    def answers() -> None:
        assert server.poll() is None, (tmp_path / "moto.log").read_text()
        try:
            assert httpx.get(f"{url}/moto-api/data.json").status_code == 200
        except httpx.TransportError as error:
            raise AssertionError(str(error)) from error

    try:
        eventually(answers, within_s=60)
        yield url
    finally:
        stop(server)
