"""LMDB by py-lmdb, in-thread: a transaction for each call.

Its default syncs every commit, the data by fdatasync, the page that makes it count through a descriptor opened with
O_DSYNC. ``sync=False`` leaves both to the system: a kill loses nothing, power loss may lose the file.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, ClassVar, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from harness.contenders.contender import Configuration, Contender, Durability, Face


class Store:
    """One environment; keys are its bytes, values are."""

    def __init__(self, environment: Any) -> None:
        self.environment = environment

    def get(self, key: str) -> Optional[bytes]:
        with self.environment.begin() as transaction:
            found: Optional[bytes] = transaction.get(key.encode())
        return found

    def set(self, key: str, value: bytes) -> None:
        with self.environment.begin(write=True) as transaction:
            transaction.put(key.encode(), value)

    def batch_get(self, keys: Iterable[str]) -> List[Optional[bytes]]:
        with self.environment.begin() as transaction:
            return [transaction.get(key.encode()) for key in keys]

    def batch_set(self, items: Iterable[Tuple[str, bytes]]) -> None:
        with self.environment.begin(write=True) as transaction, transaction.cursor() as cursor:
            cursor.putmulti([(key.encode(), value) for key, value in items])

    def items(self, start: str = "", limit: Optional[int] = None) -> Iterator[Tuple[str, bytes]]:
        with self.environment.begin() as transaction, transaction.cursor() as cursor:
            cursor.set_range(start.encode())
            for key, value in islice(cursor, limit):
                yield key.decode(), value


class Lmdb(Contender):
    """A memory-mapped B+ tree: reads are no system calls."""

    name = "lmdb"
    package = "lmdb"
    module = "lmdb"
    page = "https://lmdb.readthedocs.io/en/release/#environment-class"
    face = Face.SYNC
    scans = True
    threads = True
    processes: ClassVar[Mapping[str, Any]] = {}
    configurations: ClassVar[Mapping[str, Configuration]] = {
        "default": Configuration(Durability.SYNCED, {"map_size": 2**32}),
        "nosync": Configuration(Durability.KILL, {"map_size": 2**32, "sync": False}),
    }

    async def open(self, folder: str, options: Mapping[str, Any]) -> Store:
        import lmdb

        return Store(lmdb.open(folder, **options))

    async def close(self, store: Store) -> None:
        store.environment.close()

    def versions(self) -> Dict[str, str]:
        import lmdb

        return {**super().versions(), "liblmdb": ".".join(map(str, lmdb.version()))}


CONTENDERS = (Lmdb(),)
