"""Many tasks that write at once, each one write after the other: what group commit is for."""

from __future__ import annotations

import asyncio
from itertools import cycle, islice
from typing import Any, Iterator, List, Sequence, Tuple

from harness.workloads import streams
from harness.workloads.workload import Items, Params, Workload

Hand = Iterator[Tuple[str, bytes]]


def deal(items_of: Sequence[Items]) -> List[Hand]:
    """Let each task go through its writes for ever, where it left off in the block before."""
    return [cycle(items) for items in items_of]


def _state(params: Params) -> List[Hand]:
    """Deal the keys to the tasks, each key to one, in random order."""
    keys = streams.keys_in_random_order(params, "writers")
    values = streams.values(params, "writers")
    return deal([streams.changes(keys[task :: params.tasks], values) for task in range(params.tasks)])


async def _writer(store: Any, hand: Hand, n: int) -> None:
    for key, value in islice(hand, n):
        await store.aset(key, value)


async def writers(store: Any, hands: List[Hand], n: int) -> None:
    """Write by as many tasks as there are hands, the same number each."""
    await asyncio.gather(*[_writer(store, hand, n // len(hands)) for hand in hands])


def sync_writers(store: Any, hands: List[Hand], n: int) -> None:
    """Write what the tasks would write: in-thread they take turns."""
    for hand in hands:
        for key, value in islice(hand, n // len(hands)):
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
