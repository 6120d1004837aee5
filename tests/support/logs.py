"""The log files of processes under test."""

import json
from pathlib import Path
from typing import Any


def log_lines(log: Path, begin_bytes: int = 0) -> list[dict[str, Any]]:
    """The JSON lines of a log from some place on; one that is being written is left out."""
    lines = log.read_bytes()[begin_bytes:].decode().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}\n")]
