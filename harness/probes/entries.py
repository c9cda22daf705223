"""One of two processes whose memory is compared."""

from __future__ import annotations

import gc
import os
from typing import Any, Callable, Dict, List

from asyncdictsqlite import AsyncDictSQLite
from harness.probes.memory import resident


def run(folder: str, of: str, sizes: List[int]) -> Dict[str, Any]:
    """Return how many bytes the process grew by for an entry, at each size."""
    keys = [f"key{number:09d}" for number in range(sizes[-1])]
    values = [bytes(64) + number.to_bytes(4, "big") for number in range(sizes[-1])]
    hash(keys[0])
    entries: Dict[str, bytes] = {}
    put = _store(folder) if of == "store" else entries.__setitem__
    put(keys[0], values[0])
    gc.collect()
    before, found, start = resident(), [], 1
    for size in sizes:
        for number in range(start, size):
            put(keys[number], values[number])
        start = size
        found.append((resident() - before) / size)
    return {"bytes": found}


def _store(folder: str) -> Callable[[str, bytes], Any]:
    room = {"capacity": 1 << 24, "capacity_bytes": 1 << 34}
    path = os.path.join(folder, "store.db")
    store = AsyncDictSQLite(path, persist_mode="memory", storage_mode="bytes", backend="rust", **room)  # type: ignore[arg-type]
    return store.set
