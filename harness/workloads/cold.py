"""Reads of what the store does not hold in memory: the file is in the system's cache, the store was opened anew."""

from __future__ import annotations

import asyncio
from itertools import cycle, islice
from typing import Any, Iterator, Tuple

from harness.workloads import streams
from harness.workloads.workload import Params, Start, Workload


def _state(params: Params) -> Iterator[str]:
    """Go through every key in random order, for ever: what is read again was read too long ago to be kept."""
    return cycle(streams.keys_in_random_order(params, "cold reads"))


async def cold_reads(store: Any, keys: Iterator[str], n: int) -> None:
    """Read one key after the other."""
    for key in islice(keys, n):
        await store.aget(key)


def sync_cold_reads(store: Any, keys: Iterator[str], n: int) -> None:
    """Read one key after the other."""
    for key in islice(keys, n):
        store.get(key)


GATHERED = 100


async def cold_gathers(store: Any, keys: Iterator[str], n: int) -> None:
    """Read 100 keys at once, again and again."""
    for _ in range(n // GATHERED):
        await asyncio.gather(*[store.aget(key) for key in islice(keys, GATHERED)])


def _gathered(params: Params) -> int:
    return GATHERED


async def cold_batches(store: Any, batches: Tuple[int, Iterator[str]], n: int) -> None:
    """Read keys by batch calls."""
    size, keys = batches
    for _ in range(n // size):
        await store.abatch_get(list(islice(keys, size)))


def sync_cold_batches(store: Any, batches: Tuple[int, Iterator[str]], n: int) -> None:
    """Read keys by batch calls."""
    size, keys = batches
    for _ in range(n // size):
        store.batch_get(list(islice(keys, size)))


def _batches(params: Params) -> Tuple[int, Iterator[str]]:
    return params.batch, _state(params)


def _batch(params: Params) -> int:
    return params.batch


COLD_READS = Workload(
    name="cold-reads",
    version=1,
    question="What does it cost to read a key that is not in memory?",
    per="read",
    entries=streams.entries,
    state=_state,
    body=cold_reads,
    sync_body=sync_cold_reads,
    start=Start.REOPENED,
)
COLD_GATHERS = Workload(
    name="cold-gathers",
    version=1,
    question="What does such a read cost when 100 are gathered?",
    per="read",
    entries=streams.entries,
    state=_state,
    body=cold_gathers,
    sync_body=sync_cold_reads,
    step=_gathered,
    start=Start.REOPENED,
)
COLD_BATCHES = Workload(
    name="cold-batches",
    version=2,
    question="What does such a read cost in a batch call?",
    per="read",
    entries=streams.entries,
    state=_batches,
    body=cold_batches,
    sync_body=sync_cold_batches,
    step=_batch,
    start=Start.REOPENED,
)
