"""A crash state becomes files, and what SQLite, or the store itself, finds in them."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional

from harness.powercut.disk import State
from harness.powercut.subjects import Subject, open_ours


class Found(NamedTuple):
    """The rows; or what is wrong with the file."""

    rows: Dict[str, Any]
    problem: Optional[str] = None


def materialise(state: State, folder: Path) -> None:
    """Write the files that the power cut left."""
    for name, (file, kept) in state.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, file.durable)
            for change in kept:
                if change.data is None:
                    os.ftruncate(descriptor, change.at)
                else:
                    os.pwrite(descriptor, change.data, change.at)
        finally:
            os.close(descriptor)


def by_sqlite(subject: Subject, folder: Path) -> Found:
    """Open the file with the standard library's SQLite, check its integrity, read its rows."""
    path = folder / subject.file
    if not path.exists():
        return Found({})
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            # Nobody else is there: no shared memory is needed, and no sync.
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("PRAGMA cell_size_check=ON")
            problem = connection.execute("PRAGMA integrity_check").fetchone()[0]
            return Found(_rows(connection, subject.rows), None if problem == "ok" else f"integrity_check: {problem}")
    except sqlite3.DatabaseError as error:
        return Found({}, f"SQLite: {error}")


def _rows(connection: sqlite3.Connection, query: str) -> Dict[str, Any]:
    try:
        return dict(connection.execute(query).fetchall())
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):  # the power went before there was one
            return {}
        raise


def by_store(subject: Subject, folder: Path) -> Found:
    """Open the file with our own store, as its user would after the power cut, and read its rows."""
    try:
        with open_ours(subject, str(folder)) as store:
            return Found(dict(store.items()))
    except Exception as error:
        return Found({}, f"{type(error).__name__}: {error}")
