"""aiosqlite by hand: one connection, execute and commit per write, one round trip per read.

Tasks share the connection, as its users' programs do: a commit carries what other tasks have executed so far.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any, AsyncIterator, ClassVar, Dict, Iterable, List, Mapping, Optional, Tuple

from harness.contenders.contender import Contender, Face
from harness.contenders.sqlite3_plain import CONFIGURATIONS, CREATE, GET, ITEMS, PUT, SCAN


class Store:
    """A key/value table over one aiosqlite connection."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def aget(self, key: str) -> Optional[bytes]:
        rows = await self.connection.execute_fetchall(GET, (key,))
        return rows[0][0] if rows else None

    async def aset(self, key: str, value: bytes) -> None:
        await self.connection.execute(PUT, (key, value))
        await self.connection.commit()

    async def abatch_get(self, keys: Iterable[str]) -> List[Optional[bytes]]:
        return [await self.aget(key) for key in keys]

    async def abatch_set(self, items: Iterable[Tuple[str, bytes]]) -> None:
        await self.connection.executemany(PUT, items)
        await self.connection.commit()

    async def aitems(self, start: Optional[str] = None, limit: int = -1) -> AsyncIterator[Tuple[str, bytes]]:
        statement = (ITEMS,) if start is None else (SCAN, (start, limit))
        async with self.connection.execute(*statement) as cursor:
            async for row in cursor:
                yield row


class Aiosqlite(Contender):
    """What a program does that has no store of its own."""

    name = "aiosqlite"
    package = "aiosqlite"
    module = "aiosqlite"
    page = "https://aiosqlite.omnilib.dev/en/stable/"
    face = Face.ASYNC
    scans = True
    processes: ClassVar[Mapping[str, Any]] = {}
    configurations = CONFIGURATIONS

    async def open(self, folder: str, options: Mapping[str, Any]) -> Store:
        import aiosqlite

        connection = await aiosqlite.connect(os.path.join(folder, "store.db"))
        for name, value in options.items():
            await connection.execute_fetchall(f"PRAGMA {name} = {value}")
        await connection.execute(CREATE)
        await connection.commit()
        return Store(connection)

    async def close(self, store: Store) -> None:
        await store.connection.close()

    def versions(self) -> Dict[str, str]:
        return {**super().versions(), "sqlite": sqlite3.sqlite_version}


CONTENDERS = (Aiosqlite(),)
