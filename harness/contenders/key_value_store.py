"""py-key-value-aio with its disk store: an asynchronous face over diskcache, which it calls in the loop's thread.

Its values are mappings that JSON can hold: the contender puts bytes into one as base64, and text as it is.
"""

from __future__ import annotations

import base64
import sqlite3
from importlib import metadata
from typing import Any, ClassVar, Dict, Iterable, List, Mapping, Optional, Tuple

from harness.contenders.contender import Configuration, Contender, Durability, Face


def _wrapped(value: Any) -> Mapping[str, Any]:
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    return {"value": value}


def _unwrapped(found: Any) -> Any:
    if found is None:
        return None
    return base64.b64decode(found["bytes"]) if "bytes" in found else found["value"]


class Store:
    """A `DiskStore` under our names."""

    def __init__(self, entries: Any) -> None:
        self.entries = entries

    async def aget(self, key: str) -> Any:
        return _unwrapped(await self.entries.get(key))

    async def aset(self, key: str, value: Any) -> None:
        await self.entries.put(key, _wrapped(value))

    async def abatch_get(self, keys: List[str]) -> List[Any]:
        return [_unwrapped(found) for found in await self.entries.get_many(keys)]

    async def abatch_set(self, items: Iterable[Tuple[str, Any]]) -> None:
        keys, values = zip(*items)
        await self.entries.put_many(list(keys), [_wrapped(value) for value in values])


class KeyValue(Contender):
    """One interface over many stores; its disk store commits as diskcache does."""

    name = "py-key-value"
    package = "py-key-value-aio"
    module = "key_value.aio.stores.disk"
    page = "https://strawgate.com/py-key-value/stores/"
    face = Face.ASYNC
    configurations: ClassVar[Mapping[str, Configuration]] = {"disk": Configuration(Durability.KILL, {})}
    iterates = False
    processes: ClassVar[Mapping[str, Any]] = {}
    kinds = ("bytes", "dict", "text")

    async def open(self, folder: str, options: Mapping[str, Any]) -> Store:
        from key_value.aio.stores.disk import DiskStore

        entries = DiskStore(directory=folder, **options)
        await entries.setup()
        return Store(entries)

    async def close(self, store: Store) -> None:
        await store.entries.close()

    def missing(self) -> Optional[str]:
        found = super().missing()
        return None if found is None else f"{found.removesuffix(self.package)}'py-key-value-aio[disk]'"

    def versions(self) -> Dict[str, str]:
        return {**super().versions(), "diskcache": metadata.version("diskcache"), "sqlite": sqlite3.sqlite_version}


CONTENDERS = (KeyValue(),)
