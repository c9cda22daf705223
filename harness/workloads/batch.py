"""A batch call against single calls: new rows in key order, and reads of cached keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, List

from harness.workloads import streams
from harness.workloads.workload import Items, Params, Workload


@dataclass
class Rows:
    """Rows that no block has written yet."""

    batch: int
    values: List[bytes]
    next_number: int = 0
    batches: List[Items] = field(default_factory=list)


def _rows(params: Params) -> Rows:
    return Rows(params.batch, streams.values(params, "rows"))


def _refill(rows: Rows, n: int) -> None:
    numbers = range(rows.next_number, rows.next_number + n)
    items = [(streams.key(number), rows.values[number % len(rows.values)]) for number in numbers]
    rows.batches = [items[start : start + rows.batch] for start in range(0, n, rows.batch)]
    rows.next_number += n


async def rows_single(store: Any, rows: Rows, n: int) -> None:
    """Write new rows, one call each."""
    for items in rows.batches:
        for key, value in items:
            await store.aset(key, value)


def sync_rows_single(store: Any, rows: Rows, n: int) -> None:
    """Write new rows, one call each."""
    for items in rows.batches:
        for key, value in items:
            store.set(key, value)


async def rows_batch(store: Any, rows: Rows, n: int) -> None:
    """Write new rows, one call for each batch."""
    for items in rows.batches:
        await store.abatch_set(items)


def sync_rows_batch(store: Any, rows: Rows, n: int) -> None:
    """Write new rows, one call for each batch."""
    for items in rows.batches:
        store.batch_set(items)


def _reads(params: Params) -> List[List[str]]:
    keys = streams.keys_in_random_order(params, "batch reads")
    return [keys[start : start + params.batch] for start in range(0, params.keys, params.batch)]


async def reads_batch(store: Any, batches: List[List[str]], n: int) -> None:
    """Read every key, one call for each batch."""
    for _ in range(n // sum(map(len, batches))):
        for keys in batches:
            await store.abatch_get(keys)


def sync_reads_batch(store: Any, batches: List[List[str]], n: int) -> None:
    """Read every key, one call for each batch."""
    for _ in range(n // sum(map(len, batches))):
        for keys in batches:
            store.batch_get(keys)


async def control_reads_batch(store: Any, batches: List[List[str]], n: int) -> None:
    """Look every key up in the dict itself, one comprehension for each batch."""
    entries = store.entries
    for _ in range(n // sum(map(len, batches))):
        for keys in batches:
            _looked_up = {key: entries[key] for key in keys}


def _batch(params: Params) -> int:
    return params.batch


def _keys(params: Params) -> int:
    return params.keys


ROWS_SINGLE = Workload(
    name="rows-single",
    version=1,
    question="What does a new row cost by one call each?",
    per="row",
    entries=streams.no_entries,
    state=_rows,
    body=rows_single,
    sync_body=sync_rows_single,
    refill=_refill,
    writes=True,
)
ROWS_BATCH = Workload(
    name="rows-batch",
    version=1,
    question="What does a new row cost by batch calls?",
    per="row",
    entries=streams.no_entries,
    state=_rows,
    body=rows_batch,
    sync_body=sync_rows_batch,
    refill=_refill,
    step=_batch,
    writes=True,
)
READS_BATCH = Workload(
    name="reads-batch",
    version=1,
    question="What does a key cost that a batch call reads?",
    per="key",
    entries=streams.entries,
    state=_reads,
    body=reads_batch,
    sync_body=sync_reads_batch,
    control_body=control_reads_batch,
    step=_keys,
)
