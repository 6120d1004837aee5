"""The place of a replay: what was asked, how far it came, and what it wrote, in one file beside its output.

It is a database (SQLite), so that place and repeats (`repeats.py`) move on together or not at all, whenever a replay dies. A
replay into nothing that stays has a place too, in a file that nobody sees and that goes with the process.
"""

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from replay.events import Passed
from telemetry.errors import ReasonCode, TelemetryError
from telemetry.log import Gap, Position

_CACHE_KIB: Final = 64 * 1024
"""Of the database in memory; the rest is on disk."""


class OtherPlace(TelemetryError):
    """There is a place that cannot be gone on from."""


@dataclass(slots=True)
class Progress:
    """How far a replay came."""

    positions: dict[str, Position] = field(default_factory=dict)
    """By shard: everything up to there was written."""
    ended: set[str] = field(default_factory=set)
    """Shards that were read to their end."""
    written: int = 0
    """What of the output counts: bytes of a file, parts of a folder."""
    events: int = 0
    """That were written."""
    repeats: int = 0
    """That were met, whether written or not."""
    passed: Passed = field(default_factory=Passed)
    gaps: dict[str, Gap] = field(default_factory=dict)
    """What may be missing, by shard."""

    def add(self, gap: Gap) -> None:
        """Several gaps of a shard are told as one, from the first one's beginning to the last one's end."""
        known = self.gaps.get(gap.shard_id, gap)
        ends = known.before_ms, gap.before_ms
        before_ms = None if None in ends else max(end for end in ends if end is not None)
        self.gaps[gap.shard_id] = Gap(gap.shard_id, min(known.after_ms, gap.after_ms), before_ms)

    def told(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "positions": self.positions,
            "ended": sorted(self.ended),
            "written": self.written,
            "events": self.events,
            "repeats": self.repeats,
            "codes": self.passed.codes,
            "lost": self.passed.lost,
            "gaps": list(self.gaps.values()),
        }

    @classmethod
    def of(cls, told: dict[str, Any]) -> "Progress":
        """What `told` told."""
        return cls(
            {shard_id: Position(*position) for shard_id, position in told["positions"].items()},
            set(told["ended"]),
            told["written"],
            told["events"],
            told["repeats"],
            Passed(Counter({ReasonCode(code): count for code, count in told["codes"].items()}), told["lost"]),
            {gap[0]: Gap(*gap) for gap in told["gaps"]},
        )


class Place:
    """The place of one replay."""

    def __init__(self, path: Path | None) -> None:
        """None for an output that nobody can go on writing. Raises OtherPlace when somebody else is at it, or it is none."""
        self._path = path
        # An empty name is a file of SQLite's own in the folder for temporary files, which goes with the connection.
        self.database = sqlite3.connect(path or "", timeout=0, isolation_level=None)
        try:
            self.database.execute("pragma locking_mode = exclusive")
            self.database.execute(f"pragma cache_size = -{_CACHE_KIB}")
            self.database.execute("begin immediate")
            self.database.execute("create table if not exists place (asked text, resolved text, progress text)")
        except sqlite3.OperationalError as error:
            self.database.close()
            raise OtherPlace(f"{path} cannot be used ({error}): is another replay writing there?") from None
        except sqlite3.DatabaseError:
            self.database.close()
            raise OtherPlace(f"{path} is not the place of a replay: choose another --output, or remove it.") from None

    def begin(self, asked: dict[str, Any], resolved: dict[str, Any]) -> tuple[dict[str, Any], Progress] | None:
        """What an earlier replay of the same options resolved, and how far it came; None, and these are kept, without one.

        Raises OtherPlace when it was asked something else.
        """
        row = self.database.execute("select asked, resolved, progress from place").fetchone()
        if row is None:
            texts = (json.dumps(asked), json.dumps(resolved), json.dumps(Progress().told()))
            self.database.execute("insert into place values (?, ?, ?)", texts)
            self._commit()
            return None
        before = json.loads(row[0])
        if other := [name for name in asked if asked[name] != before.get(name)]:
            told = ", ".join(f"{name} was {_shown(before.get(name))} and is {_shown(asked[name])}" for name in other)
            raise OtherPlace(
                f"{self._path} is the place of a replay that was asked something else: {told}. "
                "Ask the same to go on with it, or remove it and its output, or choose another --output."
            )
        return json.loads(row[1]), Progress.of(json.loads(row[2]))

    def save(self, progress: Progress) -> None:
        """Commits the progress, and all that stands in the database."""
        self.database.execute("update place set progress = ?", [json.dumps(progress.told())])
        self._commit()

    def close(self, *, done: bool) -> None:
        """A place that is done goes."""
        self.database.close()
        if done and self._path:
            self._path.unlink()

    def _commit(self) -> None:
        self.database.execute("commit")
        self.database.execute("begin immediate")


def _shown(value: Any) -> str:
    """An option as it was typed."""
    if value is None or value == []:
        return "not given"
    return ", ".join(value) if isinstance(value, list) else str(value)
