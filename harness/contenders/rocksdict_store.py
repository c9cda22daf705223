"""RocksDB by rocksdict, in-thread: each write goes to its log, which is synced where the write options say so."""

from __future__ import annotations

import os
from itertools import islice
from typing import Any, ClassVar, Iterable, Iterator, List, Mapping, Optional, Tuple

from harness.contenders.contender import Configuration, Contender, Durability, Face


class Store:
    """An `Rdict` under our names."""

    def __init__(self, entries: Any) -> None:
        self.entries = entries
        self.get = entries.get
        self.set = entries.put

    def batch_get(self, keys: List[str]) -> List[Optional[bytes]]:
        found: List[Optional[bytes]] = self.entries.get(keys)
        return found

    def batch_set(self, items: Iterable[Tuple[str, bytes]]) -> None:
        from rocksdict import WriteBatch

        batch = WriteBatch()
        for key, value in items:
            batch.put(key, value)
        self.entries.write(batch)

    def items(self, start: Optional[str] = None, limit: Optional[int] = None) -> Iterator[Tuple[str, bytes]]:
        return islice(self.entries.items(from_key=start), limit)


class RocksDict(Contender):
    """A log-structured merge tree with threads of its own."""

    name = "rocksdict"
    package = "rocksdict"
    module = "rocksdict"
    page = "https://rocksdict.github.io/RocksDict/rocksdict.html#WriteOptions"
    face = Face.SYNC
    scans = True
    threads = True
    kinds = ("bytes", "dict", "text")
    configurations: ClassVar[Mapping[str, Configuration]] = {
        "default": Configuration(Durability.KILL, {"sync": False}),
        "sync": Configuration(Durability.SYNCED, {"sync": True}),
    }
    small_cache: ClassVar[Mapping[str, Any]] = {"block_cache_bytes": 2_000_000}  # what SQLite has

    async def open(self, folder: str, options: Mapping[str, Any]) -> Store:
        from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteOptions

        database, writes = Options(), WriteOptions()
        if "block_cache_bytes" in options:
            blocks = BlockBasedOptions()
            blocks.set_block_cache(Cache(options["block_cache_bytes"]))
            database.set_block_based_table_factory(blocks)
        entries = Rdict(os.path.join(folder, "store"), database)
        writes.sync = bool(options["sync"])
        entries.set_write_options(writes)
        return Store(entries)

    async def close(self, store: Store) -> None:
        store.entries.close()


CONTENDERS = (RocksDict(),)
