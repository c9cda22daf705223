"""Backend "threads": the standard library's sqlite3 in worker threads, on the Python core."""

from __future__ import annotations

import queue
import sqlite3
import threading
from typing import List, Optional, Sequence, Tuple

from ..protocol import Engine, Opening
from ..pycore import make_engine
from ..pycore.connection import connect
from ..pycore.reader import Answer, Query, run
from ..pycore.switches import Switches

READERS = 2

_Job = Optional[Tuple[Sequence[Query], Answer]]


class ThreadsReader:
    """A pool of daemon threads, each with a connection of its own, fed by one queue."""

    def __init__(self, opening: Opening, switches: Switches) -> None:
        self._switches = switches
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._threads: List[threading.Thread] = []
        connections = [connect(opening) for _ in range(READERS)]
        for connection in connections:
            name = "asyncdictsqlite-reader"
            thread = threading.Thread(target=self._serve, args=(connection,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

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
                self._switches.delay_reader()
                self._switches.fail_reader()
                rows = _fetch(connection, queries)
                self._switches.delay_reader()
            except Exception as error:
                answer(None, error)
            else:
                answer(rows, None)


def _fetch(connection: sqlite3.Connection, queries: Sequence[Query]) -> List[List[Tuple[object, ...]]]:
    if len(queries) == 1:
        return [run(connection, queries[0])]
    connection.execute("BEGIN")
    try:
        return [run(connection, query) for query in queries]
    finally:
        connection.execute("COMMIT")


class Factory:
    """Makes engines; see `protocol.EngineFactory`."""

    sqlite_version_info = sqlite3.sqlite_version_info

    def __call__(self, opening: Opening) -> Engine:
        """Make an engine that reads in a pool of threads."""
        return make_engine(opening, ThreadsReader)


factory = Factory()
