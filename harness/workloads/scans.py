"""Mix E of YCSB: short scans from a key on, lengths uniform up to 100, and one insert for 19 of them.

YCSB scans in the order of its hashed keys, so that what it inserts lies anywhere; so it does here: a new key lies
between two old ones.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any, List, Optional, Tuple

from harness.workloads import streams, ycsb
from harness.workloads.workload import Params, Workload

LONGEST = 100
INSERTS = 0.05

Operation = Tuple[str, Optional[int], Any]  # a scan of so many entries from the key on, or the insert of a value


@dataclass
class Scans:
    """The operations of the next block, dealt to the tasks; what it inserts nobody inserted before."""

    params: Params
    source: random.Random
    starts: List[str]
    values: List[Any]
    inserted: int = 0
    hands: List[List[Operation]] = field(default_factory=list)


def _state(params: Params) -> Scans:
    starts = ycsb.zipfian(params, "scans", ycsb.OPERATIONS)
    return Scans(params, streams.draw(params, "scan lengths"), starts, streams.values(params, "scans"))


def _refill(state: Scans, n: int) -> None:
    drawn = [_operation(state) for _ in range(n)]
    state.hands = [drawn[task :: state.params.tasks] for task in range(state.params.tasks)]


def _operation(state: Scans) -> Operation:
    start, source = state.source.choice(state.starts), state.source
    if source.random() < INSERTS:
        state.inserted += 1
        value = state.values[state.inserted % len(state.values)]
        return f"{start}+{state.inserted}", None, value
    return start, source.randint(1, LONGEST), None


async def scans(store: Any, state: Scans, n: int) -> None:
    """Scan, and insert, by as many tasks as there are hands."""
    await asyncio.gather(*[_client(store, hand) for hand in state.hands])


async def _client(store: Any, hand: List[Operation]) -> None:
    for key, length, value in hand:
        if length is None:
            await store.aset(key, value)
        else:
            async for _row in store.aitems(start=key, limit=length):
                pass


def sync_scans(store: Any, state: Scans, n: int) -> None:
    """Do what the tasks would do: in-thread they take turns."""
    for hand in state.hands:
        for key, length, value in hand:
            if length is None:
                store.set(key, value)
            else:
                for _row in store.items(start=key, limit=length):
                    pass


def _tasks(params: Params) -> int:
    return params.tasks


YCSB_E = Workload(
    name="ycsb-e",
    version=1,
    question="What does an operation cost when 19 of 20 are scans of up to 100 entries, and one is new?",
    per="operation",
    entries=streams.entries,
    state=_state,
    body=scans,
    sync_body=sync_scans,
    refill=_refill,
    step=_tasks,
    writes=True,
)
