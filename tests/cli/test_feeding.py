"""Whether a rebuild's consumer could run is known before anything is filled."""

from pathlib import Path

import pytest

from cli.feeding import require_java
from telemetry.errors import NotRebuilt
from telemetry.settings import Settings

SETTINGS = Settings(prefix="t")


def java(folder: Path, says: str) -> str:
    """A program that says so."""
    program = folder / "java"
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    return str(program)


def test_a_java_that_is_new_enough_will_do(tmp_path: Path) -> None:
    """The environment's, as its consumer gets it, else that of the settings."""
    program = java(tmp_path, "echo openjdk version 17.0.9 >&2")
    require_java(SETTINGS, {"JAVA": program})
    require_java(Settings(prefix="t", java=program), {})


@pytest.mark.parametrize(("says", "said"), [("echo openjdk 11.0.2 >&2", "is version 11"), ("exit 1", "does not run")])
def test_any_other_is_refused(tmp_path: Path, says: str, said: str) -> None:
    """In one sentence that says what to do; where there is none as well."""
    with pytest.raises(NotRebuilt, match=rf"{said}: its consumer runs on Java 17 or newer\. Install"):
        require_java(SETTINGS, {"JAVA": java(tmp_path, says)})
    with pytest.raises(NotRebuilt, match=r"^JAVA='.*/no-java' is not a program: "):
        require_java(SETTINGS, {"JAVA": str(tmp_path / "no-java")})
