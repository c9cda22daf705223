"""The standard library's sqlite3 behind an executor of one thread: how a program calls it without holding its loop."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, AsyncIterator, ClassVar, Iterable, List, Mapping, Optional, Tuple

from harness.contenders.contender import Face
from harness.contenders.sqlite3_plain import CONFIGURATIONS, Sqlite3
from harness.contenders.sqlite3_plain import Store as InThread

PAGE = 1000  # rows of an iteration that one call brings


class Store:
    """The store of `sqlite3_plain`, each call a round trip to its thread."""

    def __init__(self, plain: InThread) -> None:
        self.plain = plain
        self.executor = ThreadPoolExecutor(1)

    def _call(self, function: Any, *arguments: Any) -> Any:
        return asyncio.get_running_loop().run_in_executor(self.executor, function, *arguments)

    async def aget(self, key: str) -> Optional[bytes]:
        found: Optional[bytes] = await self._call(self.plain.get, key)
        return found

    async def aset(self, key: str, value: bytes) -> None:
        await self._call(self.plain.set, key, value)

    async def abatch_get(self, keys: Iterable[str]) -> List[Optional[bytes]]:
        found: List[Optional[bytes]] = await self._call(self.plain.batch_get, keys)
        return found

    async def abatch_set(self, items: Iterable[Tuple[str, bytes]]) -> None:
        await self._call(self.plain.batch_set, items)

    async def aitems(self, start: Optional[str] = None, limit: int = -1) -> AsyncIterator[Tuple[str, bytes]]:
        rows = await self._call(self.plain.items, start, limit)
        while page := await self._call(list, islice(rows, PAGE)):
            for row in page:
                yield row


class Sqlite3Executor(Sqlite3):
    """Plain SQL by hand, from a loop."""

    name = "sqlite3-executor"
    page = "https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.run_in_executor"
    face = Face.ASYNC
    threads = False
    configurations: ClassVar[Mapping[str, Any]] = CONFIGURATIONS

    async def open(self, folder: str, options: Mapping[str, Any]) -> Any:
        return Store(InThread(os.path.join(folder, "store.db"), options, any_thread=True))

    async def close(self, store: Any) -> None:
        store.executor.shutdown()
        store.plain.close()


CONTENDERS = (Sqlite3Executor(),)
