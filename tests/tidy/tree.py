"""The project's own Python files, parsed."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = (
    *("telemetry", "producer_api", "consumer", "projections", "archive", "operations", "replay", "cli", "infra"),
    *("benchmarks", "tests"),
)


@cache
def modules() -> dict[Path, ast.Module]:
    """Every Python file below our parts, by its path below the root."""
    found = sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py"))
    return {path.relative_to(ROOT): ast.parse(path.read_text()) for path in found}


def tracked_files() -> list[Path]:
    """What git tracks, or would track; paths below the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [Path(name) for name in listed if (ROOT / name).is_file()]
