"""A pool of reader threads, each with a connection of its own, fed by one queue."""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from typing import List, Optional, Sequence, Tuple

from ..protocol import Opening
from .connection import connect
from .reader import Answer, Query, Rows, run
from .switches import Switches

_Job = Optional[Tuple[Sequence[Query], Answer]]


class Pool:
    """Daemon threads that run queries; see `reader.Reader`."""

    def __init__(self, opening: Opening, switches: Switches, threads: int) -> None:
        self._switches = switches
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._serve, args=(connect(opening),), name="asyncdictsqlite-reader", daemon=True)
            for _ in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def fetch(self, queries: Sequence[Query], answer: Answer) -> None:
        """Queue the queries for the first thread that is free."""
        self._jobs.put((queries, answer))

    def close(self) -> None:
        """End the threads, after what is queued."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self, connection: sqlite3.Connection) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                connection.close()
                return
            queries, answer = job
            try:
                pages = self._run(connection, queries)
            except Exception as error:
                answer(None, error)
            else:
                answer(pages, None)

    def _run(self, connection: sqlite3.Connection, queries: Sequence[Query]) -> List[Rows]:
        self._delay()
        self._switches.fail_reader()
        pages = _fetch(connection, queries)
        self._delay()
        return pages

    def _delay(self) -> None:
        delay_s = self._switches.reader_delay_s()
        if delay_s:
            time.sleep(delay_s)


def _fetch(connection: sqlite3.Connection, queries: Sequence[Query]) -> List[Rows]:
    if len(queries) == 1:
        return [run(connection, queries[0])]
    connection.execute("BEGIN")
    try:
        return [run(connection, query) for query in queries]
    finally:
        connection.execute("COMMIT")
