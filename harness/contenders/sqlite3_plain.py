"""The standard library's sqlite3, in-thread, one commit per write: what everybody has."""

from __future__ import annotations

import os
import sqlite3
import threading
from typing import Any, ClassVar, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from harness.contenders.contender import Configuration, Contender, Durability, Face

CREATE = "CREATE TABLE IF NOT EXISTS main (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL)"
ITEMS = "SELECT key, value FROM main ORDER BY key"
SCAN = "SELECT key, value FROM main WHERE key >= ? ORDER BY key LIMIT ?"
GET = "SELECT value FROM main WHERE key = ?"
PUT = "INSERT INTO main VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
CONFIGURATIONS = {
    "wal-full": Configuration(Durability.SYNCED, {"journal_mode": "wal", "synchronous": "full"}),
    "wal-normal": Configuration(Durability.KILL, {"journal_mode": "wal", "synchronous": "normal"}),
}


class Store:
    """A key/value table over one connection in autocommit."""

    def __init__(self, path: str, pragmas: Mapping[str, Any], *, any_thread: bool = False) -> None:
        self.path, self.pragmas = path, pragmas
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=not any_thread)
        for name, value in pragmas.items():
            self.connection.execute(f"PRAGMA {name} = {value}")
        self.connection.execute(CREATE)

    def get(self, key: str) -> Optional[bytes]:
        row = self.connection.execute(GET, (key,)).fetchone()
        return None if row is None else row[0]

    def set(self, key: str, value: bytes) -> None:
        self.connection.execute(PUT, (key, value))

    def batch_get(self, keys: Iterable[str]) -> List[Optional[bytes]]:
        return [self.get(key) for key in keys]

    def batch_set(self, items: Iterable[Tuple[str, bytes]]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(PUT, items)
        self.connection.execute("COMMIT")

    def items(self, start: Optional[str] = None, limit: int = -1) -> Iterator[Tuple[str, bytes]]:
        return self.connection.execute(ITEMS) if start is None else self.connection.execute(SCAN, (start, limit))

    def close(self) -> None:
        self.connection.close()


class PerThread:
    """A connection for each thread that calls, as the page on threads advises."""

    def __init__(self, first: Store) -> None:
        self._first, self._stores = first, [first]
        self._mine = threading.local()

    def get(self, key: str) -> Optional[bytes]:
        return self._store().get(key)

    def set(self, key: str, value: bytes) -> None:
        self._store().set(key, value)

    def close(self) -> None:
        for store in self._stores:
            store.close()

    def _store(self) -> Store:
        found: Optional[Store] = getattr(self._mine, "store", None)
        if found is None:
            found = self._mine.store = Store(self._first.path, self._first.pragmas, any_thread=True)
            self._stores.append(found)
        return found


class Sqlite3(Contender):
    """Plain SQL by hand."""

    name = "sqlite3"
    package = ""
    module = "sqlite3"
    page = "https://www.sqlite.org/pragma.html#pragma_synchronous"
    face = Face.SYNC
    scans = True
    threads = True
    processes: ClassVar[Mapping[str, Any]] = {}
    configurations: ClassVar[Mapping[str, Configuration]] = {
        "default-journal": Configuration(Durability.SYNCED, {"journal_mode": "delete", "synchronous": "full"}),
        **CONFIGURATIONS,
    }

    async def open(self, folder: str, options: Mapping[str, Any]) -> Store:
        return Store(os.path.join(folder, "store.db"), options)

    async def close(self, store: Any) -> None:
        store.close()

    def shared(self, store: Store) -> PerThread:
        return PerThread(store)

    def versions(self) -> Dict[str, str]:
        return {"sqlite": sqlite3.sqlite_version}


CONTENDERS = (Sqlite3(),)
