"""Drawn lines, a hundred a body, sent to the door: no 5xx, each refusal with its line's number, every good reading stored.

FUZZED_EXAMPLES says how many lines there are.
"""

import random
from typing import NamedTuple

from line_protocol_parser import LineFormatError, parse_line

from telemetry.reading import Reading
from tests.producer_api.doors.app import Asked, asking, stored
from tests.producer_api.doors.test_lines import FUZZED, PIECES, drawn
from tests.producer_api.fakes import FakeKinesis
from tests.producer_api.test_writer import scenario

LINES_AT_ONCE = 100
"""As many bad ones as an answer names."""
WHOLE_QUOTES = [piece if piece != '"' else ' s="a b"' for piece in PIECES]
"""So that no line goes on in the next one, unless it is meant to: the other parser reads lines one by one."""


class Body(NamedTuple):
    """Lines, and what an independent parser makes of them."""

    text: str
    bad: set[int]
    """Numbers of lines that are none."""
    unsure: set[int]
    """Of those that the other parser reads by a rule of its own."""
    readings: list[Reading]


def body(chance: random.Random, first: int) -> Body:
    """Drawn lines between readings and texts of two lines; the readings' sensors are numbered on."""
    rows: list[str] = []
    bad: set[int] = set()
    unsure: set[int] = set()
    readings = []
    for number in range(first, first + LINES_AT_ONCE):
        kind = chance.random()
        if kind < 0.05:
            readings.append(Reading(1_772_366_400_000_000 + number, f"s-{number}", 21_500_000))
            rows.append(f"temperature,sensorId=s-{number} value=21.5 {1_772_366_400_000_000_000 + number * 1000}")
        elif kind < 0.08:
            rows += ['m s="two', 'm lines",v=1 5']
        else:
            line = drawn(chance, WHOLE_QUOTES)
            rows.append(line)
            if r"\\" in line:
                unsure.add(len(rows))
            elif line.strip() and not line.lstrip().startswith("#") and not taken(line):
                bad.add(len(rows))
    return Body(chance.choice(["\n", "\r\n"]).join(rows), bad, unsure, readings)


def taken(line: str) -> bool:
    """Whether the other parser takes a line."""
    try:
        parse_line(line)
    except LineFormatError:
        return False
    return True


async def send(client: Asked, given: Body) -> int:
    """Send a body, and compare what it is told; how many lines were refused."""
    answer = await client.post("/api/v2/write", content=given.text)
    assert answer.status_code in (204, 400), (answer.text, given.text)
    told = {one["line"]: one["detail"] for one in answer.json()["errors"]} if answer.content else {}
    twice = {number for number, detail in told.items() if "stands twice" in detail}
    assert set(told) - (twice - given.bad) - given.unsure == given.bad, given.text
    assert (answer.status_code == 400) == bool(told)
    return len(told)


@scenario
async def test_drawn_lines_are_refused_by_their_number_and_good_readings_are_stored(kinesis: FakeKinesis) -> None:
    """Whatever stands between them."""
    chance = random.Random(1818)  # noqa: S311  repeatable on purpose
    refused, readings = 0, []
    async with asking(kinesis) as client:
        for first in range(0, FUZZED, LINES_AT_ONCE):
            given = body(chance, first)
            refused += await send(client, given)
            readings += given.readings
    assert stored(kinesis) == sorted(readings)
    assert FUZZED / 20 < refused < FUZZED
