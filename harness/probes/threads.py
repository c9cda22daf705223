"""Cold reads by the sync face, from two threads and from one."""

from __future__ import annotations

import threading
from time import perf_counter_ns
from typing import Any, Dict, List

from harness.probes.cold_store import filled, shuffled


def run(folder: str, rows: int = 100_000, n: int = 10_000, rounds: int = 11) -> Dict[str, Any]:
    """Return nanoseconds of a read, all threads together."""
    times: Dict[int, List[float]] = {1: [], 2: []}
    with filled(folder, rows) as store:
        for number in range(-1, rounds):
            for threads in (1, 2) if number % 2 else (2, 1):
                ns = _read(store, shuffled(rows, (number, threads))[:n], threads) / n
                if number >= 0:
                    times[threads].append(ns)
    return {"ours": times[2], "against": times[1]}


def _read(store: Any, keys: List[str], threads: int) -> int:
    ready = threading.Barrier(threads + 1)

    def read(mine: List[str]) -> None:
        ready.wait()
        for key in mine:
            store.get(key)

    started = [threading.Thread(target=read, args=(keys[number::threads],)) for number in range(threads)]
    for thread in started:
        thread.start()
    ready.wait()
    start = perf_counter_ns()
    for thread in started:
        thread.join()
    return perf_counter_ns() - start
