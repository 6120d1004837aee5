"""docs/analysts.md: each of its blocks runs as printed, against a log of what its own commands have put in."""

import gzip
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
from click.testing import CliRunner

from archive.folder import FolderTarget
from cli.main import telemetry
from telemetry.events import encode_event
from telemetry.log import LogRecord
from telemetry.reading import Reading, parse_timestamp
from telemetry.records import encode_record
from tests.archive.records import chained
from tests.support.processes import running_api, start, stop
from tests.support.stack import Stack, new_stack
from tests.support.waiting import eventually
from tests.tidy.tree import ROOT

PAGE = (ROOT / "docs/analysts.md").read_text()
THROUGH_THE_API = {"send", "simulate", "import"}
PUT_IN = 4
"""Readings, by the page's first commands."""
READINGS = [
    ("202", 17_250_000, "2026-11-15T12:00:00Z"),
    ("204", 21_125_000, "2026-11-15T12:10:00Z"),
    ("202", 18_700_000, "2026-11-26T09:59:00Z"),
    ("203", 19_000_000, "2026-11-26T09:59:59Z"),
]
"""The same."""
SHOWN = """
import ast, sys
tree = ast.parse(sys.stdin.read())
names = {}
for node in tree.body:
    if isinstance(node, ast.Expr):
        print(eval(compile(ast.Expression(node.value), "page", "eval"), names))
    else:
        exec(compile(ast.Module([node], []), "page", "exec"), names)
"""
"""As a notebook does: what a line is worth is shown."""


def blocks(language: str) -> list[str]:
    """What the page shows in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if not line.startswith("export")]
"""The settings of the page's shell are the stack's here."""


class Analyst(NamedTuple):
    """Somebody with a shell in a folder, a stack, and two APIs, of which the second writes into a stream of its own."""

    folder: Path
    environ: dict[str, str]
    api: str
    other_api: str
    other_stream: str
    other_prefix: str

    def types(self, command: str) -> "subprocess.Popen[str]":
        """A command at the addresses of this test, a minute of it as a second."""
        words = command.split()
        if words[0].endswith("/telemetry") and words[1] in THROUGH_THE_API:
            command += f" --url {self.api}"
        command = command.replace(".venv/bin/", f"{Path(sys.executable).parent}/").replace(
            "PREFIX=other", f"PREFIX={self.other_prefix}"
        )
        command = command.replace("http://127.0.0.1:8081", self.other_api).replace("--for 60", "--for 1")
        command = command.replace("other-temperature-events", self.other_stream)
        return subprocess.Popen(
            ["bash", "-c", f"exec {command}" if words[0].endswith("/telemetry") and ">" not in command else command],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Which a shell ignores for what it runs in the background.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  it only makes a system call
        )


@pytest.fixture
def analyst(stack: Stack, api: str, endpoint: str, java: str, tmp_path: Path) -> Iterator[Analyst]:
    """With a log of nothing yet, that is archived where the page says, and a second API."""
    environ = {**stack.environ, "ARCHIVE_TARGET": ".local/data/telemetry-dev", "ARCHIVE_INTERVAL_S": "1"}
    (tmp_path / environ["ARCHIVE_TARGET"]).mkdir(parents=True)
    archived = {**environ, "ARCHIVE_TARGET": str(tmp_path / environ["ARCHIVE_TARGET"])}
    with new_stack(endpoint, java) as other, running_api(other.environ, tmp_path / "other.log") as other_api:
        archiver = start("archive", archived, tmp_path / "archiver.log")
        try:
            yield Analyst(tmp_path, environ, api, other_api, other.names.stream, other.environ["PREFIX"])
        finally:
            stop(archiver)


def _is_archived(folder: Path, readings: int) -> None:
    found = b"".join(gzip.decompress(path.read_bytes()) for path in folder.rglob("*.ndjson.gz"))
    assert found.count(b'"event":') >= readings


def test_every_command_runs_as_printed(analyst: Analyst) -> None:
    """In the order of the page; one that looks for ever has shown something when it is interrupted."""
    assert len(COMMANDS) >= 10
    for number, command in enumerate(COMMANDS):
        if number == COMMANDS.index(next(one for one in COMMANDS if "--source archive" in one)):
            eventually(lambda: _is_archived(analyst.folder / ".local", PUT_IN), within_s=60)
        if "producer_api" in command:
            continue  # it is the second API
        with analyst.types(command) as running:
            if " tail " in command:
                assert running.stdout
                assert '"subject":"202"' in running.stdout.readline()
                running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=120)
        assert running.returncode == (130 if " tail " in command else 0), (command, said)
    subjects = [line.split(",")[0] for line in (analyst.folder / "november.csv").read_text().splitlines()]
    assert {"sensor_id", "202", "204"} <= set(subjects)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the page's readings are archived, packed by day, and replayed as Parquet."""
    monkeypatch.chdir(tmp_path)
    arrived_ms = parse_timestamp("2026-11-26T10:00:00Z") // 1000
    log = [Reading(parse_timestamp(at), sensor_id, micro) for sensor_id, micro, at in READINGS]
    texts = [encode_record([encode_event(one, arrived_ms * 1000)]) for one in log]
    records = [LogRecord(number, arrived_ms, text) for number, text in enumerate(texts, 1)]
    chained(FolderTarget(tmp_path / ".local/data/telemetry-dev"), [records, [LogRecord(9, arrived_ms, b"no event")]])
    shell = CliRunner(env={"ARCHIVE_TARGET": ".local/data/telemetry-dev"})
    for command in ("archive compact", "replay --source archive --format parquet --output readings"):
        answer = shell.invoke(telemetry, command.split())
        assert answer.exit_code == 0, answer.output
    return tmp_path


