"""Terraform's roots, copied and made ready once for all tests, and what they would make."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.terraform import KNOWN, LOCAL_STATE, OFFLINE, ROOTS, Root, copy_root, why_not


@pytest.fixture(scope="session")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Root]:
    """Each root module, ready to be validated, tested and planned offline."""
    if reason := why_not():
        pytest.skip(f"Terraform is not tested: {reason}")
    made = {name: copy_root(name, tmp_path_factory.mktemp(name), OFFLINE + LOCAL_STATE + KNOWN.get(name, "")) for name in ROOTS}
    for root in made.values():
        root.init()
    return made


@pytest.fixture(scope="session")
def plans(roots: Mapping[str, Root]) -> Mapping[str, dict[str, Any]]:
    """What each root would make in an empty account; the environment is dev, with an archive."""
    return {name: root.plan() for name, root in roots.items()}
