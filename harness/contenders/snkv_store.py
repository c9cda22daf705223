"""SNKV, in-thread: the B-tree of SQLite without SQL, a transaction for each call."""

from __future__ import annotations

import os
from itertools import chain, islice
from typing import Any, ClassVar, Iterable, Iterator, List, Mapping, Optional, Tuple

from harness.contenders.contender import Configuration, Contender, Durability, Face


class Store:
    """One `KVStore`; a batch is a transaction round single calls."""

    def __init__(self, entries: Any) -> None:
        self.entries = entries
        self.get = entries.get
        self.set = entries.put

    def batch_get(self, keys: Iterable[str]) -> List[Optional[bytes]]:
        return [self.entries.get(key) for key in keys]

    def batch_set(self, items: Iterable[Tuple[str, bytes]]) -> None:
        self.entries.begin(write=True)
        for key, value in items:
            self.entries.put(key, value)
        self.entries.commit()

    def items(self, start: Optional[str] = None, limit: Optional[int] = None) -> Iterator[Tuple[str, bytes]]:
        with self.entries.iterator() as found:
            if start is not None:  # its iteration goes on after the entry that was found
                found.seek(start)
            sought = [found.item()] if start is not None and not found.eof else []
            for key, value in islice(chain(sought, found), limit):
                yield key.decode(), value


class Snkv(Contender):
    """A key/value store in C over SQLite's pager."""

    name = "snkv"
    package = "snkv"
    module = "snkv"
    page = "https://hash-anu.github.io/snkv/api.html#lang=py"
    face = Face.SYNC
    scans = True
    configurations: ClassVar[Mapping[str, Configuration]] = {
        "default": Configuration(Durability.KILL, {"journal_mode": "WAL", "sync_level": "NORMAL"}),
        "full": Configuration(Durability.SYNCED, {"journal_mode": "WAL", "sync_level": "FULL"}),
    }
    small_cache: ClassVar[Mapping[str, Any]] = {"cache_size": 500}  # pages: SQLite's own default

    async def open(self, folder: str, options: Mapping[str, Any]) -> Store:
        import snkv

        chosen = dict(options)
        chosen["journal_mode"] = getattr(snkv, f"JOURNAL_{options['journal_mode']}")
        chosen["sync_level"] = getattr(snkv, f"SYNC_{options['sync_level']}")
        return Store(snkv.KVStore(os.path.join(folder, "store.db"), **chosen))

    async def close(self, store: Store) -> None:
        store.entries.close()


CONTENDERS = (Snkv(),)
