"""Interleaved rounds: every case of a group gets a block in every round, so that a noisy moment hits them all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from time import perf_counter
from typing import Any, Callable, Dict, List, Optional, Sequence, Union

from harness.measure.case import Case
from harness.measure.crowd import Crowd
from harness.measure.remote import RemoteWorker, WorkerError, Workers
from harness.workloads.workload import Start

MOST_OPERATIONS = 1 << 22
LEAST_ROUNDS = 3
ALONE = (Start.APART, Start.PROCESSES)  # their processes serve one case, and end with it


@dataclass(frozen=True)
class Effort:
    """How long to measure: ``rounds`` blocks of about ``block_s`` seconds for each case.

    A group that has taken ``case_s`` seconds for each of its cases ends after the round it is in, but not before
    `LEAST_ROUNDS`. A store that is not filled after ``fill_s`` seconds is left out.
    """

    rounds: int
    block_s: float
    case_s: float
    fill_s: Optional[float] = None


@dataclass
class Measured:
    """What the rounds gave for one case: blocks in run order, or why it failed."""

    case: Case
    facts: Dict[str, Any] = field(default_factory=dict)
    blocks: List[Dict[str, Any]] = field(default_factory=list)
    failure: Optional[str] = None
    own_bytes: int = 0  # what its process had before the blocks

    @property
    def samples(self) -> List[float]:
        """Nanoseconds per operation of each block; or bytes per operation, of all blocks up to each."""
        if self.case.workload.unit == "B":
            operations = accumulate(block["n"] for block in self.blocks)
            return [(block["own_bytes"] - self.own_bytes) / n for block, n in zip(self.blocks, operations)]
        return [block["ns"] / block["n"] for block in self.blocks]

    @property
    def seen(self) -> Dict[str, List[int]]:
        """What was seen of single operations, over all blocks."""
        found: Dict[str, List[int]] = {}
        for block in self.blocks:
            for name, values in block.get("seen", {}).items():
                found.setdefault(name, []).extend(values)
        return {name: values for name, values in found.items() if values}

    @property
    def counters(self) -> Dict[str, float]:
        """What was counted per operation, over all blocks."""
        operations = sum(block["n"] for block in self.blocks)
        names = self.blocks[0]["counters"] if self.blocks else {}
        return {name: sum(block["counters"][name] for block in self.blocks) / operations for name in names}


@dataclass
class _Lane:
    """One case on its way through the rounds."""

    measured: Measured
    worker: Union[RemoteWorker, Crowd]
    number: int
    folder: Path
    n: int = 0

    def ask(self, do: str, **request: Any) -> Dict[str, Any]:
        """Ask the worker about this case; a failure ends the case, not the run."""
        try:
            return self.worker.ask(do, number=self.number, **request)
        except WorkerError as error:
            self.measured.failure = str(error)
            return {}

    def open(self, fill_s: Optional[float]) -> None:
        self.folder.mkdir(parents=True)
        case = self.measured.case.as_json()
        self.measured.facts = self.ask("open", case=case, folder=str(self.folder), fill_s=fill_s)

    def calibrate(self, block_s: float) -> None:
        """Find how many operations fill a block; this warms the case up, too."""
        workload, params = self.measured.case.workload, self.measured.case.params
        if workload.block_n is not None:
            self.n = workload.block_n(params, block_s)
            if self.measured.failure is None:
                self.measured.own_bytes = self.ask("block", n=self.n).get("own_bytes", 0)
            return
        step = n = workload.step(params)
        while self.measured.failure is None:
            block = self.ask("block", n=n)
            if not block:
                return
            share = block["ns"] / 1e9 / block_s
            if share >= 0.5 or n >= MOST_OPERATIONS:
                self.n = max(step, round(n / share / step) * step)
                return
            n = min(max(n * 2, int(n / max(share, 0.02) / step * 0.7) * step), MOST_OPERATIONS // step * step)

    def block(self) -> None:
        block = self.ask("block", n=self.n)
        if block:
            self.measured.blocks.append(block)

    def close(self) -> None:
        if self.worker.alive:
            failure = self.measured.failure
            self.ask("close")
            self.measured.failure = failure or self.measured.failure
        if self.measured.case.workload.start in ALONE:
            self.worker.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def measure(
    group: Sequence[Measured], workers: Workers, scratch: Path, effort: Effort, step: Callable[[Case], None]
) -> None:
    """Measure the cases of one group into it; ``step`` is called after each block, calibration included."""
    lanes = [
        _Lane(measured, _worker(measured.case, workers), number, scratch / f"case{number}")
        for number, measured in enumerate(group)
    ]
    started = perf_counter()
    try:
        for lane in lanes:
            lane.open(effort.fill_s)
            lane.calibrate(effort.block_s)
            step(lane.measured.case)
        for round_number in range(effort.rounds):
            late = round_number >= LEAST_ROUNDS and perf_counter() - started > effort.case_s * len(lanes)
            for lane in _rotated(lanes, round_number):
                if lane.measured.failure is None and not late:
                    lane.block()
                step(lane.measured.case)
    finally:
        for lane in lanes:
            lane.close()


def _worker(case: Case, workers: Workers) -> Union[RemoteWorker, Crowd]:
    if case.workload.start is Start.PROCESSES:
        return Crowd([workers.fresh() for _ in range(case.params.tasks)])
    return workers.fresh() if case.workload.start in ALONE else workers.of(case)


def _rotated(lanes: List[_Lane], by: int) -> List[_Lane]:
    start = by % len(lanes)
    return lanes[start:] + lanes[:start]
