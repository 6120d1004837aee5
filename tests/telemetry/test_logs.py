"""Logs: one JSON object a line on stderr, whoever writes it."""

import json
import subprocess
import sys
from typing import Any

from telemetry.keys import Credential

PROGRAM = """
import logging, threading
import structlog
from telemetry.logs import configure_logs

configure_logs("{level}", process="api")
log = structlog.get_logger("ours")
log.debug("quiet")
log.info("event_with_fields", shard_id="shard-1", count=2, odd=object, name_="Dach 東\\nzwei Zeilen")
logging.getLogger("botocore").info("not interesting")
logging.getLogger("uvicorn.error").warning("theirs, %s", "formatted")
thread = threading.Thread(target=lambda: log.warning("from_a_thread"))
thread.start()
thread.join()
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


def lines_of(level: str) -> list[dict[str, Any]]:
    """What a program that logs at this level writes; nothing of it to stdout."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(level=level)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_every_line_is_a_json_object_with_time_level_and_context() -> None:
    """Ours, other libraries', tracebacks, and those of other threads."""
    lines = lines_of("info")
    events = ["event_with_fields", "theirs, formatted", "from_a_thread", "failed"]
    assert [line["event"] for line in lines] == events
    assert [line["level"] for line in lines] == ["info", "warning", "warning", "error"]
    assert {line["process"] for line in lines} == {"api"}
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert lines[0]["shard_id"] == "shard-1"
    assert lines[0]["name_"] == "Dach 東\nzwei Zeilen"
    assert "ZeroDivisionError" in lines[3]["exception"]


def test_no_line_holds_a_key() -> None:
    """Whatever it repeats: a field, what another library says, or what an exception is about. Which key it was is told."""
    key = Credential("AbCdEf01", "0123456789ABCDEFGHIJabcdefghij").text
    program = f"""
import logging
import structlog
from telemetry.logs import configure_logs

configure_logs("info", key="{key}")
structlog.get_logger().info("ours", path="/?p={key}", lines=["{key}"])
logging.getLogger("theirs").warning("%s", "{key}")
try:
    raise ValueError("{key}")
except ValueError:
    structlog.get_logger().exception("failed")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert "0123456789" not in done.stderr
    assert [json.loads(line)["key"] for line in done.stderr.splitlines()] == ["tlm_AbCdEf01_…"] * 3


def test_lines_below_the_level_are_left_out() -> None:
    """Whoever writes them; debug shows more, but never botocore's chatter."""
    assert [line["event"] for line in lines_of("error")] == ["failed"]
    assert [line["event"] for line in lines_of("debug")][:2] == ["quiet", "event_with_fields"]
    assert "not interesting" not in [line["event"] for line in lines_of("debug")]
