"""beaver-db by its asynchronous face: collections of many kinds in one SQLite file, on one aiosqlite connection.

Bytes go to its blobs, what JSON can hold to its dictionaries. Every call, a read as well, takes a lock that other
processes see: rows that it writes and deletes. It has no batch form for reads: a transaction round single calls is one.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from importlib import metadata
from typing import Any, AsyncIterator, ClassVar, Dict, Iterable, List, Mapping, Optional, Tuple

from harness.contenders.contender import Configuration, Contender, Durability, Face

OLDEST = (3, 12)


class Store:
    """One of its collections under our names."""

    def __init__(self, database: Any, kind: str) -> None:
        self.database = database
        self.collection = getattr(database, kind)("store")
        self.aset = self.collection.set
        self._add = "put" if kind == "blob" else "set"

    async def aget(self, key: str) -> Any:
        try:
            return await self.collection.get(key)
        except KeyError:
            return None

    async def abatch_get(self, keys: Iterable[str]) -> List[Any]:
        async with self.database.transaction():
            return [await self.aget(key) for key in keys]

    async def abatch_set(self, items: Iterable[Tuple[str, Any]]) -> None:
        async with self.collection.batched() as batch:
            add = getattr(batch, self._add)
            for key, value in items:
                add(key, value)

    def aitems(self) -> AsyncIterator[Tuple[str, Any]]:
        found: AsyncIterator[Tuple[str, Any]] = self.collection.items()
        return found


class Beaver(Contender):
    """A database of collections over SQLite; ``pragma_synchronous`` makes it sync every commit."""

    name = "beaver-db"
    package = "beaver-db"
    module = "beaver"
    page = "https://syalia.com/beaver/guide-dicts.html"
    face = Face.ASYNC
    kinds = ("bytes", "dict", "text")
    kind_options: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "dict": {"collection": "dict"},
        "text": {"collection": "dict"},
    }
    configurations: ClassVar[Mapping[str, Configuration]] = {
        "default": Configuration(Durability.KILL, {"collection": "blob"}),
        "synchronous": Configuration(Durability.SYNCED, {"collection": "blob", "pragma_synchronous": True}),
    }

    async def open(self, folder: str, options: Mapping[str, Any]) -> Store:
        import beaver

        given = dict(options)
        kind = given.pop("collection")
        database = beaver.AsyncBeaverDB(os.path.join(folder, "store.db"), **given)
        await database.connect()
        return Store(database, kind)

    async def close(self, store: Store) -> None:
        await store.database.close()

    def missing(self) -> Optional[str]:
        if sys.version_info < OLDEST:
            return f"{self.name}: it needs Python {'.'.join(map(str, OLDEST))} or newer"
        return super().missing()

    def versions(self) -> Dict[str, str]:
        return {**super().versions(), "aiosqlite": metadata.version("aiosqlite"), "sqlite": sqlite3.sqlite_version}


CONTENDERS = (Beaver(),)
