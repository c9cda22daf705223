"""File format v1 (docs/format.md): recognising, initialising, creating and dropping tables."""

from __future__ import annotations

import sqlite3
import time
from typing import Dict, List

from ..errors import InvalidTableNameError, SchemaMismatchError, StorageError
from ..protocol import TableInfo, Was
from .failures import primary_code

APPLICATION_ID = 0x61647371  # "adsq"
FORMAT = 1

_META = """CREATE TABLE adsq_meta(
    table_name TEXT PRIMARY KEY NOT NULL, storage_mode TEXT NOT NULL, format INTEGER NOT NULL)"""
_TABLE = 'CREATE TABLE "{}"(key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL, expires_ms INTEGER)'
_SHAPE = [("key", "TEXT", 1, 1), ("value", "BLOB", 1, 0), ("expires_ms", "INTEGER", 0, 0)]


def recognise(connection: sqlite3.Connection, path: str) -> bool:
    """Tell whether the file is ours (True) or empty (False); only reads.

    Raises:
        SchemaMismatchError: it is another application's, or of a newer format.
        sqlite3.DatabaseError: it is no database.
    """
    if connection.in_transaction:
        return _recognise(connection, path)
    # One read transaction: another process may be making the file ours between two statements.
    connection.execute("BEGIN")
    try:
        return _recognise(connection, path)
    finally:
        connection.execute("COMMIT")


def _recognise(connection: sqlite3.Connection, path: str) -> bool:
    application_id: int = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    objects = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application_id == APPLICATION_ID:
        if version > FORMAT:
            raise SchemaMismatchError(f"{path} has format {version}, newer than {FORMAT}: use a newer asyncdictsqlite")
        if objects:
            return True
    if objects or application_id not in (0, APPLICATION_ID):
        raise SchemaMismatchError(f"{path} is a SQLite database of another application: {_whose(connection)}")
    return False


def _whose(connection: sqlite3.Connection) -> str:
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for name in names:
        quoted = name.replace('"', '""')
        if [row[1] for row in connection.execute(f'PRAGMA table_info("{quoted}")')][:2] == ["key", "value"]:
            return "a file of dictsqlite? Import it by `python -m asyncdictsqlite import OLD NEW`"
    return "it was not touched; choose another path"


def initialise(connection: sqlite3.Connection, path: str, busy_timeout: float) -> None:
    """Make an empty file ours, and any of ours a WAL one; waits at most `busy_timeout` seconds for other processes."""
    deadline = time.monotonic() + busy_timeout
    while True:
        try:
            _initialise(connection, path)
            return
        except sqlite3.OperationalError as error:
            # The switch to WAL reports "busy" without asking the busy handler.
            if primary_code(error) != 5 or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _initialise(connection: sqlite3.Connection, path: str) -> None:
    switch_to_wal(connection, path)
    if recognise(connection, path):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not recognise(connection, path):
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={FORMAT}")
            connection.execute(_META)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def switch_to_wal(connection: sqlite3.Connection, path: str) -> None:
    """Switch to WAL, and believe only the answer."""
    answer = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if answer != "wal":
        raise StorageError(f"{path}: SQLite cannot use a WAL here (journal_mode={answer}): use a local file system")


def tables(connection: sqlite3.Connection, path: str) -> Dict[str, TableInfo]:
    """Read what the file says of its tables.

    Raises:
        SchemaMismatchError: one of them has not the columns of the format.
    """
    rows = connection.execute("SELECT table_name, storage_mode FROM adsq_meta ORDER BY table_name").fetchall()
    for name, _ in rows:
        _check_shape(connection, path, name)
    return {name: TableInfo(name, mode) for name, mode in rows}


def create_table(connection: sqlite3.Connection, path: str, name: str, storage_mode: str) -> Was:
    """Create a table; within a transaction. An existing one of ours is left as it is."""
    known = tables(connection, path)
    if name in known:
        return Was(True, known[name].storage_mode.encode())
    for (other,) in connection.execute("SELECT name FROM sqlite_master WHERE lower(name) = lower(?)", (name,)):
        if other == name:
            raise SchemaMismatchError(f"{path} has a table {name!r} that adsq_meta does not list: choose another name")
        raise InvalidTableNameError(f"table name {name!r} differs from the existing {other!r} only in case")
    connection.execute(_TABLE.format(name))
    connection.execute("INSERT INTO adsq_meta VALUES (?, ?, ?)", (name, storage_mode, FORMAT))
    return Was(False)


def _check_shape(connection: sqlite3.Connection, path: str, name: str) -> None:
    found: List[object] = [
        (column, kind.upper(), int(bool(notnull)), key)
        for _, column, kind, notnull, _, key in connection.execute(f'PRAGMA table_info("{name}")')
    ]
    if found[: len(_SHAPE)] != _SHAPE:
        raise SchemaMismatchError(f"{path}, table {name!r} has not the columns of format {FORMAT}: choose another name")


def drop_table(connection: sqlite3.Connection, name: str) -> Was:
    """Drop a table; within a transaction."""
    there = connection.execute("DELETE FROM adsq_meta WHERE table_name = ?", (name,)).rowcount == 1
    if there:
        connection.execute(f'DROP TABLE IF EXISTS "{name}"')
    return Was(there)
