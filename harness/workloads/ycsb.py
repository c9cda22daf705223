"""The mixes A and C of the Yahoo! Cloud Serving Benchmark, keys drawn from its scrambled zipfian distribution.

Source: https://github.com/brianfrankcooper/YCSB/wiki/Core-Workloads
"""

from __future__ import annotations

import asyncio
from itertools import accumulate, cycle, islice
from typing import Any, Dict, Iterator, List, Optional, Tuple

from harness.workloads import streams
from harness.workloads.workload import Params, Workload

SKEW = 0.99  # the exponent of the distribution: YCSB's default
OPERATIONS = 1 << 13  # of one pass; then the same keys again, with other values

Operation = Tuple[str, Optional[bytes]]  # a read where there is no value
Hand = Iterator[Operation]


def zipfian(params: Params, purpose: str, count: int) -> List[str]:
    """Draw keys: the one of rank r is drawn in proportion to r ** -0.99; which key has which rank is random."""
    ranked = streams.keys_in_random_order(params, f"{purpose} ranks")
    weights = list(accumulate((rank + 1) ** -SKEW for rank in range(len(ranked))))
    return streams.draw(params, purpose).choices(ranked, cum_weights=weights, k=count)


def _operations(params: Params, updates: float) -> List[Operation]:
    """Draw the operations; an update never writes what the one before it wrote to that key."""
    keys, chance = zipfian(params, "ycsb", OPERATIONS), streams.draw(params, "ycsb updates")
    changed = [chance.random() < updates for _ in keys]
    values, written = streams.values(params, "ycsb"), dict.fromkeys(keys, 0)
    return [(key, _next(values, written, key) if change else None) for key, change in [*zip(keys, changed)] * 2]


def _next(values: List[bytes], written: Dict[str, int], key: str) -> bytes:
    written[key] += 1
    return values[written[key] % len(values)]


def _hands(params: Params, updates: float) -> List[Hand]:
    """Deal the operations to the tasks, in turn."""
    operations = _operations(params, updates)
    return [cycle(operations[task :: params.tasks]) for task in range(params.tasks)]


def _half(params: Params) -> List[Hand]:
    return _hands(params, 0.5)


def _none(params: Params) -> List[Hand]:
    return _hands(params, 0.0)


async def _client(store: Any, hand: Hand, n: int) -> None:
    for key, value in islice(hand, n):
        if value is None:
            await store.aget(key)
        else:
            await store.aset(key, value)


async def clients(store: Any, hands: List[Hand], n: int) -> None:
    """Let as many tasks as there are hands do their operations, the same number each."""
    await asyncio.gather(*[_client(store, hand, n // len(hands)) for hand in hands])


def sync_clients(store: Any, hands: List[Hand], n: int) -> None:
    """Do what the tasks would do: in-thread they take turns."""
    for hand in hands:
        for key, value in islice(hand, n // len(hands)):
            if value is None:
                store.get(key)
            else:
                store.set(key, value)


def _tasks(params: Params) -> int:
    return params.tasks


YCSB_A = Workload(
    name="ycsb-a",
    version=1,
    question="What does an operation cost when half of them are updates of keys that are asked for often?",
    per="operation",
    entries=streams.entries,
    state=_half,
    body=clients,
    sync_body=sync_clients,
    step=_tasks,
    writes=True,
)
YCSB_C = Workload(
    name="ycsb-c",
    version=1,
    question="What does an operation cost when all of them are reads of such keys?",
    per="operation",
    entries=streams.entries,
    state=_none,
    body=clients,
    sync_body=sync_clients,
    step=_tasks,
)
