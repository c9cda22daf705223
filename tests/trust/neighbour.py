"""A neighbour of a store: another process with a plain connection of SQLite that syncs nothing."""

from __future__ import annotations

import ast
import sqlite3
import sys
from typing import Any, List

from asyncdictsqlite.testing.peer import Peer

TRUNCATE = "PRAGMA wal_checkpoint(TRUNCATE)"  # impossible as long as anybody reads from the WAL


class Neighbour(Peer):
    """Runs statements; never waits for a lock."""

    def __init__(self, path: str) -> None:
        super().__init__(serve, path)

    def run(self, sql: str) -> List[Any]:
        """Run a statement, and return its rows."""
        self.tell(sql)
        rows: List[Any] = ast.literal_eval(self.hear())
        return rows


def serve(path: str) -> None:
    """Run what comes on standard input."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    connection.execute("PRAGMA synchronous=OFF")
    for line in sys.stdin:
        print(ascii(connection.execute(line).fetchall()), flush=True)
    connection.close()
