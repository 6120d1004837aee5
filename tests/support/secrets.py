"""Keys where nobody may see them: searched for in what the processes of a test run logged."""

from collections.abc import Iterable
from pathlib import Path

from telemetry.keys import KEY_FORM, parse_key

_BEGINS = b"tlm_"


def logs_below(folder: Path) -> list[Path]:
    """Every log of a run."""
    return sorted(path for path in folder.rglob("*.log") if path.is_file())


def leaks(logs: Iterable[Path]) -> list[str]:
    """Which logs hold a whole key, and which key: by its id, which is no secret."""
    found = set()
    for path in logs:
        said = path.read_bytes()
        if _BEGINS in said:
            keys = (match[0] for match in KEY_FORM.finditer(said.decode(errors="replace")))
            found |= {f"{path}: {key.key_id}" for text in keys if (key := parse_key(text))}
    return sorted(found)
