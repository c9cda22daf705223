"""What a flush carries, and how it is written: sorted by table and key, inside a transaction that the writer holds."""

from __future__ import annotations

import sqlite3
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .cache import Key
from .changes import CLEAR, DELETE, UPSERT, stored
from .failures import NO_SUCH_TABLE, primary_code

Rows = Sequence[Tuple[str, Optional[bytes]]]  # (key, value); None deletes it


class Unsaved(NamedTuple):
    """What is to be written for a key: a value, or None to delete it. Its identity is its generation."""

    value: Optional[bytes]


class Load:
    """How much is queued: operations (overwrites count) and bytes."""

    def __init__(self) -> None:
        self.operations = self.size_bytes = 0

    def reaches(self, operations: int, size_bytes: int) -> bool:
        """Tell whether it is at one of the limits."""
        return self.operations >= operations or self.size_bytes >= size_bytes


def write(
    connection: sqlite3.Connection, modes: Dict[str, str], unsaved: Mapping[Key, Unsaved], cleared: Mapping[str, object]
) -> None:
    """Clear the tables of `cleared`, then write what is unsaved; what belongs to a dropped table is dropped, too."""
    rows: Dict[str, List[Tuple[str, Optional[bytes]]]] = {table: [] for table in cleared}
    for (table, key), entry in sorted(unsaved.items(), key=_in_key_order):
        rows.setdefault(table, []).append((key, entry.value))
    for table in rows.keys() & modes.keys():
        try:
            _write_table(connection, modes, table, rows[table], clear=table in cleared)
        except sqlite3.OperationalError as error:
            if primary_code(error) != NO_SUCH_TABLE:
                raise
            del modes[table]  # another process dropped it


def _write_table(
    connection: sqlite3.Connection, modes: Mapping[str, str], table: str, rows: Rows, *, clear: bool
) -> None:
    if clear:
        connection.execute(CLEAR.format(table))
    puts = [(key, stored(modes, table, value)) for key, value in rows if value is not None]
    connection.executemany(UPSERT.format(table), puts)
    connection.executemany(DELETE.format(table), [(key,) for key, value in rows if value is None])


def _in_key_order(item: Tuple[Key, Unsaved]) -> Key:
    return item[0]
