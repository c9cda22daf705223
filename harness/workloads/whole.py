"""The whole store at once: every row in turn, opening its file, and what it takes in memory."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Iterator

from harness.workloads import streams
from harness.workloads.workload import Items, Params, Start, Workload


def _keys(params: Params) -> int:
    return params.keys


def _checked(seen: int, n: int) -> None:
    """A store that leaves rows out is not faster."""
    if seen != n:
        raise AssertionError(f"the store gave {seen} rows of {n}")


async def rows(store: Any, keys: int, n: int) -> None:
    """Go through every row of the store."""
    seen = 0
    for _ in range(n // keys):
        async for _row in store.aitems():
            seen += 1
    _checked(seen, n)


def sync_rows(store: Any, keys: int, n: int) -> None:
    """Go through every row of the store."""
    seen = 0
    for _ in range(n // keys):
        for _row in store.items():
            seen += 1
    _checked(seen, n)


def _visits(params: Params) -> Iterator[str]:
    """Name the key to read at each opening: in an empty store one that is not there."""
    return cycle(streams.keys_in_random_order(params, "visits") or [streams.key(0)])


async def visits(doors: Any, keys: Iterator[str], n: int) -> None:
    """Open the store, read one key, close it."""
    for key in islice(keys, n):
        await doors.avisit(key)


def sync_visits(doors: Any, keys: Iterator[str], n: int) -> None:
    """Open the store, read one key, close it."""
    for key in islice(keys, n):
        doors.visit(key)


AT_ONCE = 500  # entries of a batch: no more of them are kept here


@dataclass
class ToCome:
    """Entries that are made when they are written: what is kept of them the store keeps."""

    source: random.Random
    value_size: int
    number: int = 0

    def batches(self, n: int) -> Iterator[Items]:
        """Make the next n, each with a value of its own."""
        for start in range(0, n, AT_ONCE):
            size = min(AT_ONCE, n - start)
            numbers = range(self.number, self.number + size)
            self.number += size
            yield [(streams.key(number), self.source.randbytes(self.value_size)) for number in numbers]


def _entries_to_come(params: Params) -> ToCome:
    return ToCome(streams.draw(params, "memory"), params.value_size)


async def grow(store: Any, state: ToCome, n: int) -> None:
    """Write new entries, and read them."""
    for items in state.batches(n):
        await store.abatch_set(items)
        await store.abatch_get([key for key, _ in items])


def sync_grow(store: Any, state: ToCome, n: int) -> None:
    """Write new entries, and read them."""
    for items in state.batches(n):
        store.batch_set(items)
        store.batch_get([key for key, _ in items])


async def control_grow(store: Any, state: ToCome, n: int) -> None:
    """Put new entries into the dict."""
    for items in state.batches(n):
        for key, value in items:
            await store.put(key, value)


def _as_many_as_keys(params: Params, seconds: float) -> int:
    return params.keys


ITERATION = Workload(
    name="iteration",
    version=1,
    question="What does a row cost when all of them are gone through?",
    per="row",
    entries=streams.entries,
    state=_keys,
    body=rows,
    sync_body=sync_rows,
    step=_keys,
)
OPENING = Workload(
    name="opening",
    version=1,
    question="What does it cost to open a file, read one key and close it?",
    per="opening",
    entries=streams.entries,
    state=_visits,
    body=visits,
    sync_body=sync_visits,
    start=Start.CLOSED,
)
MEMORY = Workload(
    name="memory",
    version=1,
    question="How much does the process grow by for an entry that it wrote and read?",
    per="entry",
    entries=streams.no_entries,
    state=_entries_to_come,
    body=grow,
    sync_body=sync_grow,
    control_body=control_grow,
    start=Start.APART,
    block_n=_as_many_as_keys,
    unit="B",
)
