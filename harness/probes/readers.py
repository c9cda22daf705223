"""A large cold batch on all processors, and on one, where the engine uses one reader."""

from __future__ import annotations

import asyncio
import os
from time import perf_counter_ns
from typing import Any, Dict, List, Set

from harness.probes.cold_store import filled, shuffled


def run(folder: str, rows: int = 100_000, n: int = 10_000, rounds: int = 15) -> Dict[str, Any]:
    """Return nanoseconds of a key."""
    return asyncio.run(_run(folder, rows, n, rounds))


async def _run(folder: str, rows: int, n: int, rounds: int) -> Dict[str, Any]:
    everywhere = os.sched_getaffinity(0)
    sides = (everywhere, {min(everywhere)})
    times: List[List[float]] = [[], []]
    async with filled(folder, rows) as store:
        for number in range(-1, rounds):
            for side in (0, 1) if number % 2 else (1, 0):
                keys = shuffled(rows, (number, side))[:n]
                _go_to(sides[side])
                start = perf_counter_ns()
                await store.abatch_get(keys)
                if number >= 0:
                    times[side].append((perf_counter_ns() - start) / n)
        _go_to(everywhere)
    return {"ours": times[0], "against": times[1]}


def _go_to(processors: Set[int]) -> None:
    """Let all threads of this process run there."""
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), processors)
