"""diskcache_rs.Cache, in-thread: a cache in Rust with diskcache's names, over redb.

Its `set` answers False where it failed, which is an error here; its default keeps at most 100,000 entries.
"""

from __future__ import annotations

from typing import Any, ClassVar, Iterable, Iterator, List, Mapping, Optional, Tuple

from harness.contenders.contender import Configuration, Contender, Durability, Face


class Store:
    """A cache under our names; `set_many` is its batch form, it has none for reads."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache
        self.get = cache.get

    def set(self, key: str, value: Any) -> None:
        if not self.cache.set(key, value):
            raise OSError("the cache did not take the value")

    def batch_get(self, keys: List[str]) -> List[Any]:
        return [self.cache.get(key) for key in keys]

    def batch_set(self, items: Iterable[Tuple[str, Any]]) -> None:
        items = list(items)
        if self.cache.set_many(items) != len(items):
            raise OSError("the cache did not take the values")

    def items(self) -> Iterator[Tuple[str, Optional[Any]]]:
        for key in self.cache:
            yield key, self.cache.get(key)


class DiskCacheRs(Contender):
    """A cache on disk for file systems that are shared."""

    name = "diskcache-rs"
    package = "diskcache-rs"
    module = "diskcache_rs"
    page = "https://github.com/loonghao/diskcache_rs#readme"
    face = Face.SYNC
    threads = True
    processes: ClassVar[Mapping[str, Any]] = {}
    configurations: ClassVar[Mapping[str, Configuration]] = {
        "default": Configuration(Durability.KILL, {"size_limit": 2**33, "count_limit": 2**24}),
    }
    iterates = False
    kinds = ("bytes", "dict", "text")

    async def open(self, folder: str, options: Mapping[str, Any]) -> Store:
        import diskcache_rs

        return Store(diskcache_rs.Cache(folder, **options))

    async def close(self, store: Store) -> None:
        store.cache.close()


CONTENDERS = (DiskCacheRs(),)
