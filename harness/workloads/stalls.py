"""How long the loop is held: every callback is looked at while many tasks write."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import islice
from time import perf_counter_ns
from typing import Any, List, TypeVar

from harness.workloads import streams, writers
from harness.workloads.workload import Params, Seen, Workload

_HANDLE: Any = asyncio.events.Handle
Watching = TypeVar("Watching", bound="Watch")


class Watch:
    """A context: looks at each callback that a loop runs, and how long it takes."""

    def __init__(self) -> None:
        self.times: List[int] = []
        self._run = _HANDLE._run

    def __enter__(self: Watching) -> Watching:
        def run(handle: Any) -> None:
            self.look(handle)

        _HANDLE._run = run
        return self

    def __exit__(self, *ended: object) -> None:
        _HANDLE._run = self._run

    def look(self, handle: Any) -> None:
        """Run a callback."""
        start = perf_counter_ns()
        self._run(handle)
        self.times.append(perf_counter_ns() - start)


@dataclass
class Watched:
    """What the tasks write, and how long each callback took."""

    hands: List[writers.Hand]
    times: List[int] = field(default_factory=list)

    def forget(self) -> Seen:
        """Return what was seen; begin anew."""
        found, self.times = self.times, []
        return {"callbacks": found}


def _state(params: Params) -> Watched:
    return Watched(writers.WRITERS.state(params))


async def _writer(store: Any, hand: writers.Hand, n: int) -> None:
    for key, value in islice(hand, n):
        await store.aset(key, value)
        await asyncio.sleep(0)


async def _sync_writer(store: Any, hand: writers.Hand, n: int) -> None:
    for key, value in islice(hand, n):
        store.set(key, value)
        await asyncio.sleep(0)


async def watched(store: Any, state: Watched, n: int) -> None:
    """Write by as many tasks as there are hands, each write in a turn of the loop of its own."""
    with Watch() as watch:
        await asyncio.gather(*[_writer(store, hand, n // len(state.hands)) for hand in state.hands])
    state.times += watch.times


async def sync_watched(store: Any, state: Watched, n: int) -> None:
    """Do the same in the loop's own thread, as a program without an executor does."""
    with Watch() as watch:
        await asyncio.gather(*[_sync_writer(store, hand, n // len(state.hands)) for hand in state.hands])
    state.times += watch.times


def _tasks(params: Params) -> int:
    return params.tasks


STALLS = Workload(
    name="stalls",
    version=1,
    question="How long is the loop held by one callback while many tasks write?",
    per="write",
    entries=streams.entries,
    state=_state,
    body=watched,
    sync_body=sync_watched,
    control_body=watched,
    step=_tasks,
    writes=True,
    seen=Watched.forget,
)
