"""Changes as SQL, inside a transaction that the writer holds."""

from __future__ import annotations

import sqlite3
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

from ..errors import SchemaMismatchError
from ..protocol import Change, Kind, Was
from . import schema

UPSERT = 'INSERT INTO "{}"(key, value) VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value'
INSERT = 'INSERT INTO "{}"(key, value) VALUES(?, ?) ON CONFLICT(key) DO NOTHING'
SELECT = 'SELECT value FROM "{}" WHERE key = ?'
DELETE = 'DELETE FROM "{}" WHERE key = ?'
CLEAR = 'DELETE FROM "{}"'


def stored(modes: Mapping[str, str], table: str, value: Optional[bytes]) -> Union[bytes, str, None]:
    """Return the value as the table keeps it: json as TEXT, all else as BLOB."""
    if table not in modes:
        raise SchemaMismatchError(f"table {table!r} is not in the file (dropped?)")
    return value.decode() if modes[table] == "json" and value is not None else value


def read_back(value: Any) -> bytes:
    """Return the bytes of a stored value, whichever storage class it has."""
    return value if isinstance(value, bytes) else str(value).encode()


def are_blind_puts(calls: Sequence[Tuple[Sequence[Change], bool]]) -> bool:
    """Tell whether the order of keys cannot matter: only puts, and nobody asks what was there."""
    return not any(old or change.kind != Kind.PUT for changes, old in calls for change in changes)


def put_sorted(connection: sqlite3.Connection, modes: Mapping[str, str], puts: Sequence[Change]) -> None:
    """Write puts in key order, the last of a key only: sorted rows touch each page once."""
    last: Dict[str, Dict[str, Union[bytes, str, None]]] = {}
    for change in puts:
        last.setdefault(change.table, {})[change.key] = stored(modes, change.table, change.value)
    for table, rows in last.items():
        connection.executemany(UPSERT.format(table), sorted(rows.items()))


def apply(
    connection: sqlite3.Connection, path: str, modes: Dict[str, str], change: Change, *, old: bool
) -> Was:
    """Apply one change and tell what it met."""
    kind, table = change.kind, change.table
    if kind == Kind.CREATE:
        mode = (change.value or b"").decode()
        was = schema.create_table(connection, path, table, mode)
        modes[table] = was.old.decode() if was.old is not None else mode
        return was
    if kind == Kind.DROP:
        modes.pop(table, None)
        return schema.drop_table(connection, table)
    if kind == Kind.CLEAR:
        stored(modes, table, None)
        return Was(connection.execute(CLEAR.format(table)).rowcount > 0)
    return _apply_to_key(connection, modes, change, old=old)


def _apply_to_key(connection: sqlite3.Connection, modes: Mapping[str, str], change: Change, *, old: bool) -> Was:
    kind, table, key = change.kind, change.table, change.key
    value = stored(modes, table, change.value)
    if kind == Kind.PUT_IF_ABSENT:
        if connection.execute(INSERT.format(table), (key, value)).rowcount == 1:
            return Was(False)
        return Was(True, _select(connection, table, key) if old else None)
    if kind == Kind.DELETE and not old:
        return Was(connection.execute(DELETE.format(table), (key,)).rowcount == 1)
    before = _select(connection, table, key) if old or kind == Kind.PUT_IF_EQUAL else None
    if kind == Kind.DELETE:
        connection.execute(DELETE.format(table), (key,))
    elif kind == Kind.PUT or (before is not None and before == change.expected):
        connection.execute(UPSERT.format(table), (key, value))
    return Was(before is not None, before if old else None)


def _select(connection: sqlite3.Connection, table: str, key: str) -> Optional[bytes]:
    row = connection.execute(SELECT.format(table), (key,)).fetchone()
    return None if row is None else read_back(row[0])


def outcome(change: Change, was: Was) -> Optional[bytes]:
    """Return the value that a key surely has after a change was applied; None where it has none, or nobody knows."""
    kind = change.kind
    if kind == Kind.PUT or (kind == Kind.PUT_IF_ABSENT and not was.there):
        return change.value
    if kind == Kind.PUT_IF_ABSENT:
        return was.old
    if kind == Kind.PUT_IF_EQUAL and was.old is not None:
        return change.value if was.old == change.expected else was.old
    return None
