"""`python -m tests.faults.report RESULTS`: docs/reliability.md from what the suites found, kept as docs/reliability.json.

`make test-faults` writes RESULTS, one JSON line a test, and then calls this. Without an argument the page is made anew from
what is kept, which is how a test sees that nobody edited it by hand.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
KEPT, PAGE = DOCS / "reliability.json", DOCS / "reliability.md"

PROMISES = {
    1: "200 means stored",
    2: "Counted exactly once",
    3: "Exact numbers",
    4: "Nothing vanishes, nothing blocks",
    5: "A projection is a pure function of the log",
    6: "Honest answers",
    7: "Fresh, and soon so again",
}

HEAD = """# Reliability
What the promises were tried against, how often, and what came of it. Every row is a test on the real daemon, the real
LocalStack and real processes; it is only here because at its end every table was equal to what an oracle made of the log,
and every acknowledged reading was in the log. Nothing here is written by hand: `make test-faults` makes this page.

Short versions of those that prove most are part of `make test`.

| | command |
|---|---|
| all of it | `make test-faults` |
| one of the tests below | `make test-faults ONLY=test_name` |
| the simulator: one seed a schedule of crashes, zombies, reshards and faults | `make simulate SEEDS=0:100000` |
"""


def render(kept: Sequence[Mapping[str, Any]]) -> str:
    """The page."""
    parts = [HEAD]
    for number, promise in PROMISES.items():
        rows = [row for row in kept if str(number) in row["promises"].split()]
        if rows:
            parts.append(f"## {number}. {promise}\n\n{_table(rows)}")
    return "\n".join(parts)


def _table(rows: Iterable[Mapping[str, Any]]) -> str:
    lines = [
        "| fault | times | readings in the log | repeats in its events | measured | test | on |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        found = row["found"]
        measured = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in row["figures"].items())
        test = row["test"].rpartition("::")[2].partition("[")[0]
        counts = f"{found.get('readings', '')} | {found.get('repeats', '')}"
        lines.append(f"| {row['fault']} | {row['times']} | {counts} | {measured} | `{test}` | {row['date']} |")
    return "\n".join(lines) + "\n"


def keep(older: Iterable[Mapping[str, Any]], found: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """New results, in place of older ones of the same test and fault."""
    merged = {(row["test"], row["fault"]): row for row in [*older, *found]}
    return sorted(merged.values(), key=lambda row: (row["test"], row["fault"]))


def main() -> int:
    """Make the page; with results, keep them first."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.report", description=__doc__)
    parser.add_argument("results", nargs="?", type=Path)
    parser.add_argument(
        "--some", action="store_true", help="the results are of some of the tests: the others' stay as they are"
    )
    arguments = parser.parse_args()
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else []
    if arguments.results:
        date = datetime.now(UTC).date().isoformat()
        found = [json.loads(line) | {"date": date} for line in arguments.results.read_text().splitlines()]
        kept = keep(kept if arguments.some else [], found)
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    PAGE.write_text(render(kept))
    return 0


if __name__ == "__main__":
    sys.exit(main())
