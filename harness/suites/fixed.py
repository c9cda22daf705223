"""Fixed blocks: most workloads, each once, small, with a number of operations that never changes.

Tools that keep their own history (asv, pytest-benchmark) compare the same work from commit to commit; the sweep is for
comparing stores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, List, Tuple

from harness.measure.case import Case
from harness.suites.pairs import OURS
from harness.workloads import Params

CONFIGURATION = "writethrough-full"

# Parameters, and how many operations of it a block has: a few milliseconds.
_BLOCKS: Dict[str, Tuple[Params, int]] = {
    "hits": (Params(), 10_000),
    "sets": (Params(), 64),
    "writers": (Params(keys=10_000, tasks=64), 1280),
    "rows-single": (Params(), 50),
    "rows-batch": (Params(batch=1000), 5000),
    "reads-batch": (Params(batch=1000), 10_000),
    "files-read": (Params(value_size=0, keys=100), 1000),
    "files-written": (Params(value_size=0, keys=64, tasks=64), 128),
    "cold-reads": (Params(value_size=1024, keys=6000), 200),
    "cold-gathers": (Params(value_size=1024, keys=6000), 500),
    "ycsb-a": (Params(value_size=1024, keys=2000, tasks=16), 320),
    "ycsb-c": (Params(value_size=1024, keys=2000, tasks=16), 3200),
    "iteration": (Params(keys=10_000), 10_000),
    "opening": (Params(keys=1000), 5),
}


NAMES = tuple(_BLOCKS)  # the workloads that have a fixed block


@dataclass(frozen=True)
class Fixed:
    """A case of one of our backends, and ``n`` operations of it."""

    case: Case
    n: int


def fixed(workload: str, backend: str) -> Fixed:
    """Return the fixed block of a workload on a backend."""
    params, n = _BLOCKS[workload]
    return Fixed(Case(workload, backend, CONFIGURATION, params), n)


def all_fixed() -> Iterator[Fixed]:
    """Return the fixed blocks of every workload on every backend of ours."""
    return (fixed(workload, backend) for workload in NAMES for backend in BACKENDS)


BACKENDS: List[str] = list(OURS)
