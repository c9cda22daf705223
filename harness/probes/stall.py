"""How the loop thread is held while 64 tasks write durably into a large file: every callback is looked at."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import resource
from time import perf_counter
from typing import Any, Dict

from asyncdictsqlite import AsyncDictSQLite
from harness.workloads import stalls

AT_ONCE = 50_000


class Watch(stalls.Watch):
    """Looks at how often the thread gave the processor up in a callback, too."""

    switches = 0

    def look(self, handle: Any) -> None:
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        super().look(handle)
        self.switches += resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before


def run(folder: str, rows: int = 1_000_000, tasks: int = 64, seconds: float = 1.0, repeats: int = 3) -> Dict[str, Any]:
    """Return the voluntary context switches of each repeat, and how long callbacks took."""
    return asyncio.run(_run(folder, rows, tasks, seconds, repeats))


async def _run(folder: str, rows: int, tasks: int, seconds: float, repeats: int) -> Dict[str, Any]:
    path = os.path.join(folder, "store.db")
    switches, times, writes = [], [], 0
    async with AsyncDictSQLite(path, storage_mode="bytes", persist_mode="writethrough", backend="rust") as store:
        for start in range(0, rows, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, rows))
            await store.abatch_set([(f"key{number:09d}", bytes(64)) for number in numbers])
        for repeat in range(repeats):
            with Watch() as watch:
                writes += await _written(store, rows, tasks, seconds, repeat)
            switches.append(watch.switches)
            times += watch.times
    times.sort()
    facts = {
        "callbacks": len(times),
        "writes": writes,
        "longest_us": times[-1] / 1000,
        "p999_us": times[len(times) * 999 // 1000] / 1000,
        "median_us": times[len(times) // 2] / 1000,
    }
    return {"ours": switches, "against": [0] * repeats, "facts": facts}


async def _written(store: Any, rows: int, tasks: int, seconds: float, seed: int) -> int:
    until = perf_counter() + seconds

    async def write(task: int) -> int:
        source = random.Random(f"{seed}/{task}")
        for written in itertools.count():
            if perf_counter() > until:
                return written
            await store.aset(f"key{source.randrange(rows):09d}", source.randbytes(64))
        raise AssertionError("it counts for ever")

    return sum(await asyncio.gather(*map(write, range(tasks))))