@pytest.mark.parametrize("number", range(4))
def test_every_snippet_runs_as_printed(folder: Path, number: int) -> None:
    """As in a notebook, where what a line is worth is shown."""
    block, told = blocks("python")[number], PYTHON_SHOWS[number]
    done = subprocess.run(
        [sys.executable, "-c", SHOWN], cwd=folder, input=block, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [text for text in told if text not in done.stdout] == [], done.stdout
    assert len(blocks("python")) == len(PYTHON_SHOWS)


def test_what_other_engines_are_asked_is_what_the_days_have(folder: Path) -> None:
    """DuckDB in their place: it has no Iceberg here, and another name for Athena's quantile."""
    for_athena, for_spark = blocks("sql")
    assert ("204", 21.125) in _by_duckdb(folder, for_athena)
    copied = _by_duckdb(folder, as_duckdb_says_it(for_spark), "select sensor_id, temperature from lake.readings")
    assert sorted(copied) == [("202", Decimal("17.250000")), ("204", Decimal("21.125000"))]


PYTHON_SHOWS = (
    ("17.25", "21.125", "203"),
    ("2026-11-15", "21.125", "204"),
    ("latest", "known_then", "days", "204"),
    ("17.250000", "21.125000", "203"),
)
"""Of each block, in its order."""


def as_duckdb_says_it(sql: str) -> str:
    """A block for Spark, of which there is none here: the same columns, with DuckDB's words for table, overwriting and file."""
    sql = sql.replace("using iceberg partitioned by (days(measured_at))", "").replace("insert overwrite", "insert into")
    return re.sub(r"parquet\.`s3://bucket/prefix/readings`", "readings", sql)


def _by_duckdb(folder: Path, *statements: str) -> list[tuple[Any, ...]]:
    """What a block finds in a table of the packed days; `approx_percentile` is Athena's name for a quantile."""
    days = folder / ".local/data/telemetry-dev/readings/dt=*/*.parquet"
    with duckdb.connect() as db:
        db.execute(f"create view readings as select * from read_parquet('{days}')")  # noqa: S608  our own path
        db.execute("create macro approx_percentile(x, share) as quantile_cont(x, share)")
        db.execute("attach ':memory:' as lake")
        return [db.execute(statement).fetchall() for statement in statements][-1]


def test_the_shell_completes_commands_once_it_is_told() -> None:
    """The block, typed where the page is typed."""
    [block] = blocks("bash")
    typed = ["bash", "-c", block + "complete -p telemetry"]
    done = subprocess.run(typed, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"complete .*_telemetry_completion telemetry\n", done.stdout)


def test_no_block_of_the_page_is_run_by_nobody() -> None:
    """Whatever language it is in."""
    assert set(re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)) == {"sh", "python", "sql", "bash"}
