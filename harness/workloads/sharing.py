"""Many at once without a loop between them: threads of a process, processes on a file, a neighbour that commits."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from time import perf_counter_ns
from typing import Any, List

from harness.workloads import micro, streams, ycsb
from harness.workloads.workload import Params, Seen, Start, Workload

_SOME = 64


@dataclass
class Client:
    """One of many, with its own operations; it looks at the time after each."""

    hand: ycsb.Hand
    took: List[int] = field(default_factory=list)

    async def work(self, store: Any, n: int) -> None:
        last = perf_counter_ns()
        for key, value in islice(self.hand, n):
            if value is None:
                await store.aget(key)
            else:
                await store.aset(key, value)
            now = perf_counter_ns()
            self.took.append(now - last)
            last = now

    def sync_work(self, store: Any, n: int) -> None:
        last = perf_counter_ns()
        for key, value in islice(self.hand, n):
            if value is None:
                store.get(key)
            else:
                store.set(key, value)
            now = perf_counter_ns()
            self.took.append(now - last)
            last = now


def clients(params: Params) -> List[Client]:
    """Deal the keys to as many clients as there are tasks; no order holds between them, so each has its own values."""
    keys, updates = ycsb.zipfian(params, "clients", ycsb.OPERATIONS), 1 - params.read_ratio
    dealt = [keys[number :: params.tasks] for number in range(params.tasks)]
    return [
        Client(cycle(ycsb.operations(params, mine, updates, f"client {number}"))) for number, mine in enumerate(dealt)
    ]


def _seen(state: List[Client]) -> Seen:
    found = [ns for client in state for ns in client.took]
    for client in state:
        client.took.clear()
    return {"operations": found}


@dataclass
class Threads:
    """Clients, each in a thread that stays."""

    clients: List[Client]
    pool: ThreadPoolExecutor


def _threads(params: Params) -> Threads:
    return Threads(clients(params), ThreadPoolExecutor(params.tasks))


def in_threads(store: Any, state: Threads, n: int) -> None:
    """Let each client work in a thread, all at once, by the sync face."""
    ready = threading.Barrier(len(state.clients))

    def work(client: Client) -> None:
        ready.wait()
        client.sync_work(store, n // len(state.clients))

    list(state.pool.map(work, state.clients))


def _seen_by_threads(state: Threads) -> Seen:
    return _seen(state.clients)


async def in_turns(store: Any, state: List[Client], n: int) -> None:
    """Let each client work; in a process of its own there is one."""
    await asyncio.gather(*[client.work(store, n // len(state)) for client in state])


def sync_in_turns(store: Any, state: List[Client], n: int) -> None:
    """Let each client work; in a process of its own there is one."""
    for client in state:
        client.sync_work(store, n // len(state))


def _some_each(params: Params) -> int:
    """Let no client be done before the last one has begun."""
    return _SOME * params.tasks


THREADS = Workload(
    name="threads",
    version=1,
    question="What does an operation cost when many threads call the store, all together?",
    per="operation of all threads",
    entries=streams.entries,
    state=_threads,
    body=in_threads,
    sync_body=in_threads,
    step=_some_each,
    writes=True,
    start=Start.THREADS,
    seen=_seen_by_threads,
)
PROCESSES = Workload(
    name="processes",
    version=1,
    question="What does an operation cost when many processes have the file open, all together?",
    per="operation of all processes",
    entries=streams.entries,
    state=clients,
    body=in_turns,
    sync_body=sync_in_turns,
    step=_some_each,
    writes=True,
    start=Start.PROCESSES,
    seen=_seen,
)
BESIDE = replace(
    micro.HITS,
    name="beside-commits",
    question="What does it cost to read a key that was read before while another process commits?",
    control_body=None,
    start=Start.BESIDE,
)
