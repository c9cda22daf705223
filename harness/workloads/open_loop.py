"""Requests that come when they come: their times are fixed beforehand, and a slow answer holds up none of them.

A request's time counts from when it was to come, not from when it was sent: what waits behind a stall is slow, too.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from itertools import accumulate, cycle, islice
from time import perf_counter_ns
from typing import Any, Callable, Iterator, List

from harness.workloads import streams, ycsb
from harness.workloads.alarm import Alarm
from harness.workloads.workload import Params, Seen, Workload


@dataclass
class Requests:
    """What comes when, in nanoseconds from the beginning of the block; and how long each took."""

    params: Params
    source: random.Random
    operations: Iterator[ycsb.Operation]
    due: List[int] = field(default_factory=list)
    took: Seen = field(default_factory=dict)

    def forget(self) -> Seen:
        """Return what was seen; begin anew."""
        found, self.took = self.took, {"reads": [], "writes": [], "late": []}
        return found


def _state(params: Params) -> Requests:
    (hand,) = ycsb.hands(Params(**{**vars(params), "tasks": 1}), 1 - params.read_ratio)
    state = Requests(params, streams.draw(params, "arrivals"), cycle(hand))
    state.forget()
    return state


def _refill(state: Requests, n: int) -> None:
    """Draw the gaps of a Poisson process: clients that know nothing of each other."""
    rate = state.params.rate
    gaps = (state.source.expovariate(rate) * 1e9 if rate else 0.0 for _ in range(n))
    state.due = [int(due) for due in accumulate(gaps)]


async def requests(store: Any, state: Requests, n: int) -> None:
    """Send each request at its time, whatever became of those before it; wait for all."""
    await _send(_request, store, state, n)


async def sync_requests(store: Any, state: Requests, n: int) -> None:
    """Do the same in the loop's own thread, as a program without an executor does."""
    await _send(_sync_request, store, state, n)


async def _send(request: Callable[..., Any], store: Any, state: Requests, n: int) -> None:
    slice_ns, start, sent = int(state.params.slice_ms * 1e6), perf_counter_ns(), []
    busy = asyncio.ensure_future(_busy(slice_ns)) if slice_ns else None
    with Alarm() as alarm:
        for due, (key, value) in zip(state.due, islice(state.operations, n)):
            await alarm.until(start + due)
            state.took["late"].append(perf_counter_ns() - start - due)
            sent.append(asyncio.ensure_future(request(store, key, value, start + due, state.took)))
        await asyncio.gather(*sent)
    if busy is not None:
        busy.cancel()


async def _busy(slice_ns: int) -> None:
    """Burn a slice of processor time in each turn of the loop."""
    while True:
        until = perf_counter_ns() + slice_ns
        while perf_counter_ns() < until:
            pass
        await asyncio.sleep(0)


async def _request(store: Any, key: str, value: Any, due: int, took: Seen) -> None:
    if value is None:
        await store.aget(key)
        took["reads"].append(perf_counter_ns() - due)
    else:
        await store.aset(key, value)
        took["writes"].append(perf_counter_ns() - due)


async def _sync_request(store: Any, key: str, value: Any, due: int, took: Seen) -> None:
    if value is None:
        store.get(key)
        took["reads"].append(perf_counter_ns() - due)
    else:
        store.set(key, value)
        took["writes"].append(perf_counter_ns() - due)


def _requests_in(params: Params, seconds: float) -> int:
    return max(1, round(params.rate * seconds))


OPEN_LOOP = Workload(
    name="open-loop",
    version=1,
    question="How long does a request take, from when it was to come, at so many a second?",
    per="request, from its intended time",
    entries=streams.entries,
    state=_state,
    body=requests,
    sync_body=sync_requests,
    control_body=requests,
    refill=_refill,
    writes=True,
    seen=Requests.forget,
    timed=("reads", "writes"),
    block_n=_requests_in,
)
