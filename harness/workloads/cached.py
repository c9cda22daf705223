"""What is in memory, many at a time: gathered, by batch calls, and records that must be decoded."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import cycle, islice
from typing import Any, Iterator, List

from harness.workloads import streams
from harness.workloads.workload import Params, Workload

GATHERED = 100


def _keys(params: Params) -> Iterator[str]:
    return cycle(streams.keys_in_random_order(params, "gathers"))


async def gathers(store: Any, keys: Iterator[str], n: int) -> None:
    """Read 100 keys at once, again and again."""
    for _ in range(n // GATHERED):
        await asyncio.gather(*[store.aget(key) for key in islice(keys, GATHERED)])


def sync_gathers(store: Any, keys: Iterator[str], n: int) -> None:
    """Read as many keys, one after the other."""
    for key in islice(keys, n):
        store.get(key)


def _gathered(params: Params) -> int:
    return GATHERED


def _pairs(params: Params) -> List[Any]:
    """Write every key, another value than it has, in batches."""
    keys = streams.keys_in_random_order(params, "batch writes")
    items = streams.changes(keys, streams.values(params, "batch writes"))
    return [items[start : start + params.batch] for start in range(0, len(items), params.batch)]


def _dicts(params: Params) -> List[Any]:
    return [dict(items) for items in _pairs(params)]


async def sets_batch(store: Any, batches: List[Any], n: int) -> None:
    """Write every key, one call for each batch."""
    for _ in range(n // sum(map(len, batches))):
        for items in batches:
            await store.abatch_set(items)


def sync_sets_batch(store: Any, batches: List[Any], n: int) -> None:
    """Write every key, one call for each batch."""
    for _ in range(n // sum(map(len, batches))):
        for items in batches:
            store.batch_set(items.items() if isinstance(items, dict) else items)


async def control_sets_batch(store: Any, batches: List[Any], n: int) -> None:
    """Make a dict of each batch, by comprehensions."""
    for _ in range(n // sum(map(len, batches))):
        for items in batches:
            pairs = items.items() if isinstance(items, dict) else items
            _made = {key: value for key, value in pairs}  # noqa: C416  # the loop itself is what is compared


def _twice(params: Params) -> int:
    return 2 * params.keys


GATHERS = Workload(
    name="gathers",
    version=1,
    question="What does a hit cost when 100 are gathered?",
    per="hit",
    entries=streams.entries,
    state=_keys,
    body=gathers,
    sync_body=sync_gathers,
    control_body=gathers,
    step=_gathered,
)
SETS_BATCH = Workload(
    name="sets-batch",
    version=1,
    question="What does a cached key cost that a batch call writes?",
    per="key",
    entries=streams.entries,
    state=_dicts,
    body=sets_batch,
    sync_body=sync_sets_batch,
    control_body=control_sets_batch,
    step=_twice,
)
SETS_PAIRS = replace(
    SETS_BATCH, name="sets-pairs", question="What does it cost when the batch is a list of pairs?", state=_pairs
)
