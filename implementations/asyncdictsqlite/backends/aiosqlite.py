"""Backend "aiosqlite": the aiosqlite package reads, the Python core does the rest."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from typing import Any, Callable, Dict, List, Optional, Sequence

import aiosqlite
import aiosqlite.core

from ..protocol import Engine, Opening
from ..pycore import make_engine
from ..pycore.connection import connect
from ..pycore.pool import Pool
from ..pycore.reader import Answer, Query, Rows
from ..pycore.switches import Switches


class AiosqliteReader:
    """One aiosqlite connection for reads of keys under a running loop, one plain connection for all others.

    A read becomes a task at the call. Where that task cannot end (its loop is blocked by a sync call, or closes), the
    plain connection answers instead.
    """

    def __init__(self, opening: Opening, switches: Switches) -> None:
        self._switches = switches
        self._pool = Pool(opening, switches, 1)
        self._under_way: Dict[asyncio.Task[None], Callable[[], None]] = {}
        self._awaited = self._plain = 0
        self._connection = _daemonic(aiosqlite.Connection(lambda: connect(opening), 64))
        try:
            asyncio.run(_opened(self._connection))  # on the writer's thread, which has no loop
        except BaseException:
            self._pool.close()
            raise

    def fetch(self, queries: Sequence[Query], answer: Answer, *, may_use_loop: bool) -> Optional[Callable[[], None]]:
        """See `Reader.fetch`."""
        # A page is fetched in parts: on the shared connection its open cursor would hold an old snapshot for all reads.
        in_parts = any(query.size_bytes for query in queries)
        loop = asyncio._get_running_loop() if may_use_loop and not in_parts else None
        if loop is None:
            self._plain += 1
            self._pool.fetch(queries, answer)
            return None
        self._awaited += 1
        once = _Once(answer)

        def use_pool() -> None:
            self._pool.fetch(queries, once)

        def ended(task: asyncio.Task[None]) -> None:
            del self._under_way[task]
            if task.cancelled():  # the loop ends early, perhaps before the task began: the read goes on without it
                use_pool()

        task = loop.create_task(self._fetch(queries, once))
        self._under_way[task] = use_pool
        task.add_done_callback(ended)
        return use_pool

    async def _fetch(self, queries: Sequence[Query], answer: _Once) -> None:
        try:
            await self._delay()
            self._switches.fail_reader()
            pages = [await self._run(query) for query in queries]
            await self._delay()
        except Exception as error:
            await asyncio.sleep(0)  # an eager task starts inside of `fetch`, whose caller holds the engine's lock
            answer(None, error)
        except GeneratorExit:  # the loop was closed without a word
            self._pool.fetch(queries, answer)
            raise
        else:
            answer(pages, None)

    async def _run(self, query: Query) -> Rows:
        return [tuple(row) for row in await self._connection.execute_fetchall(query.sql, query.parameters)]

    async def _delay(self) -> None:
        delay_s = self._switches.reader_delay_s()
        if delay_s:
            await asyncio.sleep(delay_s)

    def close(self) -> None:
        """Close both connections; on the writer's thread. The pool answers what is under way."""
        for use_pool in list(self._under_way.values()):
            use_pool()
        self._pool.close()
        asyncio.run(self._connection.close())

    def stats(self) -> Dict[str, int]:
        """Tell how many cold reads went which way."""
        return {"cold_aiosqlite": self._awaited, "cold_plain": self._plain}


class _Once:
    """An answer that is given once, by whichever reader is first."""

    def __init__(self, answer: Answer) -> None:
        self._answer: Optional[Answer] = answer
        self._lock = threading.Lock()

    def __call__(self, pages: Optional[List[Rows]], error: Optional[Exception]) -> None:
        with self._lock:
            answer, self._answer = self._answer, None
        if answer is not None:
            answer(pages, error)


async def _opened(connection: aiosqlite.Connection) -> aiosqlite.Connection:
    return await connection


def _daemonic(connection: Any) -> Any:
    """Make its thread a daemon that survives a closed loop: a forgotten one would hang the process at exit."""
    if isinstance(connection, threading.Thread):  # before aiosqlite 0.22
        run = connection.run
        connection.daemon = True
        connection.run = lambda: _survive(run)  # type: ignore[method-assign]
    else:
        worker, queue = aiosqlite.core._connection_worker_thread, connection._tx
        name = "asyncdictsqlite-aiosqlite"
        connection._thread = threading.Thread(target=_survive, args=(lambda: worker(queue),), name=name, daemon=True)
    return connection


def _survive(run: Callable[[], None]) -> None:
    while True:
        try:
            run()
        except RuntimeError:  # it told a closed loop of a result: nobody is left to hear of it
            continue
        return


class Factory:
    """Makes engines; see `protocol.EngineFactory`."""

    sqlite_version_info = sqlite3.sqlite_version_info

    def __call__(self, opening: Opening) -> Engine:
        """Make an engine that reads through aiosqlite."""
        return make_engine(opening, AiosqliteReader)


factory = Factory()
