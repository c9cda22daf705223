"""The clock: blocks of operations timed inside one long-lived loop.

No method here is a coroutine function: a driver that calls one times the operations, never the making of a coroutine.
"""

from __future__ import annotations

import asyncio
import types
from contextlib import nullcontext
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, Callable, Dict, List, Optional

from harness.contenders.contender import Face
from harness.measure.case import Case
from harness.measure.counters import difference, own_bytes, process_counters
from harness.measure.doors import Doors
from harness.measure.encoded import bare, size, taking
from harness.measure.neighbour import Neighbour
from harness.workloads.workload import Items, Seen, Start

AT_ONCE = 500  # entries of a batch, where writing them may be given up


@dataclass
class Opened:
    """A store that is open for one case, with what its body reads, and a neighbour where one is wanted."""

    case: Case
    store: Any
    state: Any
    body: Callable[[Any, Any, int], Any]
    entries: int
    entry_bytes: int
    neighbour: Optional[Neighbour] = None


@dataclass(frozen=True)
class Block:
    """The time of ``n`` operations, and what was counted and seen meanwhile.

    Attributes:
        started: by a clock that all processes have.
        own_bytes: what the process has for itself at the end.
    """

    n: int
    ns: int
    counters: Dict[str, int]
    seen: Seen
    started: int
    own_bytes: int


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

    def open(self, case: Case, folder: str, fill_s: Optional[float] = None) -> Opened:
        """Open the store in an empty folder, write the workload's entries, read one back; leave it as it starts.

        Raises:
            TimeoutError: writing them took longer than ``fill_s`` seconds.
        """
        entries = case.workload.entries(case.params)
        store = self.loop.run_until_complete(case.contender.open(folder, case.all_options))
        store = taking(case.contender, store, case.params.value_kind)
        self._fill(case.contender.face, store, entries, fill_s)
        store = self._started(case, store, folder)
        written = sum(size(value) for _, value in entries)
        neighbour = Neighbour(case, folder) if case.workload.start is Start.BESIDE else None
        return Opened(case, store, case.workload.state(case.params), _body(case), len(entries), written, neighbour)

    def join(self, case: Case, folder: str, hand: int) -> Opened:
        """Open a store that another process has filled, to do one hand of the operations."""
        store = self.loop.run_until_complete(case.contender.open(folder, case.all_options))
        store = taking(case.contender, store, case.params.value_kind)
        return Opened(case, store, [case.workload.state(case.params)[hand]], _body(case), 0, 0)

    def block(self, opened: Opened, n: int) -> Block:
        """Time ``n`` operations; what they read is made before the clock starts."""
        self.refill(opened, n)
        before, workload = self._counters(opened), opened.case.workload
        with opened.neighbour or nullcontext():
            started = perf_counter_ns()
            ns = self.run(opened, n)
        counted, seen = difference(self._counters(opened), before), workload.seen(opened.state)
        if workload.timed:
            ns = sum(sum(seen[name]) for name in workload.timed)
        return Block(n, ns, counted, seen, started, own_bytes() if workload.unit == "B" else 0)

    def refill(self, opened: Opened, n: int) -> None:
        """Make what the next ``n`` operations use up."""
        opened.case.workload.refill(opened.state, n)

    def run(self, opened: Opened, n: int) -> int:
        """Do ``n`` operations; return their nanoseconds."""
        return self.loop.run_until_complete(self._timed(opened, n))

    def close(self, opened: Opened) -> None:
        """Close the store, if it is open."""
        if opened.neighbour is not None:
            opened.neighbour.close()
        if isinstance(opened.store, Doors):
            return
        self.loop.run_until_complete(opened.case.contender.close(bare(opened.store)))

    def read(self, face: Face, store: Any, keys: List[str]) -> List[Any]:
        """Read keys one by one, None for a missing one."""
        return self.loop.run_until_complete(_read(face, store, keys))

    def _started(self, case: Case, store: Any, folder: str) -> Any:
        if case.workload.start is Start.THREADS:
            return case.contender.shared(store)
        if case.workload.start not in (Start.REOPENED, Start.CLOSED, Start.PROCESSES):
            return store
        self.loop.run_until_complete(case.contender.close(bare(store)))
        if case.workload.start is not Start.REOPENED:
            return Doors(case.contender, folder, case.all_options)
        return self.loop.run_until_complete(case.contender.open(folder, case.all_options))

    def _fill(self, face: Face, store: Any, entries: Items, fill_s: Optional[float]) -> None:
        if entries:
            if fill_s is None:
                self.loop.run_until_complete(_fill(face, store, entries))
            else:
                self._fill_in_time(face, store, entries, fill_s)
            key, value = entries[len(entries) // 2]
            if self.read(face, store, [key]) != [value]:
                raise AssertionError(f"the store does not give back what was written at {key!r}")

    def _fill_in_time(self, face: Face, store: Any, entries: Items, fill_s: float) -> None:
        started = perf_counter_ns()
        for start in range(0, len(entries), AT_ONCE):
            if start and (perf_counter_ns() - started) / 1e9 > fill_s:
                raise TimeoutError(f"left out: it had {start} of {len(entries)} entries after {fill_s:g} s")
            self.loop.run_until_complete(_fill(face, store, entries[start : start + AT_ONCE]))

    @staticmethod
    async def _timed(opened: Opened, n: int) -> int:
        start = perf_counter_ns()
        done = opened.body(opened.store, opened.state, n)
        if done is not None:
            await done
        return perf_counter_ns() - start

    @staticmethod
    def _counters(opened: Opened) -> Dict[str, int]:
        contender = opened.case.contender
        own = {} if isinstance(opened.store, Doors) else contender.counters(bare(opened.store))
        return own if contender.own_process else {**process_counters(), **own}


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
