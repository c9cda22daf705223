"""Crash states by the hundred: points of a recording are drawn by a seed, and what a power cut may leave at each."""

from __future__ import annotations

import random
import shutil
import tempfile
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence

from harness.powercut import recording, trace
from harness.powercut.check import Found, by_sqlite, by_store, materialise
from harness.powercut.disk import KILL, POLICIES, Disk, State
from harness.powercut.model import History, Progress, Verdict, judge
from harness.powercut.subjects import Promise, Subject

REOPEN_EVERY = 5  # states that our own store opens, too; and all of those near a change of names
_SUMS = ("states", "losing", "lost", "killed", "killed_losing", "torn", "holes", "corrupt", "reopened")
_MAXIMA = ("lost_most", "lost_most_s", "killed_lost_most")
_ACKNOWLEDGED = (trace.ACKNOWLEDGED, trace.FLUSHED)
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
    reopen: bool
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

    Half of them are just after an acknowledgement, some of these of a flush; a tenth is near a change of names; others
    are anywhere.
    """
    acknowledged = [number + 1 for number, event in enumerate(events) if event.kind in _ACKNOWLEDGED] or [len(events)]
    flushed = [number + 1 for number, event in enumerate(events) if event.kind == trace.FLUSHED] or acknowledged
    names = [number + 1 for number, event in enumerate(events) if event.kind in _NEAR_NAMES] or [0]
    drawn = []
    for state in states:
        chance = random.Random(f"{seed}/{state}")
        kind, where, beyond = chance.random(), chance.random(), chance.random()
        points: Sequence[int] = range(len(events) + 1)
        if kind < 0.6:
            points = acknowledged if kind < 0.4 else flushed if kind < 0.5 else names
        position = points[int(where * len(points))]
        if points is names:
            position = min(len(events), position + int(13 * beyond))
        reopen = points is names or state % REOPEN_EVERY == 0
        drawn.append(Cut(position, state, chance.choice(POLICIES), reopen, chance))
    return sorted(drawn, key=lambda cut: (cut.position, cut.state))


def run(job: Job) -> Outcome:
    """Make the states of a job and judge them."""
    scratch = Path(tempfile.mkdtemp(prefix="powercut-", dir=job.scratch))
    try:
        return _run(job, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(job: Job, scratch: Path) -> Outcome:
    made = recording.load(job.folder)
    events, subject = made.events(), made.setup.subject()
    disk, progress = Disk(events, strict_directory=job.strict_directory), Progress()
    history, outcome = History(made.setup.plan().calls), Outcome()
    for cut in cuts(events, job.seed, job.states):
        for event in events[disk.position : cut.position]:
            progress.take(event)
        disk.advance(cut.position)
        found = _found(subject, disk.cut(cut.policy, cut.chance), scratch / str(cut.state), cut.reopen)
        promise, now_ns = _promise(subject, cut), events[min(cut.position, len(events) - 1)].time_ns
        outcome.add(cut, _judged(judge(history, progress, promise, found.rows, now_ns), found, promise))
        outcome.reopened += cut.reopen and subject.ours
    return outcome


def _promise(subject: Subject, cut: Cut) -> Optional[Promise]:
    promise = subject.promise
    if promise is not None and promise.killed and cut.policy == KILL:
        return replace(promise, acknowledged=True)
    return promise


def _found(subject: Subject, state: State, folder: Path, reopen: bool) -> Found:
    """Read what the power cut left, first by our own store if it is to open the state, too."""
    folder.mkdir()
    materialise(state, folder)
    own = by_store(subject, folder) if reopen and subject.ours else None
    found = by_sqlite(subject, folder)
    shutil.rmtree(folder)
    if own is None or found.problem:
        return found
    if own.problem is None and own.rows != found.rows:
        return Found(found.rows, "the store reads other rows than SQLite")
    return Found(found.rows, own.problem)


def _judged(verdict: Verdict, found: Found, promise: Optional[Promise]) -> Verdict:
    if found.problem is None:
        return verdict
    if promise is not None:
        verdict.broken.append(found.problem)
    return verdict._replace(corrupt=True)


def jobs(made: recording.Recording, states: int, parts: int, strict_directory: bool) -> List[Job]:
    """Divide the first `states` states of a recording among processes, each a stretch of the trace."""
    seed, scratch = made.setup.seed, _scratch_in_memory()
    ordered = [cut.state for cut in cuts(made.events(), seed, range(states))]
    shares = [ordered[part * states // parts : (part + 1) * states // parts] for part in range(parts)]
    return [Job(made.folder, seed, share, strict_directory, scratch) for share in shares if share]


def run_all(pool: Executor, todo: Sequence[Job]) -> Outcome:
    """Run jobs in a pool; return what they found together."""
    outcome = Outcome()
    for part in pool.map(run, todo):
        outcome.merge(part)
    return outcome


def _scratch_in_memory() -> Optional[Path]:
    """Return a folder in memory for crash states, where there is one: their own syncs do not matter."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() else None


def keep(made: recording.Recording, state: int, folder: Path, *, strict_directory: bool) -> Cut:
    """Write one crash state into a folder, to be looked at."""
    events = made.events()
    (cut,) = cuts(events, made.setup.seed, [state])
    disk = Disk(events, strict_directory=strict_directory)
    disk.advance(cut.position)
    folder.mkdir(parents=True, exist_ok=True)
    materialise(disk.cut(cut.policy, cut.chance), folder)
    return cut
