"""Files that were damaged on purpose: what is done to a sound file, by name."""

from __future__ import annotations

import gzip
import io
import os
import random
import sqlite3
import zipfile
from typing import Callable, Dict

PAGE = 4096

Damage = Callable[[str, random.Random], None]


def _patch(path: str, at: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


def _flip(path: str, drawn: random.Random, times: int, below: int) -> None:
    data = bytearray(_of_file(path))
    for _ in range(times):
        data[drawn.randrange(min(below, len(data)))] ^= 1 << drawn.randrange(8)
    _write(path, data)


def _of_file(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def _a_page(path: str, drawn: random.Random) -> int:
    return drawn.randrange(os.path.getsize(path) // PAGE) * PAGE


def _truncate(path: str, drawn: random.Random) -> None:
    os.truncate(path, drawn.randrange(os.path.getsize(path)))


def _swap_pages(path: str, drawn: random.Random) -> None:
    one, other = _a_page(path, drawn), _a_page(path, drawn)
    data = _of_file(path)
    _patch(path, one, data[other : other + PAGE])
    _patch(path, other, data[one : one + PAGE])


def _of_zip(_path: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("main", bytes(PAGE))
    return file.getvalue()


def _foreign_database(path: str, drawn: random.Random) -> None:
    os.unlink(path)
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE main (key TEXT PRIMARY KEY, value BLOB); INSERT INTO main VALUES ('a', 'b')")
    connection.close()


def _run(sql: str) -> Damage:
    def run(path: str, _drawn: random.Random) -> None:
        connection = sqlite3.connect(path)
        connection.executescript(sql)
        connection.close()

    return run


BY_SQL = {
    "a view for a table": "DROP TABLE main; CREATE VIEW main AS SELECT 'a' AS key, 'b' AS value, NULL AS expires_ms",
    "other columns": "DROP TABLE main; CREATE TABLE main (a, b, c)",
    "no list of tables": "DROP TABLE adsq_meta",
    "an empty list of tables": "DELETE FROM adsq_meta",
    "an unknown mode": "UPDATE adsq_meta SET storage_mode = 'none'",
    "a mode of bytes": "UPDATE adsq_meta SET storage_mode = x'00ff'",
    "a trigger": "CREATE TRIGGER evil AFTER INSERT ON main BEGIN DELETE FROM main; END",
    "a newer format": "PRAGMA user_version = 1000",
    "a key of bytes": "INSERT INTO main VALUES (x'ff', 'value', 'never')",
    "a key that is no UTF-8": "UPDATE main SET key = CAST(x'c328' AS TEXT) WHERE rowid = 3",
    "values of another type": "UPDATE main SET value = 3.5",
}

WHOLE_FILE: Dict[str, Callable[[str], bytes]] = {
    "text": lambda _: b"key,value\n" * 500,
    "zeros": lambda _: bytes(3 * PAGE),
    "gzip": lambda path: gzip.compress(_of_file(path)),
    "zip": _of_zip,
    "sqlite 2": lambda _: b"** This file contains an SQLite 2.1 database **\0" + bytes(PAGE),
    "header alone": lambda path: _of_file(path)[:100],
    "one byte": lambda _: b"S",
    "noise": lambda path: random.Random(path).randbytes(5 * PAGE),
}

DAMAGES: Dict[str, Damage] = {
    "one bit": lambda path, drawn: _flip(path, drawn, 1, 1 << 30),
    "eight bits": lambda path, drawn: _flip(path, drawn, 8, 1 << 30),
    "a bit of the header": lambda path, drawn: _flip(path, drawn, 1, 108),
    "a bit of the schema": lambda path, drawn: _flip(path, drawn, 2, PAGE),
    "a zeroed page": lambda path, drawn: _patch(path, _a_page(path, drawn), bytes(PAGE)),
    "a garbage page": lambda path, drawn: _patch(path, _a_page(path, drawn), bytes(drawn.choices(range(256), k=PAGE))),
    "a page of 255": lambda path, drawn: _patch(path, _a_page(path, drawn), b"\xff" * PAGE),
    "two pages swapped": _swap_pages,
    "truncated": _truncate,
    "a foreign database": _foreign_database,
    **{name: _run(sql) for name, sql in BY_SQL.items()},
    "another format": lambda path, drawn: _write(path, WHOLE_FILE[drawn.choice(sorted(WHOLE_FILE))](path)),
    "a foreign WAL": lambda path, drawn: _write(path + "-wal", _of_file(path + ".other-wal")),
    "a flipped WAL": lambda path, drawn: _flip(_with_wal(path), drawn, 1 + drawn.randrange(4), 1 << 30),
    "a truncated WAL": lambda path, drawn: _truncate(_with_wal(path), drawn),
    "a garbage WAL": lambda path, drawn: _write(path + "-wal", bytes(drawn.choices(range(256), k=3 * PAGE))),
    "a garbage journal": lambda path, drawn: _write(path + "-journal", bytes(drawn.choices(range(256), k=3 * PAGE))),
    "a garbage wal-index": lambda path, drawn: _write(path + "-shm", bytes(drawn.choices(range(256), k=8 * PAGE))),
}


def _with_wal(path: str) -> str:
    """Put a database in its place whose process was killed; return the name of its WAL."""
    os.replace(path + ".live", path)
    os.replace(path + ".live-wal", path + "-wal")
    return path + "-wal"
