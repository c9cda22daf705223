"""Cold reads that need the reader thread, while another task keeps the loop busy in slices."""

from __future__ import annotations

import asyncio
import os
from itertools import cycle
from time import perf_counter
from typing import Any, Dict, Tuple

from asyncdictsqlite import AsyncDictSQLite

KEYS = 2000
NEVER = (1 << 62, "io")  # a fault that does not come: but where one may, every cold read goes to the thread


def run(folder: str, slice_ms: float, seconds: float = 1.0, repeats: int = 3) -> Dict[str, Any]:
    """Return nanoseconds of a round trip, and of two slices."""
    return asyncio.run(_run(folder, slice_ms / 1000, seconds, repeats))


async def _run(folder: str, slice_s: float, seconds: float, repeats: int) -> Dict[str, Any]:
    path = os.path.join(folder, "store.db")
    store: Any = AsyncDictSQLite(path, capacity=64, storage_mode="bytes", persist_mode="writethrough", backend="rust")
    async with store:
        await store.abatch_set([(f"key{number:06d}", bytes(64)) for number in range(KEYS)])
        store._engine.inject(reader_fault=NEVER)
        before = store.stats()["cold_thread"]
        found = [await Busy(store, slice_s).run(seconds) for _ in range(repeats)]
        by_thread = store.stats()["cold_thread"] - before
    trips, slices = zip(*found)
    return {"ours": trips, "against": slices, "facts": {"by_thread": by_thread}}


class Busy:
    """One task that reads, one that never waits."""

    def __init__(self, store: Any, slice_s: float) -> None:
        self.store = store
        self.slice_s = slice_s
        self.slices = 0
        self.until = 0.0

    async def run(self, seconds: float) -> Tuple[float, float]:
        """Return nanoseconds of a round trip and of two slices, from the first answer to the last."""
        self.until = perf_counter() + seconds
        reading = asyncio.ensure_future(self._read())
        while perf_counter() < self.until:
            end = perf_counter() + self.slice_s
            while perf_counter() < end:
                pass
            self.slices += 1
            await asyncio.sleep(0)
        (trips, ns, slices) = await reading
        return ns / trips, 2 * ns / slices

    async def _read(self) -> Tuple[int, float, int]:
        await self.store.aget("key000000")
        start, begun, trips = perf_counter(), self.slices, 0
        for number in cycle(range(KEYS)):
            await self.store.aget(f"key{number:06d}")
            trips, end, slices = trips + 1, perf_counter(), self.slices
            if end > self.until:
                break
        return trips, (end - start) * 1e9, max(1, slices - begun)
