"""Crash states by the hundred: points of a recording are drawn by a seed, and what a power cut may leave at each."""

from __future__ import annotations

import random
import shutil
import tempfile
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

from harness.powercut import recording, trace
from harness.powercut.check import Found, by_sqlite, by_store, materialise
from harness.powercut.disk import KILL, POLICIES, Disk
from harness.powercut.model import History, Progress, Verdict, judge
from harness.powercut.subjects import Promise, Subject

REOPEN_EVERY = 5  # states of our own stores that the store itself opens, too
_SUMS = ("states", "losing", "lost", "killed", "killed_losing", "torn", "holes", "corrupt", "reopened")
_MAXIMA = ("lost_most", "lost_most_s", "killed_lost_most")
_NEAR_NAMES = (trace.CREATE, trace.RENAME, trace.UNLINK)


@dataclass(frozen=True)
class Job:
    """Some of the states of one recording."""

    folder: Path
    seed: int
    states: Sequence[int]
    strict_directory: bool = False
    scratch: Optional[Path] = None


class Cut(NamedTuple):
    """State number `state` of a recording: a power cut after `position` events."""

    position: int
    state: int
    policy: str
    chance: random.Random


@dataclass
class Outcome:
    """What a number of power cuts did."""

    states: int = 0
    losing: int = 0
    lost: int = 0
    lost_most: int = 0
    lost_most_s: float = 0.0
    killed: int = 0  # with nothing lost that was written: what a SIGKILL does
    killed_losing: int = 0
    killed_lost_most: int = 0
    torn: int = 0
    holes: int = 0
    corrupt: int = 0
    reopened: int = 0
    by_policy: Dict[str, int] = field(default_factory=dict)
    broken: List[str] = field(default_factory=list)

    def add(self, cut: Cut, verdict: Verdict) -> None:
        """Count one power cut."""
        self.states += 1
        self.losing += bool(verdict.lost)
        self.lost += verdict.lost
        self.lost_most = max(self.lost_most, verdict.lost)
        self.lost_most_s = max(self.lost_most_s, verdict.lost_s)
        if cut.policy == KILL:
            self.killed += 1
            self.killed_losing += bool(verdict.lost)
            self.killed_lost_most = max(self.killed_lost_most, verdict.lost)
        self.torn += bool(verdict.torn)
        self.holes += verdict.holes
        self.corrupt += verdict.corrupt
        self.by_policy[cut.policy] = self.by_policy.get(cut.policy, 0) + 1
        where = f"state {cut.state} ({cut.policy}, after {cut.position} events)"
        self.broken.extend(f"{where}: {problem}" for problem in verdict.broken)

    def merge(self, other: Outcome) -> None:
        """Add what another number of power cuts did."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in _MAXIMA:
            setattr(self, name, max(getattr(self, name), getattr(other, name)))
        for policy, count in other.by_policy.items():
            self.by_policy[policy] = self.by_policy.get(policy, 0) + count
        self.broken.extend(other.broken)


def cuts(events: Sequence[trace.Event], seed: int, states: Sequence[int]) -> List[Cut]:
    """Return where the states of these numbers come from, in the order of the trace.

    Half of them are just after an acknowledgement; others are near a change of names, or anywhere.
    """
    acknowledged = [number + 1 for number, event in enumerate(events) if event.kind == trace.ACKNOWLEDGED]
    names = [number + 1 for number, event in enumerate(events) if event.kind in _NEAR_NAMES]
    drawn = []
    for state in states:
        chance = random.Random(f"{seed}/{state}")
        position = chance.randint(0, len(events))
        kind = chance.random()
        if kind < 0.5 and acknowledged:
            position = chance.choice(acknowledged)
        elif kind < 0.6 and names:
            position = min(len(events), chance.choice(names) + chance.randint(0, 12))
        drawn.append(Cut(position, state, chance.choice(POLICIES), chance))
    return sorted(drawn, key=lambda cut: (cut.position, cut.state))


def run(job: Job) -> Outcome:
    """Make the states of a job and judge them."""
    made = recording.load(job.folder)
    events, subject, calls = made.events(), made.setup.subject(), made.setup.plan().calls
    disk, history, progress = Disk(events, strict_directory=job.strict_directory), History(calls), Progress()
    outcome = Outcome()
    scratch = Path(tempfile.mkdtemp(prefix="powercut-", dir=job.scratch))
    try:
        for cut in cuts(events, job.seed, job.states):
            for event in events[disk.position : cut.position]:
                progress.take(event, calls)
            disk.advance(cut.position)
            folder = scratch / str(cut.state)
            folder.mkdir()
            materialise(disk.cut(cut.policy, cut.chance), folder)
            reopen = subject.ours and cut.state % REOPEN_EVERY == 0
            outcome.reopened += reopen
            promise = _promise(subject, cut)
            now_ns = events[min(cut.position, len(events) - 1)].time_ns
            found = _found(subject, folder, reopen)
            outcome.add(cut, _judged(judge(history, progress, promise, found.rows, now_ns), found, promise))
            shutil.rmtree(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return outcome


def _promise(subject: Subject, cut: Cut) -> Optional[Promise]:
    promise = subject.promise
    if promise is not None and promise.killed and cut.policy == KILL:
        return replace(promise, acknowledged=True)
    return promise


def _found(subject: Subject, folder: Path, reopen: bool) -> Found:
    """Read what the power cut left, first by the store itself if asked to."""
    own = by_store(subject, folder) if reopen else None
    found = by_sqlite(subject, folder)
    if own is None or own.problem or found.problem:
        return found if own is None or own.problem is None else Found(found.rows, own.problem)
    return found if own.rows == found.rows else Found(found.rows, "the store reads other rows than SQLite")


def _judged(verdict: Verdict, found: Found, promise: Optional[Promise]) -> Verdict:
    if found.problem is None:
        return verdict
    if promise is not None:
        verdict.broken.append(found.problem)
    return verdict._replace(corrupt=True)


def jobs(
    made: recording.Recording, seed: int, states: int, parts: int, *, strict_directory: bool, scratch: Optional[Path]
) -> Iterator[Job]:
    """Divide the first `states` states of a recording among processes, each a stretch of the trace."""
    ordered = [cut.state for cut in cuts(made.events(), seed, range(states))]
    for part in range(parts):
        share = ordered[part * states // parts : (part + 1) * states // parts]
        if share:
            yield Job(made.folder, seed, share, strict_directory, scratch)


def run_all(pool: Executor, todo: Iterator[Job]) -> Outcome:
    """Run jobs in a pool; return what they found together."""
    outcome = Outcome()
    for part in pool.map(run, list(todo)):
        outcome.merge(part)
    return outcome


def scratch_in_memory() -> Optional[Path]:
    """Return a folder in memory for crash states, where there is one: their own syncs do not matter."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() else None


def keep(made: recording.Recording, seed: int, state: int, folder: Path, *, strict_directory: bool) -> Cut:
    """Write one crash state into a folder, to be looked at."""
    events = made.events()
    (cut,) = cuts(events, seed, [state])
    disk = Disk(events, strict_directory=strict_directory)
    disk.advance(cut.position)
    folder.mkdir(parents=True, exist_ok=True)
    materialise(disk.cut(cut.policy, cut.chance), folder)
    return cut
