"""Tells a reading that the log holds again: same sensor, same time, same temperature.

A reading newer than all of its sensor's is none, which a number a sensor in memory tells. Any other may repeat any that came
before, so each one is kept on disk, by a number for its sensor, time and temperature: exact, in some 25 bytes.
"""

import sqlite3
from typing import Final

from telemetry.reading import Reading

_UNWRITTEN_MAX: Final = 100_000
"""Readings in memory before they go to disk together, in the order of the key."""
_SCHEMA: Final = """
create table if not exists sensor (number integer primary key, id text not null, newest_us integer not null);
create table if not exists seen (
    sensor integer, measured_at_us integer, temperature_micro integer,
    primary key (sensor, measured_at_us, temperature_micro)
) without rowid;
"""


class Repeats:
    """What of the log was seen, in a database whose transactions are its owner's."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        for statement in _SCHEMA.split(";"):
            database.execute(statement)
        self._newest: dict[str, list[int]] = {
            sensor_id: [number, newest_us]
            for number, sensor_id, newest_us in database.execute("select number, id, newest_us from sensor")
        }
        """Of each sensor, its number here and the time of its newest reading."""
        self._touched: set[str] = set()
        self._unwritten: set[tuple[int, int, int]] = set()

    def is_repeat(self, reading: Reading) -> bool:
        """Whether the same reading came before. It is remembered."""
        measured_at_us, sensor_id, temperature_micro = reading
        known = self._newest.get(sensor_id)
        if known is None:
            known = self._newest[sensor_id] = [len(self._newest), -1]
        key = (known[0], measured_at_us, temperature_micro)
        if measured_at_us > known[1]:
            known[1] = measured_at_us
            self._touched.add(sensor_id)
        elif key in self._unwritten or self._is_written(key):
            return True
        self._unwritten.add(key)
        if len(self._unwritten) >= _UNWRITTEN_MAX:
            self.write()
        return False

    def write(self) -> None:
        """Everything into the database, to be committed with what was made of it."""
        self._database.executemany("insert into seen values (?, ?, ?)", sorted(self._unwritten))
        self._unwritten.clear()
        rows = [(self._newest[sensor_id][0], sensor_id, self._newest[sensor_id][1]) for sensor_id in self._touched]
        self._database.executemany("insert or replace into sensor values (?, ?, ?)", rows)
        self._touched.clear()

    def _is_written(self, key: tuple[int, int, int]) -> bool:
        statement = "select 1 from seen where sensor = ? and measured_at_us = ? and temperature_micro = ?"
        return self._database.execute(statement, key).fetchone() is not None
