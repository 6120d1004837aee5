"""Every row is stored or written down with its reason, once, however often the import broke off."""

import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from replay import importing
from replay.api import NotSent, Sent
from replay.importing import ImportPlace, import_rows
from replay.place import OtherPlace
from replay.tables import Row

ASKED = {"size": 1, "--map": {"sensorId": "id"}}


class Door:
    """Takes readings whose number is no multiple of seven; breaks off now and then, having stored what it was sent."""

    def __init__(self, breaks_at: int = 0) -> None:
        self.calls: list[list[int]] = []
        self._breaks_at = breaks_at

    def __call__(self, lines: Sequence[bytes]) -> Sent:
        numbers = [json.loads(line)["temperature"] for line in lines]
        self.calls.append(numbers)
        if self._breaks_at and len(self.calls) == self._breaks_at:
            raise NotSent("away")
        refused = {index: {"temperature": "why"} for index, number in enumerate(numbers) if number % 7 == 0}
        return Sent(len(numbers) - len(refused), refused)


def rows(count: int) -> list[Row]:
    """Of which every fifth is none."""
    return [Row(n, {}, "not JSON") if n % 5 == 0 else Row(n, {"temperature": n, "sensorId": "ü"}) for n in range(1, count + 1)]


def run(place: ImportPlace, door: Door, refused: io.BufferedRandom, count: int = 50) -> None:
    refused.truncate(place.course.refused_bytes)
    refused.seek(place.course.refused_bytes)
    place.save()
    import_rows(rows(count), door, place, refused, lambda: None)


@pytest.mark.parametrize("at_once", [1, 4, 1000])
def test_each_row_is_sent_or_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """In order, with number, reason and what it held."""
    monkeypatch.setattr(importing, "LINES_MAX", at_once)
    door, place = Door(), ImportPlace(tmp_path / "place", ASKED)
    with (tmp_path / "refused").open("w+b") as refused:
        run(place, door, refused)
    assert [number for call in door.calls for number in call] == [n for n in range(1, 51) if n % 5]
    assert max(map(len, door.calls)) <= at_once
    told = [json.loads(line) for line in (tmp_path / "refused").read_bytes().splitlines()]
    assert [one["row"] for one in told] == [n for n in range(1, 51) if n % 5 == 0 or n % 7 == 0]
    assert told[0] == {"row": 5, "message": {"row": "not JSON"}, "reading": {}}
    assert told[1] == {"row": 7, "message": {"temperature": "why"}, "reading": {"temperature": 7, "sensorId": "ü"}}
    assert (place.course.rows, place.course.stored, place.course.refused) == (50, 50 - len(told), len(told))


def test_batches_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a row that no batch holds is written down."""
    monkeypatch.setattr(importing, "LINES_BYTES_MAX", 100)
    door, place = Door(), ImportPlace(tmp_path / "place", ASKED)
    long = Row(51, {"temperature": 51, "sensorId": "x" * 200})
    with (tmp_path / "refused").open("w+b") as refused:
        place.save()
        import_rows([*rows(50), long], door, place, refused, lambda: None)
    assert all(sum(len(json.dumps({"temperature": n, "sensorId": "ü"})) for n in call) <= 100 for call in door.calls)
    assert json.loads((tmp_path / "refused").read_bytes().splitlines()[-1])["message"]["row"].endswith(
        "more than a batch holds"
    )


@pytest.mark.parametrize("breaks_at", [1, 2, 3])
def test_what_broke_off_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks_at: int) -> None:
    """With the batch it broke off at, which the door may have stored; what was written down beyond the place is cut."""
    monkeypatch.setattr(importing, "LINES_MAX", 8)
    sent: list[int] = []
    with (tmp_path / "refused").open("w+b") as refused:
        for door in (Door(breaks_at), Door(breaks_at), Door()):
            place = ImportPlace(tmp_path / "place", ASKED)
            try:
                run(place, door, refused)
            except NotSent:
                refused.seek(0, 2)
                refused.write(b"half of a")
            sent += [number for call in door.calls for number in call]
    assert set(sent) == {n for n in range(1, 51) if n % 5}
    assert len(sent) <= 40 + 2 * 8
    told = [json.loads(line)["row"] for line in (tmp_path / "refused").read_bytes().splitlines()]
    assert told == [n for n in range(1, 51) if n % 5 == 0 or n % 7 == 0]
    assert place.course.stored == 50 - len(told)


def test_another_import_at_an_old_place_is_refused(tmp_path: Path) -> None:
    """Naming what differs; and a file that is no place too."""
    ImportPlace(tmp_path / "place", ASKED).save()
    assert not ImportPlace(tmp_path / "place", ASKED).is_new
    with pytest.raises(OtherPlace, match="size was 1 and is 2"):
        ImportPlace(tmp_path / "place", {**ASKED, "size": 2})
    (tmp_path / "place").write_text("[]")
    with pytest.raises(OtherPlace, match="is not the place of an import"):
        ImportPlace(tmp_path / "place", ASKED)
