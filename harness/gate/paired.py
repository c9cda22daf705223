"""Paired time: both sides on one processor, blocks in the order base, head, head, base, then head, base, base, head.

That order cancels an even drift. One that fades, as warming up does, is cancelled by taking turns at being first.
"""

from __future__ import annotations

import statistics
from contextlib import contextmanager
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Protocol, Sequence, Tuple

from harness.gate.bodies import Body

MOST_OPERATIONS = 1 << 22
WARM_BLOCKS = 4


class Asked(Protocol):
    """A worker; a simulated one in tests."""

    def ask(self, do: str, **request: Any) -> Dict[str, Any]:
        """Return its answer."""


Pair = Tuple[Asked, Asked]


@dataclass(frozen=True)
class Quads:
    """What one restart gave for one body: logarithms of head over base, in run order."""

    body: str
    n: int
    samples: List[float]
    base_ns: float
    head_ns: float


def restart(
    pair: Pair, bodies: Sequence[Body], scratch: Path, sizes: Mapping[str, int], *, quads: int, block_s: float
) -> List[Quads]:
    """Open each body on both sides, and time its quads; ``sizes`` has the operations of a block, where they are known.

    Raises:
        WorkerError: a side failed.
    """
    found = []
    for number, body in enumerate(bodies):
        with opened(pair, body, number, scratch):
            n = sizes.get(body.name) or _calibrated(pair[0], body, number, block_s)
            for side in pair * WARM_BLOCKS:
                side.ask("time", number=number, n=n)
            found.append(_timed(pair, body, number, n, quads))
    return found


@contextmanager
def opened(pair: Pair, body: Body, number: int, scratch: Path) -> Iterator[None]:
    """Open the store of a body on both sides, in folders of equal length; close both."""
    for name, side in zip(("base", "head"), pair):
        folder = scratch / f"{name}{number}"
        folder.mkdir(parents=True)
        side.ask("open", number=number, case=body.case.as_json(), folder=str(folder))
    yield
    for side in pair:
        side.ask("close", number=number)


def _calibrated(base: Asked, body: Body, number: int, block_s: float) -> int:
    """Return how many operations fill a block."""
    step = n = body.case.workload.step(body.case.params)
    ns: int = base.ask("time", number=number, n=n)["ns"]
    while ns < block_s * 0.5e9 and n < MOST_OPERATIONS:
        n *= 2
        ns = base.ask("time", number=number, n=n)["ns"]
    return max(step, round(n * block_s * 1e9 / ns / step) * step)


def _timed(pair: Pair, body: Body, number: int, n: int, quads: int) -> Quads:
    times: List[Tuple[List[int], List[int]]] = []
    for quad in range(quads):
        first = quad % 2
        blocks: Tuple[List[int], List[int]] = ([], [])
        for side in (first, 1 - first, 1 - first, first):
            blocks[side].append(pair[side].ask("time", number=number, n=n)["ns"])
        times.append(blocks)
    samples = [round((log(c) + log(d) - log(a) - log(b)) / 2, 6) for (a, b), (c, d) in times]
    medians = (statistics.median(ns for blocks in times for ns in blocks[side]) / n for side in (0, 1))
    return Quads(body.name, n, samples, *(round(ns, 2) for ns in medians))
