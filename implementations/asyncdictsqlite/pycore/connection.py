"""Connections: opened the way this store wants them."""

from __future__ import annotations

import sqlite3
import urllib.parse

from ..protocol import Opening

WAL_BYTES = 1000 * 4120  # a thousand pages, each with its header in the WAL
SYNCHRONOUS = {"full": "FULL", "normal": "NORMAL"}


def connect(opening: Opening, *, write: bool = False) -> sqlite3.Connection:
    """Open the file; the connection may move between threads, used by one at a time."""
    readonly = opening.options.readonly
    # Always a URI: some builds of SQLite take a path that begins with "file:" for one, whatever they are told.
    mode = "mode=ro" if readonly else "mode=rw"
    vfs = "&vfs=unix-excl" if opening.exclusive and not readonly else ""
    uri = f"file:{urllib.parse.quote(opening.path)}?{mode}{vfs}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=0)
    try:
        timeout_ms = min(int(opening.options.busy_timeout * 1000), 2**31 - 1)  # SQLite takes more for 0
        connection.execute(f"PRAGMA busy_timeout={timeout_ms}")
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
        connection.execute("PRAGMA mmap_size=0")
        connection.execute(f"PRAGMA synchronous={SYNCHRONOUS[opening.options.synchronous]}")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")
        if not write:
            connection.execute("PRAGMA query_only=ON")
    except BaseException:
        connection.close()
        raise
    return connection
