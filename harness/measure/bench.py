"""The clock: blocks of operations timed inside one long-lived loop.

No method here is a coroutine function: a driver that calls one times the operations, never the making of a coroutine.
"""

from __future__ import annotations

import asyncio
import types
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, Callable, Dict, List

from harness.contenders.contender import Face
from harness.measure.case import Case
from harness.measure.counters import difference, process_counters
from harness.measure.doors import Doors
from harness.workloads.workload import Items, Start


@dataclass
class Opened:
    """A store that is open for one case, with what its body reads."""

    case: Case
    store: Any
    state: Any
    body: Callable[[Any, Any, int], Any]
    entries: int
    entry_bytes: int


@dataclass(frozen=True)
class Block:
    """The time of ``n`` operations, and what was counted meanwhile."""

    n: int
    ns: int
    counters: Dict[str, int]


def _fresh(function: Callable[..., Any]) -> Callable[..., Any]:
    """Copy a body: CPython specialises a call site for what it has met there, so no two cases share one."""
    return types.FunctionType(function.__code__.replace(), function.__globals__, function.__name__)


def _body(case: Case) -> Callable[[Any, Any, int], Any]:
    workload, face = case.workload, case.contender.face
    if face is Face.CONTROL:
        if workload.control_body is None:
            raise ValueError(f"{workload.name} has no control")
        return _fresh(workload.control_body)
    return _fresh(workload.sync_body if face is Face.SYNC else workload.body)


class Bench:
    """Open stores, time blocks on them, close them."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    def open(self, case: Case, folder: str) -> Opened:
        """Open the store in an empty folder, write the workload's entries, read one back; leave it as it starts."""
        entries = case.workload.entries(case.params)
        store = self.loop.run_until_complete(case.contender.open(folder, case.all_options))
        self._fill(case.contender.face, store, entries)
        store = self._started(case, store, folder)
        size = sum(len(value) for _, value in entries)
        return Opened(case, store, case.workload.state(case.params), _body(case), len(entries), size)

    def block(self, opened: Opened, n: int) -> Block:
        """Time ``n`` operations; what they read is made before the clock starts."""
        self.refill(opened, n)
        before = self._counters(opened)
        ns = self.run(opened, n)
        return Block(n, ns, difference(self._counters(opened), before))

    def refill(self, opened: Opened, n: int) -> None:
        """Make what the next ``n`` operations use up."""
        opened.case.workload.refill(opened.state, n)

    def run(self, opened: Opened, n: int) -> int:
        """Do ``n`` operations; return their nanoseconds."""
        return self.loop.run_until_complete(self._timed(opened, n))

    def close(self, opened: Opened) -> None:
        """Close the store, if it is open."""
        if isinstance(opened.store, Doors):
            return
        self.loop.run_until_complete(opened.case.contender.close(opened.store))

    def read(self, face: Face, store: Any, keys: List[str]) -> List[Any]:
        """Read keys one by one, None for a missing one."""
        return self.loop.run_until_complete(_read(face, store, keys))

    def _started(self, case: Case, store: Any, folder: str) -> Any:
        if case.workload.start is Start.FILLED:
            return store
        self.loop.run_until_complete(case.contender.close(store))
        if case.workload.start is Start.CLOSED:
            return Doors(case.contender, folder, case.all_options)
        return self.loop.run_until_complete(case.contender.open(folder, case.all_options))

    def _fill(self, face: Face, store: Any, entries: Items) -> None:
        if entries:
            self.loop.run_until_complete(_fill(face, store, entries))
            key, value = entries[len(entries) // 2]
            if self.read(face, store, [key]) != [value]:
                raise AssertionError(f"the store does not give back what was written at {key!r}")

    @staticmethod
    async def _timed(opened: Opened, n: int) -> int:
        start = perf_counter_ns()
        done = opened.body(opened.store, opened.state, n)
        if done is not None:
            await done
        return perf_counter_ns() - start

    @staticmethod
    def _counters(opened: Opened) -> Dict[str, int]:
        own = {} if isinstance(opened.store, Doors) else opened.case.contender.counters(opened.store)
        return {**process_counters(), **own}


async def _fill(face: Face, store: Any, entries: Items) -> None:
    if face is Face.ASYNC:
        await store.abatch_set(entries)
    elif face is Face.SYNC:
        store.batch_set(entries)
    else:
        for key, value in entries:
            await store.put(key, value)


async def _read(face: Face, store: Any, keys: List[str]) -> List[Any]:
    answers = []
    for key in keys:
        try:
            answers.append(store.get(key) if face is Face.SYNC else await store.aget(key))
        except KeyError:
            answers.append(None)
    return answers
