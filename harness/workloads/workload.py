"""What a workload is: a seeded state made before the clock starts, and a body with the loop inside and no clock.

Where single operations are asked about, the body looks at the time of each, and `Workload.seen` hands that out.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Callable, Coroutine, Dict, List, Optional, Tuple

Items = List[Tuple[str, bytes]]
Body = Callable[[Any, Any, int], Optional[Coroutine[Any, Any, None]]]
Seen = Dict[str, List[int]]


class Start(enum.Enum):
    """How the body finds the store that was filled."""

    FILLED = "as filling it left it"
    REOPENED = "opened anew, its own cache small"
    CLOSED = "closed: the body opens it"
    THREADS = "by what many threads may call"
    PROCESSES = "opened by a process for each task"
    BESIDE = "as filling it left it, while another process commits"
    APART = "in a process that nobody else uses"


@dataclass(frozen=True)
class Params:
    """What a workload may vary: all of it is recorded, and all of it decides what the seed draws."""

    value_size: int = 64
    keys: int = 1000
    tasks: int = 1
    batch: int = 1
    seed: int = 1
    read_ratio: float = 0.5
    value_kind: str = "bytes"
    trace: str = ""  # a file; its last part is recorded
    rate: int = 0  # requests, or a neighbour's commits, a second; 0: requests at once, no commits
    slice_ms: float = 0.0  # another task keeps the loop busy in slices of so long


def _nothing(state: Any, n: int) -> None:
    """Most states serve every block as they are."""


def _one(params: Params) -> int:
    return 1


def _unseen(state: Any) -> Seen:
    """Most bodies look at no single operation."""
    return {}


@dataclass(frozen=True)
class Workload:
    """A workload and its twins.

    Attributes:
        version: raised by hand when the numbers of before and after must not be compared.
        question: what the numbers answer.
        per: what one of the ``n`` operations of a body is.
        entries: what the store holds before the clock starts.
        state: what the body reads, drawn from the seed; ``refill`` adds what the next ``n`` operations use up.
        step: ``n`` is a multiple of it.
        body: ``async def body(store, state, n)`` over ``aget aset abatch_get abatch_set aitems``.
        sync_body: its twin over ``get set batch_get batch_set items``, in-thread; tasks take turns there.
        control_body: its twin over the coroutines of a bare dict, where that makes sense.
        writes: what it does must outlive a crash as the store promises.
        start: how the body finds the store.
        seen: takes what the body saw in the block out of the state: nanoseconds by name.
        timed: names of it that add up to the time of a block, where that is not the time it took.
        block_n: how many operations a block of so many seconds has, where that is not to be found out.
        unit: "ns", or "B" where not the time is asked but what the process grows by.
    """

    name: str
    version: int
    question: str
    per: str
    entries: Callable[[Params], Items]
    state: Callable[[Params], Any]
    body: Body
    sync_body: Body
    control_body: Optional[Body] = None
    refill: Callable[[Any, int], None] = _nothing
    step: Callable[[Params], int] = _one
    writes: bool = False
    start: Start = Start.FILLED
    seen: Callable[[Any], Seen] = _unseen
    timed: Tuple[str, ...] = ()
    block_n: Optional[Callable[[Params, float], int]] = None
    unit: str = "ns"
