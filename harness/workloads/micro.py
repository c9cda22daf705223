"""One operation at a time in one task: hits, and writes of keys that are there."""

from __future__ import annotations

from typing import Any, List

from harness.workloads import streams
from harness.workloads.workload import Items, Params, Workload

MOST_SETS = 32  # different keys: a round of them must not outlast a block where each is synced


def _hits_state(params: Params) -> List[str]:
    return streams.keys_in_random_order(params, "hits")


async def hits(store: Any, keys: List[str], n: int) -> None:
    """Read each key in turn."""
    for _ in range(n // len(keys)):
        for key in keys:
            await store.aget(key)


def sync_hits(store: Any, keys: List[str], n: int) -> None:
    """Read each key in turn."""
    for _ in range(n // len(keys)):
        for key in keys:
            store.get(key)


async def control_hits(store: Any, keys: List[str], n: int) -> None:
    """Await a plain coroutine over a dict for each key in turn."""
    get = store.get
    for _ in range(n // len(keys)):
        for key in keys:
            await get(key)


def _sets_state(params: Params) -> Items:
    keys = streams.keys_in_random_order(params, "sets")[:MOST_SETS]
    return streams.changes(keys, streams.values(params, "sets"))


async def sets(store: Any, items: Items, n: int) -> None:
    """Write each key in turn, another value than it has."""
    for _ in range(n // len(items)):
        for key, value in items:
            await store.aset(key, value)


def sync_sets(store: Any, items: Items, n: int) -> None:
    """Write each key in turn, another value than it has."""
    for _ in range(n // len(items)):
        for key, value in items:
            store.set(key, value)


async def control_sets(store: Any, items: Items, n: int) -> None:
    """Await a plain coroutine that assigns to a dict for each key in turn."""
    put = store.put
    for _ in range(n // len(items)):
        for key, value in items:
            await put(key, value)


def _keys(params: Params) -> int:
    return params.keys


def _sets(params: Params) -> int:
    return 2 * min(params.keys, MOST_SETS)


HITS = Workload(
    name="hits",
    version=1,
    question="What does it cost to read a key that was read before?",
    per="hit",
    entries=streams.entries,
    state=_hits_state,
    body=hits,
    sync_body=sync_hits,
    control_body=control_hits,
    step=_keys,
)
SETS = Workload(
    name="sets",
    version=1,
    question="What does a write cost, one at a time?",
    per="write",
    entries=streams.entries,
    state=_sets_state,
    body=sets,
    sync_body=sync_sets,
    control_body=control_sets,
    step=_sets,
    writes=True,
)
