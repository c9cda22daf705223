"""sqlitedict, in-thread: a dict of pickles, its SQLite in a thread of its own.

Its connection runs with synchronous=OFF and offers no other, so nothing it acknowledges is synced.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any, ClassVar, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from harness.contenders.contender import Configuration, Contender, Durability, Face


class Store:
    """Its dict under our names; ``update`` is its batch form, it has none for reads."""

    def __init__(self, entries: Any) -> None:
        self.entries = entries
        self.get = entries.get
        self.set = entries.__setitem__
        self.batch_set = entries.update

    def batch_get(self, keys: Iterable[str]) -> List[Optional[bytes]]:
        return [self.entries.get(key) for key in keys]

    def items(self) -> Iterator[Tuple[str, bytes]]:
        return iter(self.entries.iteritems())


class SqliteDict(Contender):
    """The dict that a search for "sqlite dict" finds."""

    name = "sqlitedict"
    package = "sqlitedict"
    module = "sqlitedict"
    page = "https://github.com/piskvorky/sqlitedict/blob/master/README.rst"
    face = Face.SYNC
    threads = True
    processes: ClassVar[Mapping[str, Any]] = {}
    kinds = ("bytes", "dict", "text")
    configurations: ClassVar[Mapping[str, Configuration]] = {
        "autocommit": Configuration(Durability.KILL, {"autocommit": True}),
        "autocommit-wal": Configuration(Durability.KILL, {"autocommit": True, "journal_mode": "WAL"}),
    }

    async def open(self, folder: str, options: Mapping[str, Any]) -> Store:
        import sqlitedict

        return Store(sqlitedict.SqliteDict(os.path.join(folder, "store.db"), **options))

    async def close(self, store: Store) -> None:
        store.entries.close()

    def versions(self) -> Dict[str, str]:
        return {**super().versions(), "sqlite": sqlite3.sqlite_version}


CONTENDERS = (SqliteDict(),)
