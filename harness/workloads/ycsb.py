"""Mixes A, B, C, D and F of the Yahoo! Cloud Serving Benchmark, over its scrambled zipfian and latest distributions.

Source: https://github.com/brianfrankcooper/YCSB/wiki/Core-Workloads
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from itertools import accumulate, cycle, islice
from typing import Any, Dict, Iterator, List, Optional, Tuple

from harness.workloads import streams
from harness.workloads.workload import Params, Workload

SKEW = 0.99  # the exponent of the distribution: YCSB's default
OPERATIONS = 1 << 13  # of one pass; then the same keys again, with other values

Operation = Tuple[str, Optional[Any]]  # a read where there is no value
Hand = Iterator[Operation]


def zipfian(params: Params, purpose: str, count: int) -> List[str]:
    """Draw keys: the one of rank r is drawn in proportion to r ** -0.99; which key has which rank is random."""
    ranked = streams.keys_in_random_order(params, f"{purpose} ranks")
    return streams.draw(params, purpose).choices(ranked, cum_weights=_weights(len(ranked)), k=count)


def _weights(ranks: int) -> List[float]:
    return list(accumulate((rank + 1) ** -SKEW for rank in range(ranks)))


def operations(params: Params, keys: List[str], updates: float, purpose: str) -> List[Operation]:
    """Draw what is done with the keys; an update never writes what the one before it wrote to that key."""
    chance = streams.draw(params, f"{purpose} updates")
    changed = [chance.random() < updates for _ in keys]
    values, written = streams.values(params, purpose), dict.fromkeys(keys, 0)
    return [(key, _next(values, written, key) if change else None) for key, change in [*zip(keys, changed)] * 2]


def _next(values: List[Any], written: Dict[str, int], key: str) -> Any:
    written[key] += 1
    return values[written[key] % len(values)]


def hands(params: Params, updates: float) -> List[Hand]:
    """Deal the operations to the tasks, in turn."""
    drawn = operations(params, zipfian(params, "ycsb", OPERATIONS), updates, "ycsb")
    return [cycle(drawn[task :: params.tasks]) for task in range(params.tasks)]


def _half(params: Params) -> List[Hand]:
    return hands(params, 0.5)


def _few(params: Params) -> List[Hand]:
    return hands(params, 0.05)


def _none(params: Params) -> List[Hand]:
    return hands(params, 0.0)


@dataclass
class Latest:
    """The operations of the next block; what it inserts nobody inserted before, and only later blocks read."""

    params: Params
    source: random.Random
    values: List[Any]
    weights: List[float]
    stored: int
    hands: List[List[Operation]] = field(default_factory=list)


def _latest(params: Params) -> Latest:
    source, values = streams.draw(params, "ycsb latest"), streams.values(params, "ycsb")
    return Latest(params, source, values, _weights(params.keys), params.keys)


def _refill_latest(state: Latest, n: int) -> None:
    """Draw reads of the newest keys, the newest most often, and one insert for 19 of them."""
    ranks = state.source.choices(range(state.params.keys), cum_weights=state.weights, k=n)
    newest, drawn = state.stored - 1, []
    for rank in ranks:
        if state.source.random() < 0.05:
            drawn.append((streams.key(state.stored), state.values[state.stored % len(state.values)]))
            state.stored += 1
        else:
            drawn.append((streams.key(newest - rank), None))
    state.hands = [drawn[task :: state.params.tasks] for task in range(state.params.tasks)]


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


async def latest(store: Any, state: Latest, n: int) -> None:
    """Read what is new, and insert."""
    await asyncio.gather(*[_client(store, iter(hand), len(hand)) for hand in state.hands])


def sync_latest(store: Any, state: Latest, n: int) -> None:
    """Do what the tasks would do: in-thread they take turns."""
    for hand in state.hands:
        sync_clients(store, [iter(hand)], len(hand))


async def _changer(store: Any, hand: Hand, n: int) -> None:
    for key, value in islice(hand, n):
        await store.aget(key)
        if value is not None:
            await store.aset(key, value)


async def changers(store: Any, hands: List[Hand], n: int) -> None:
    """Read each key; write half of them anew after that."""
    await asyncio.gather(*[_changer(store, hand, n // len(hands)) for hand in hands])


def sync_changers(store: Any, hands: List[Hand], n: int) -> None:
    """Do what the tasks would do: in-thread they take turns."""
    for hand in hands:
        for key, value in islice(hand, n // len(hands)):
            store.get(key)
            if value is not None:
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
YCSB_B = Workload(
    name="ycsb-b",
    version=1,
    question="What does an operation cost when one of twenty is an update of such a key?",
    per="operation",
    entries=streams.entries,
    state=_few,
    body=clients,
    sync_body=sync_clients,
    step=_tasks,
    writes=True,
)
YCSB_D = Workload(
    name="ycsb-d",
    version=1,
    question="What does an operation cost when the newest keys are read most, and one of twenty is new?",
    per="operation",
    entries=streams.entries,
    state=_latest,
    body=latest,
    sync_body=sync_latest,
    refill=_refill_latest,
    step=_tasks,
    writes=True,
)
YCSB_F = Workload(
    name="ycsb-f",
    version=1,
    question="What does an operation cost when half of them read a key and write it anew?",
    per="operation",
    entries=streams.entries,
    state=_half,
    body=changers,
    sync_body=sync_changers,
    step=_tasks,
    writes=True,
)
