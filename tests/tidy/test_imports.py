"""Imports point one way, along the data's path (design, "Layout")."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.tidy.tree import PARTS, modules

ALLOWED = {
    "telemetry": set(),
    "archive": {"telemetry"},
    "projections": {"telemetry"},
    "operations": {"telemetry", "projections", "archive"},
    "consumer": {"telemetry", "projections", "operations"},
    "producer_api": {"telemetry", "projections", "operations"},
    "replay": {"telemetry", "archive", "projections"},
    "cli": {"telemetry", "archive", "projections", "replay", "operations", "consumer", "producer_api", "infra"},
    "infra": {"telemetry", "archive", "projections", "operations", "replay"},
}
READ_SIDE = {
    f"projections.{name}"
    for names in (
        ("calendar", "dynamodb_reads", "effects", "fleet", "fold", "generations", "histogram", "history", "marks"),
        ("percentiles", "ranges", "reads", "sensors", "tiles", "times", "zones"),
    )
    for name in names
}


def imported(tree: ast.Module) -> Iterator[str]:
    """Full names of the modules a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path: Path) -> str:
    """The part a file belongs to."""
    return path.parts[0]


def test_a_part_imports_only_what_lies_before_it() -> None:
    """telemetry ← archive, projections; both ← operations ← consumer and producer_api; replay and cli above them."""
    wrong = [
        f"{path} imports {name}: {ours(path)}/ may import {sorted(ALLOWED[ours(path)]) or 'nothing'} of ours"
        for path, tree in modules().items()
        if ours(path) not in {"tests", "benchmarks"}
        for name in imported(tree)
        if (part := name.partition(".")[0]) in PARTS and part not in ALLOWED[ours(path)] | {ours(path)}
    ]
    assert not wrong, "\n".join(wrong)


def test_the_api_uses_only_the_read_side_of_the_projections() -> None:
    """What writes tables stays out of the API."""
    wrong = [
        f"{path} imports {name}: move what it needs into the read side"
        for path, tree in modules().items()
        if ours(path) == "producer_api"
        for name in imported(tree)
        if name.startswith("projections.") and ".".join(name.split(".")[:2]) not in READ_SIDE
    ]
    assert not wrong, "\n".join(wrong)


def test_the_api_uses_only_the_status_of_the_operations() -> None:
    """What a person is told to do, and what acts, stays out of the API."""
    status = {
        f"operations.{name}"
        for name in ("archived", "exposition", "generations", "observation", "restarts", "stages", "tally", "verdicts")
    }
    wrong = [
        f"{path} imports {name}: it is not what /api/status is made of"
        for path, tree in modules().items()
        if ours(path) == "producer_api"
        for name in imported(tree)
        if name.startswith("operations.") and ".".join(name.split(".")[:2]) not in status
    ]
    assert not wrong, "\n".join(wrong)


def test_amazon_kclpy_is_imported_under_consumer_only() -> None:
    """Nobody else knows KCL, but for the sample that ours is measured against."""
    wrong = [
        f"{path} imports {name}"
        for path, tree in modules().items()
        if ours(path) not in ("consumer", "tests", "benchmarks")
        for name in imported(tree)
        if name.startswith("amazon_kclpy")
    ]
    assert not wrong, "\n".join(wrong)


def test_the_pure_modules_import_no_clock_no_thread_and_no_client() -> None:
    """The simulator can drive them because they hold none of these."""
    values = ("decisions", "fold", "histogram", "packs", "policy", "retention", "rows", "sheets", "varints")
    writing = (
        *("effects", "entries", "decoding", "texts", "seen", "slices", "counting", "sensor_rows"),
        *("fleet_rows", "flushing", "projector", "strays"),
    )
    reading = ("reads", "marks", "fleet", "zones", "calendar", "tiles", "ranges", "history", "percentiles", "sensors", "times")
    operations = (
        *("doctor", "surroundings", "leasing", "letters", "movement", "tally", "verdicts"),
        *("differences", "judging", "judging_sensors", "lacking", "promoting", "recomputed", "stages", "verifying"),
    )
    pure = [*(f"projections/{name}.py" for name in (*values, *writing, *reading)), "producer_api/writing/commit.py"]
    pure += [f"operations/{name}.py" for name in operations]
    chain = ("names", "instants", "meta", "lines", "objects", "wholeness", "world", "shard", "pace", "chain", "wanted")
    pure += [f"archive/{name}.py" for name in (*chain, "lacking")]
    pure += [f"producer_api/doors/{name}.py" for name in ("lines", "points", "lorawan")]
    pure += [f"producer_api/keys/{name}.py" for name in ("bucket", "credentials", "policy")] + ["telemetry/keys.py"]
    impure = {"time", "threading", "asyncio", "random", "socket", "boto3", "botocore", "concurrent"}
    wrong = [
        f"{name} imports {module}: hand it in as an argument"
        for name in pure
        for module in imported(modules()[Path(name)])
        if module.partition(".")[0] in impure
    ]
    assert not wrong, "\n".join(wrong)
