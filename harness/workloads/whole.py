"""The whole store at once: every row in turn, and opening its file."""

from __future__ import annotations

from itertools import cycle, islice
from typing import Any, Iterator

from harness.workloads import streams
from harness.workloads.workload import Params, Start, Workload


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
