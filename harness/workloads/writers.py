"""Many tasks that write at once, each one write after the other: what group commit is for."""

from __future__ import annotations

import asyncio
from itertools import cycle, islice
from typing import Any, List

from harness.workloads import streams
from harness.workloads.workload import Items, Params, Workload

PAIRS = 8192


def _state(params: Params) -> List[Items]:
    """Deal random keys to the tasks: how many tasks there are does not change what is written."""
    source = streams.draw(params, "writers")
    values = streams.values(params, "writers")
    pairs = [(streams.key(source.randrange(params.keys)), values[i % len(values)]) for i in range(PAIRS)]
    return [pairs[task :: params.tasks] for task in range(params.tasks)]


async def _writer(store: Any, items: Items, n: int) -> None:
    for key, value in islice(cycle(items), n):
        await store.aset(key, value)


async def writers(store: Any, hands: List[Items], n: int) -> None:
    """Write by as many tasks as there are hands, the same number each."""
    await asyncio.gather(*[_writer(store, items, n // len(hands)) for items in hands])


def sync_writers(store: Any, hands: List[Items], n: int) -> None:
    """Write what the tasks would write: in-thread they take turns."""
    for items in hands:
        for key, value in islice(cycle(items), n // len(hands)):
            store.set(key, value)


def _tasks(params: Params) -> int:
    return params.tasks


WRITERS = Workload(
    name="writers",
    version=1,
    question="What does a write cost when many tasks write at once?",
    per="write",
    entries=streams.entries,
    state=_state,
    body=writers,
    sync_body=sync_writers,
    step=_tasks,
    writes=True,
)
