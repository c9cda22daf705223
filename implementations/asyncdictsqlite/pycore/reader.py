"""The seam between the two Python backends: how a query reaches a connection that only reads."""

from __future__ import annotations

import sqlite3
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Protocol, Sequence, Tuple

Rows = List[Tuple[Any, ...]]
Answer = Callable[[Optional[List[Rows]], Optional[Exception]], None]


class Query(NamedTuple):
    """A SELECT; fetching stops early once the rows so far hold about `size_bytes` (0: never)."""

    sql: str
    parameters: Sequence[Any]
    size_bytes: int = 0


class Reader(Protocol):
    """Runs queries away from the loop's thread."""

    def fetch(self, queries: Sequence[Query], answer: Answer, *, may_use_loop: bool) -> Optional[Callable[[], None]]:
        """Run the queries, then call `answer(rows of each, error)` once, from any thread.

        Args:
            may_use_loop: the running loop, if there is one, may carry the work.

        Returns:
            None, or what a thread that is about to block for the answer must call first: the loop may be its own.
        """
        ...

    def stats(self) -> Dict[str, int]:
        """Tell counters of its own."""
        ...

    def close(self) -> None:
        """End; on the writer's thread, when no query is under way."""
        ...


def run(connection: sqlite3.Connection, query: Query) -> Rows:
    """Run one query on a connection."""
    cursor = connection.execute(query.sql, query.parameters)
    if not query.size_bytes:
        return cursor.fetchall()
    rows: Rows = []
    left = query.size_bytes
    for row in cursor:
        rows.append(row)
        left -= sum(len(column) for column in row if column is not None)
        if left <= 0:
            break
    cursor.close()
    return rows
