"""dictsqlite 2.1.3, class AsyncDictSQLite: what its modes do, not what they are called, decides the class.

Its connection runs WAL with synchronous=NORMAL and offers no other, so no mode syncs before it acknowledges.
"writethrough" writes at the call only while ``buffer_size`` is 1 (its own default there; 100 is turned into 1): with
more, acknowledged writes wait in memory and a kill loses them.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar, Mapping

from harness.contenders.contender import Configuration, Contender, Durability, Face


class DictSQLite(Contender):
    """The upstream project's asynchronous class."""

    name = "dictsqlite"
    package = "dictsqlite"
    module = "dictsqlite"
    page = "https://github.com/disnana/DictSQLite/blob/main/dictsqlite_v2/dictsqlite/docs/README_EN.md"
    face = Face.ASYNC
    kinds = ("bytes", "dict")  # of text that it pickles it reads back an error
    kind_options: ClassVar[Mapping[str, Mapping[str, Any]]] = {"dict": {"storage_mode": "pickle"}}
    configurations: ClassVar[Mapping[str, Configuration]] = {
        "writethrough": Configuration(Durability.KILL, {"persist_mode": "writethrough", "buffer_size": 1}),
        "writethrough-buffered": Configuration(
            Durability.VOLATILE, {"persist_mode": "writethrough", "buffer_size": 1000}
        ),
        "lazy": Configuration(Durability.VOLATILE, {"persist_mode": "lazy"}),
        "memory": Configuration(Durability.VOLATILE, {"persist_mode": "memory"}),
    }
    small_cache: ClassVar[Mapping[str, Any]] = {"capacity": 64}
    iterates = False

    async def open(self, folder: str, options: Mapping[str, Any]) -> Any:
        from dictsqlite import AsyncDictSQLite

        return AsyncDictSQLite(os.path.join(folder, "store.db"), **{"storage_mode": "bytes", **options})

    async def close(self, store: Any) -> None:
        await store.aclose()


CONTENDERS = (DictSQLite(),)
