"""Reads of keys that were read before, while another process commits so many times a second."""

from __future__ import annotations

from time import perf_counter
from typing import Any, Dict, List

from harness.measure.bench import Bench
from harness.measure.counters import difference
from harness.measure.neighbour import Neighbour
from harness.suites.limit import rust
from harness.workloads import Params

KEYS = 1000


def run(folder: str, rate: int, seconds: float = 1.5) -> Dict[str, Any]:
    """Return nanoseconds of a read with and without the commits, and the share of hits with them."""
    bench = Bench()
    opened = bench.open(rust("hits", "lazy", Params(keys=KEYS)), folder)
    bench.loop.run_until_complete(opened.store.aflush())

    def means(for_s: float) -> List[float]:
        """Return some 50 means: a median of blocks would leave out the few that read from the file."""
        until, found = perf_counter() + for_s, []
        while perf_counter() < until:
            found.append(bench.block(opened, 10 * KEYS).ns / (10 * KEYS))
        size = max(1, len(found) // 50)
        return [sum(found[start : start + size]) / size for start in range(0, len(found) - size + 1, size)]

    means(0.05)
    alone = means(seconds)
    with Neighbour(rust("hits", "writethrough-normal", Params(rate=rate)), folder):
        before = opened.store.stats()
        beside = means(seconds)
        counted = difference(_numbers(opened.store.stats()), _numbers(before))
    reads = counted["hits"] + counted["misses"]
    facts = {"hit_ratio": counted["hits"] / reads, "foreign_changes": counted["foreign_changes"] / seconds}
    together = min(len(beside), len(alone))
    return {"ours": beside[:together], "against": alone[:together], "facts": facts}


def _numbers(stats: Dict[str, Any]) -> Dict[str, int]:
    return {name: stats[name] for name in ("hits", "misses", "foreign_changes")}
