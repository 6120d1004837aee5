"""Terraform's roots, copied and made ready once for all tests, and what they would make."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.once import once
from tests.support.terraform import ROOTS, Root, copied_root, copy_root, why_not


@pytest.fixture(scope="session")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Root]:
    """Each root module, ready to be validated, tested and planned offline."""
    if reason := why_not():
        pytest.skip(f"Terraform is not tested: {reason}")

    def make(folder: Path) -> None:
        for name in ROOTS:
            copy_root(name, folder / name).init()

    folder = once(tmp_path_factory, "terraform", make)
    return {name: copied_root(name, folder / name) for name in ROOTS}


@pytest.fixture(scope="session")
def plans(roots: Mapping[str, Root], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, dict[str, Any]]:
    """What each root would make in an empty account; the environment is dev, with an archive."""

    def make(folder: Path) -> None:
        for name, root in roots.items():
            (folder / name).write_text(json.dumps(root.plan()))

    folder = once(tmp_path_factory, "plans", make)
    return {name: json.loads((folder / name).read_text()) for name in roots}
