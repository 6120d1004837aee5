"""Terraform's outputs, as `infra/environment.sh … output -json` writes them into a pipe."""

import json
import sys
from typing import Any, TextIO


def output(name: str, given: TextIO) -> Any:
    """What was given; ends the program with a sentence where that is nothing, as when Terraform failed before the pipe."""
    try:
        return json.load(given)
    except ValueError:
        sys.exit(f"standard input is not Terraform's output {name}: see what infra/environment.sh said")
