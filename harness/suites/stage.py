"""The stage suite: two goals that the Rust backend must hold, each as a ratio of two sides in one process."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any, Callable, Dict, List, Sequence, Tuple

from harness.measure.case import Case
from harness.measure.remote import RemoteWorker
from harness.measure.summary import summary
from harness.workloads import Params

ROUNDS = 7


@dataclass(frozen=True)
class Side:
    """One side of a ratio: a case and how many operations make a block of a few milliseconds."""

    case: Case
    n: int


@dataclass(frozen=True)
class Goal:
    """The ratio ``over / under`` must be below ``most`` or at least ``least``; a round has ``pairs`` blocks of each."""

    name: str
    sentence: str
    over: Side
    under: Side
    pairs: int
    most: float = float("inf")
    least: float = 0.0

    def holds(self, ratio: float) -> bool:
        return ratio < self.most and ratio >= self.least

    @property
    def wanted(self) -> str:
        return f"< {self.most:g}" if self.most != float("inf") else f">= {self.least:g}"


def _hit() -> Goal:
    """Compare a hit with default options, but for ``exclusive=False``, which is the promise that costs more."""
    options = {"exclusive": False, "storage_mode": "pickle"}
    return Goal(
        name="hit",
        sentence="a shared hit costs less than a plain coroutine over a dict",
        over=Side(Case("hits", "rust", "lazy", options=options), 10_000),
        under=Side(Case("hits", "control", "dict"), 10_000),
        pairs=40,
        most=1.0,
    )


def _writers() -> Goal:
    """Compare the default ``buffer_size`` with one commit per write: same tasks, same promise, same build."""
    params = Params(keys=10_000, tasks=64)
    alone, together = (
        Case("writers", "rust", "writethrough-full", params, {"exclusive": False, "buffer_size": size})
        for size in (1, 100)
    )
    return Goal(
        name="writers",
        sentence="64 durable writers cost this many times less than one commit per write",
        over=Side(alone, 256),
        under=Side(together, 2560),
        pairs=6,
        least=8.0,
    )


GOALS: Tuple[Callable[[], Goal], ...] = (_hit, _writers)


@dataclass(frozen=True)
class Verdict:
    """What the rounds of a goal gave: a ratio for each, and nanoseconds per operation of both sides."""

    goal: Goal
    ratios: List[float]
    over_ns: List[float]
    under_ns: List[float]
    facts: Dict[str, Any]

    @property
    def ratio(self) -> float:
        return float(summary(self.ratios)["median"])

    @property
    def held(self) -> bool:
        return self.goal.holds(self.ratio)


def run(goal: Goal, worker: RemoteWorker, folder_of: Callable[[int], str], step: Callable[[], None]) -> Verdict:
    """Measure both sides in one worker, in blocks that take turns.

    Raises:
        WorkerError: a side failed.
    """
    sides = (goal.over, goal.under)
    facts = [
        worker.ask("open", number=number, case=side.case.as_json(), folder=folder_of(number))
        for number, side in enumerate(sides)
    ]
    _round(worker, sides, 2)
    ratios, over, under = [], [], []
    for _ in range(ROUNDS):
        times = _round(worker, sides, goal.pairs)
        ratios.append(median(a / b for a, b in times))
        over.append(median(a for a, _ in times))
        under.append(median(b for _, b in times))
        step()
    for number in range(len(sides)):
        worker.ask("close", number=number)
    return Verdict(goal, ratios, over, under, {"over": facts[0], "under": facts[1]})


def _round(worker: RemoteWorker, sides: Sequence[Side], pairs: int) -> List[Tuple[float, float]]:
    """Return nanoseconds per operation of both sides; who begins takes turns."""
    times = []
    for pair in range(pairs):
        order = (0, 1) if pair % 2 == 0 else (1, 0)
        block = {number: worker.ask("block", number=number, n=sides[number].n) for number in order}
        times.append((block[0]["ns"] / sides[0].n, block[1]["ns"] / sides[1].n))
    return times
