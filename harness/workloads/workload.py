"""What a workload is: a seeded state made before the clock starts, and a body with the loop inside and no clock."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Callable, Coroutine, List, Optional, Tuple

Items = List[Tuple[str, bytes]]
AsyncBody = Callable[[Any, Any, int], Coroutine[Any, Any, None]]
SyncBody = Callable[[Any, Any, int], None]


class Start(enum.Enum):
    """How the body finds the store that was filled."""

    FILLED = "as filling it left it"
    REOPENED = "opened anew, its own cache small"
    CLOSED = "closed: the body opens it"


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


def _nothing(state: Any, n: int) -> None:
    """Most states serve every block as they are."""


def _one(params: Params) -> int:
    return 1


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
        body: ``async def body(store, state, n)`` over ``aget aset abatch_get abatch_set``.
        sync_body: its twin over ``get set batch_get batch_set``, in-thread; tasks take turns there.
        control_body: its twin over the coroutines of a bare dict, where that makes sense.
        writes: what it does must outlive a crash as the store promises.
        start: how the body finds the store.
    """

    name: str
    version: int
    question: str
    per: str
    entries: Callable[[Params], Items]
    state: Callable[[Params], Any]
    body: AsyncBody
    sync_body: SyncBody
    control_body: Optional[AsyncBody] = None
    refill: Callable[[Any, int], None] = _nothing
    step: Callable[[Params], int] = _one
    writes: bool = False
    start: Start = Start.FILLED
