"""A campaign: a number of crash states of one subject, from as many recordings as that takes."""

from __future__ import annotations

import multiprocessing
import shutil
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Dict, List, Optional

from harness.measure.records import without_paths
from harness.powercut import simulate, workload
from harness.powercut.recording import Setup, record
from harness.powercut.simulate import Outcome
from harness.powercut.subjects import Subject

STATES_PER_RECORDING = 250
CALLS = 600


@dataclass(frozen=True)
class Campaign:
    """How many states, drawn by which seed: recording number n has the seed `seed` + n."""

    states: int
    seed: int
    calls: int = CALLS
    strict_directory: bool = False
    sync_us: int = 200
    package: Optional[Path] = None

    def seeds(self) -> Dict[int, int]:
        """Return the seeds of the recordings, and how many states are drawn from each."""
        counts: Dict[int, int] = {}
        for start in range(0, self.states, STATES_PER_RECORDING):
            counts[self.seed + len(counts)] = min(STATES_PER_RECORDING, self.states - start)
        return counts


@dataclass
class Result:
    """What came of it.

    Attributes:
        seconds: what the power cuts took, without the recording.
        kept: the folders of the recordings that broke a promise.
    """

    subject: Subject
    campaign: Campaign
    outcome: Outcome = field(default_factory=Outcome)
    seconds: float = 0.0
    kept: List[Path] = field(default_factory=list)

    def add(self, outcome: Outcome, seconds: float, folder: Path) -> None:
        """Add what the states of one recording showed."""
        outcome.broken[:] = [f"recording {folder.name}, {problem}" for problem in outcome.broken]
        self.outcome.merge(outcome)
        self.seconds += seconds
        if outcome.broken:
            self.kept.append(folder)

    @property
    def states_per_s(self) -> float:
        return self.outcome.states / self.seconds if self.seconds else 0.0

    def as_record(self) -> Dict[str, Any]:
        """Return the fields of a record."""
        subject, campaign, outcome = self.subject, self.campaign, self.outcome
        return {
            "contender": subject.contender,
            "configuration": subject.configuration,
            "options": dict(subject.options),
            "workload": {"name": "power-cut", "version": workload.VERSION, "calls": campaign.calls},
            "params": {
                "seed": campaign.seed,
                "recordings": len(campaign.seeds()),
                "strict_directory": campaign.strict_directory,
                "sync_us": campaign.sync_us,
            },
            "n": outcome.states,
            "losing": outcome.losing,
            "lost": outcome.lost,
            "lost_most": outcome.lost_most,
            "lost_most_s": round(outcome.lost_most_s, 3),
            "killed": outcome.killed,
            "killed_losing": outcome.killed_losing,
            "killed_lost_most": outcome.killed_lost_most,
            "torn": outcome.torn,
            "holes": outcome.holes,
            "corrupt": outcome.corrupt,
            "reopened": outcome.reopened,
            "by_policy": dict(sorted(outcome.by_policy.items())),
            "promised": subject.promise is not None,
            "broken": [without_paths(problem) for problem in outcome.broken[:20]],
            "states_per_s": round(self.states_per_s, 1),
        }


def processes(count: int) -> ProcessPoolExecutor:
    """Return a pool of fresh processes: none of them has a store open, or a library of this one."""
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


def run(subject: Subject, campaign: Campaign, library: Path, scratch: Path, pool: Executor, parts: int) -> Result:
    """Record and cut; the recordings that broke a promise stay in `scratch`.

    Raises:
        RecordingError: the workload failed.
        TraceError: it wrote in a way that the recorder cannot follow.
    """
    result = Result(subject, campaign)
    for seed, states in campaign.seeds().items():
        setup = Setup.made_for(subject, seed, campaign.calls)
        folder = scratch / f"{setup.name}-{setup.mode}-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        made = record(setup, folder, library, sync_us=campaign.sync_us, package=campaign.package)
        jobs = simulate.jobs(made, states, parts, campaign.strict_directory)
        start = perf_counter()
        outcome = simulate.run_all(pool, jobs)
        result.add(outcome, perf_counter() - start, folder)
        if not outcome.broken:
            shutil.rmtree(folder)
    return result
