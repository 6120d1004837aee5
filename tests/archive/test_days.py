"""What was taken is written down in text, and refused when it is not that."""

import re

import pytest

from archive.days import NOTHING_TAKEN, PARTS, Reached, Taken, encode_taken, parse_taken, part_key, part_of
from replay.parquet import SCHEMA
from telemetry.errors import ArchiveUnreadable
from telemetry.log import Position
from tests.tidy.tree import ROOT


def test_what_was_taken_comes_back() -> None:
    """Sequence numbers as text, which every reader's numbers hold."""
    position = Position(49680582185283048174946646977517061163422765233031086082, 1_764_147_529_316)
    taken = Taken(1, PARTS, {"1.000/shardId-000000000000": Reached.of(position)}, ["1.000/shardId-000000000000"])
    assert parse_taken(encode_taken(taken)) == taken
    assert taken.chains["1.000/shardId-000000000000"].position == position
    assert b'"last":"4968' in encode_taken(taken)
    assert parse_taken(None) == NOTHING_TAKEN


def test_a_sensor_has_its_part_for_ever() -> None:
    """In whichever process: another would hold its day twice."""
    assert [part_of(sensor_id) for sensor_id in ("202", "Küche", "sensor-00001")] == [15, 4, 1]
    assert part_key("2026-11-26", 7) == "readings/dt=2026-11-26/part-07.parquet"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "does not say what was taken.*Remove it"),
        (b'{"format":1,"parts":16,"chains":{"a/b":{"last":"x","at":""}},"ended":[]}', "does not say what was taken"),
        (b'{"format":1,"parts":8,"chains":{},"ended":[]}', "with 8 parts a day.*remove readings/"),
        (b'{"format":2,"parts":16,"chains":{},"ended":[]}', "is of format 2"),
    ],
)
def test_what_is_no_such_place_is_refused(data: bytes, said: str) -> None:
    """With what to do; days of other parts would hold sensors twice."""
    with pytest.raises(ArchiveUnreadable, match=rf"readings/taken.json .*{said}"):
        parse_taken(data)


def test_athena_looks_for_days_where_they_lie() -> None:
    """Path, partition and columns of its table are those of the parts."""
    text = (ROOT / "infra/terraform/modules/archive/athena.tf").read_text()
    columns = dict(re.findall(r'\{ name = "(\w+)", type = "([^"]+)"', text))
    types = {"string": "string", "int32": "int", "decimal128(11, 6)": "decimal(11,6)", "timestamp[us, tz=UTC]": "timestamp"}
    assert columns == {field.name: types[str(field.type)] for field in SCHEMA}
    assert '"storage.location.template"   = "${local.readings}/dt=$${dt}"' in text
    assert 's3://${local.bucket}/readings"' in text
    assert part_key("2026-11-26", 0).startswith("readings/dt=2026-11-26/")
