"""Keys where nobody may see them: searched for in what the processes of a test run wrote, and in what was answered."""

from collections.abc import Iterable
from pathlib import Path

from telemetry.keys import KEY_FORM, parse_key

_BEGINS = b"tlm_"
GIVEN = ".conf"
"""How files end that a test itself gives to a process, with a key for it."""


def written_below(folder: Path) -> list[Path]:
    """Every file that a run left there, whatever it is called."""
    return sorted(path for path in folder.rglob("*") if path.suffix != GIVEN and path.is_file())


def key_ids(said: bytes) -> set[str]:
    """Of the whole keys in a text; an id is no secret."""
    if _BEGINS not in said:
        return set()
    found = (match[0] for match in KEY_FORM.finditer(said.decode(errors="replace")))
    return {key.key_id for text in found if (key := parse_key(text))}


def leaks(files: Iterable[Path]) -> list[str]:
    """Which files hold a whole key, and which key. What is gone meanwhile holds none."""
    found = set()
    for path in files:
        try:
            said = path.read_bytes()
        except FileNotFoundError:
            continue
        found |= {f"{path}: {key_id}" for key_id in key_ids(said)}
    return sorted(found)
