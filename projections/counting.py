"""A slice of the log, counted: which readings are new, noted for packs and sensors' rows, folded into the fleet's. Pure."""

from collections.abc import Collection, Sequence
from functools import partial
from itertools import batched

from projections.decisions import Refusal
from projections.decoding import Candidate
from projections.effects import ITEMS_AT_ONCE, DeadLetter, Steps, Stores, ask
from projections.fleet_rows import FleetRows, SliceFold
from projections.fold import Fold
from projections.rows import HOUR_US
from projections.seen import Seen
from projections.sensor_rows import Hour, SensorRows
from projections.sheets import MINUTE_US
from projections.slices import Slice
from projections.strays import send_home
from telemetry.letter_marks import LetterMark


def count(piece: Slice, seen: Seen, sensors: SensorRows, fleet: FleetRows) -> Steps[None]:
    """Decide about a slice, and take what was decided into memory; dead letters, their marks and strays are stored at once."""
    in_packs = yield from _prepare(piece.candidates, seen, sensors, fleet)
    for letters in batched(piece.letters, ITEMS_AT_ONCE, strict=False):
        yield from ask(partial(_store_dead_letters, letters))
    for marks in batched(piece.marks, ITEMS_AT_ONCE, strict=False):
        yield from ask(partial(_mark_letters, marks))
    if piece.strays:
        yield from send_home(seen.shard_id, piece.strays)
    if folded := _decide(piece, in_packs, seen, sensors, fleet):
        fleet.fold(folded, seen.unflushed)
    seen.trim()


def _prepare(
    candidates: Sequence[Candidate], seen: Seen, sensors: SensorRows, fleet: FleetRows
) -> Steps[Collection[Candidate]]:
    """Have all rows held that these touch; those of them that lie in packs."""
    unknown: list[Candidate] = []
    doubtful: list[Candidate] = []
    minutes: set[int] = set()
    held = sensors.sensors
    for candidate in candidates:
        measured_at_us, sensor_id, _ = candidate.reading
        minutes.add(measured_at_us // MINUTE_US)
        if (sensor := held.get(sensor_id)) is None or (hour := sensor.hours.get(measured_at_us // HOUR_US)) is None:
            unknown.append(candidate)
        elif measured_at_us <= hour.stored_us:
            doubtful.append(candidate)
    if unknown:
        missing: set[Hour] = {(one.reading.sensor_id, one.reading.measured_at_us // HOUR_US) for one in unknown}
        yield from sensors.hold(missing)
        doubtful += [one for one in unknown if one.reading.measured_at_us <= sensors.stored_us(one.reading)]
    yield from fleet.hold(minutes)
    return (yield from seen.look_up(doubtful)) if doubtful else ()


def _decide(
    piece: Slice, in_packs: Collection[Candidate], seen: Seen, sensors: SensorRows, fleet: FleetRows
) -> SliceFold | None:
    """What the slice brings, noted; None when nothing in it is counted or refused."""
    if not piece.bounds:
        return None
    folded = SliceFold(*piece.bounds)
    held, minutes, decisions = sensors.sensors, folded.minutes, seen.unflushed.open
    for letter in piece.letters:
        decisions.refuse(Refusal(letter.origin.sequence_number, letter.code))
        folded.refusals[letter.code] += 1
    for candidate in piece.candidates:
        reading = candidate.reading
        measured_at_us = reading.measured_at_us
        sensor = held[reading.sensor_id]
        hour = sensor.hours[measured_at_us // HOUR_US]
        newest_us = hour.newest_us
        if measured_at_us > newest_us:
            hour.newest_us = measured_at_us
        elif not seen.is_new(candidate, hour.stored_us, in_packs):
            decisions.repeat(candidate)
            folded.repeats += 1
            continue
        if (decided := hour.decided) is None or decided.decisions is not decisions:
            decided = hour.decided = decisions.hour(reading, hour.row)
        seen.count(candidate, newest_us, decided)
        if not sensor.told and sensor.meets():
            decisions.bear()
            folded.births += 1
        minute = measured_at_us // MINUTE_US
        if minute not in minutes:
            minutes[minute] = Fold(rung=fleet.rung(minute, folded.first))
        minutes[minute].add(reading)
    return folded


def _store_dead_letters(letters: Sequence[DeadLetter], stores: Stores) -> None:
    stores.store_dead_letters(letters)


def _mark_letters(marks: Sequence[LetterMark], stores: Stores) -> None:
    stores.mark_letters(marks)
