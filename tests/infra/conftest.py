"""Terraform's roots, copied and made ready once for all tests, and what they would make."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.once import once
from tests.support.terraform import KNOWN, LOCAL_STATE, OFFLINE, ROOTS, Root, copied_root, copy_root, served_provider, why_not


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
