"""diskcache.Cache, in-thread: its defaults, and the same with every commit synced.

Values of 32 KiB and more go to files of their own, which it never syncs: the synced configuration keeps them in the
database.
"""

from __future__ import annotations

import sqlite3
from typing import Any, ClassVar, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from harness.contenders.contender import Configuration, Contender, Durability, Face


class Store:
    """A cache with its own batch form: a transaction round single calls."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache
        self.get = cache.get
        self.set = cache.set

    def batch_get(self, keys: Iterable[str]) -> List[Optional[bytes]]:
        with self.cache.transact():
            return [self.cache.get(key) for key in keys]

    def batch_set(self, items: Iterable[Tuple[str, bytes]]) -> None:
        with self.cache.transact():
            for key, value in items:
                self.cache.set(key, value)

    def items(self) -> Iterator[Tuple[str, bytes]]:
        for key in self.cache.iterkeys():
            yield key, self.cache.get(key)


class DiskCache(Contender):
    """A cache on disk with eviction."""

    name = "diskcache"
    package = "diskcache"
    module = "diskcache"
    page = "https://grantjenks.com/docs/diskcache/tutorial.html#settings"
    face = Face.SYNC
    threads = True
    processes: ClassVar[Mapping[str, Any]] = {}
    kinds = ("bytes", "dict", "text")
    configurations: ClassVar[Mapping[str, Configuration]] = {
        "default": Configuration(Durability.KILL, {}),
        "full": Configuration(Durability.SYNCED, {"sqlite_synchronous": 2, "disk_min_file_size": 2**30}),
    }
    small_cache: ClassVar[Mapping[str, Any]] = {"sqlite_cache_size": 500}  # pages: SQLite's own default

    async def open(self, folder: str, options: Mapping[str, Any]) -> Store:
        import diskcache

        return Store(diskcache.Cache(folder, **options))

    async def close(self, store: Store) -> None:
        store.cache.close()

    def versions(self) -> Dict[str, str]:
        return {**super().versions(), "sqlite": sqlite3.sqlite_version}


CONTENDERS = (DiskCache(),)
