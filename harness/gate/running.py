"""A gate from beginning to end: trees, record, evaluations, conclusion."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Dict, List, Optional, Protocol, Sequence, Set, Tuple

from harness.gate import counting, instructions, plant, writes
from harness.gate.asked import Asked
from harness.gate.bodies import Body
from harness.gate.counting import Counter
from harness.gate.judging import Judge
from harness.gate.record import GateRecord
from harness.gate.stand import Stand
from harness.gate.trees import Tree, TreeError, installed, resolve
from harness.gate.verdict import Verdict, rate_of
from harness.measure import host, syncs
from harness.measure.remote import WorkerError
from harness.measure.session import CannotSyncError, check_syncs, described


class NotJudgedError(Exception):
    """There is no verdict; the message says in one line why."""


class Progress(Protocol):
    """Who is told how far it is."""

    def expect(self, steps: int) -> None:
        """Say how many steps there will be."""

    def step(self, doing: str) -> None:
        """Count one step as done."""

    def line(self, text: str) -> None:
        """Print one line."""


class Gate:
    """Judges what was asked, into a record in ``out``."""

    def __init__(
        self, asked: Asked, out: Path, scratch: Path, machine: Optional[str], resume: Optional[Path], screen: Progress
    ) -> None:
        self.asked = asked
        self.out = out
        self.machine = machine or host.machine_label()
        self.resume = resume
        self.screen = screen
        self.cache = scratch.resolve() / "gate"
        self.scratch = self.cache / f"run-{os.getpid()}"
        self.record: Optional[GateRecord] = None
        self.figure: Optional[Path] = None

    def run(self) -> int:
        """Return the exit code.

        Raises:
            NotJudgedError: there is nothing to judge, or nothing to judge it with.
        """
        self.scratch.mkdir(parents=True)
        try:
            check_syncs(self.scratch)
            base, head = self._trees()
            record = GateRecord(self.out, self.machine, head)
            if self.resume is not None:
                record.resume(self.resume)
            self.record = record
            libraries = (syncs.build(self.scratch)[0], writes.build(self.scratch))
            preload = [library for library in libraries if library is not None]
            stand = Stand(self.asked.project, base, head, self.scratch, preload)
            with record:
                self._begin(record, base, head)
                return self._evaluated(record, stand)
        except (TreeError, CannotSyncError, WorkerError, ValueError, OSError) as error:
            raise NotJudgedError(str(error)) from error
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _trees(self) -> Tuple[Tree, Tree]:
        asked = self.asked
        for revision in (asked.base, asked.head):
            resolve(asked.project.repository, revision)  # before anything is built
        self.screen.step("building BASE")
        base = installed(asked.project, asked.base, self.scratch / "base", self.cache)
        self.screen.step("building HEAD")
        patch = plant.PATCH if asked.planted else None
        head = installed(asked.project, asked.head, self.scratch / "head", self.cache, patch)
        if base.package_hash == head.package_hash and not asked.aa:
            raise NotJudgedError(f"{asked.base} and {asked.head} give the same package: nothing to judge (--aa would)")
        if base.package_hash != head.package_hash and asked.aa:
            raise NotJudgedError("the same commit gave two packages: drop the folder of --scratch and build it again")
        return base, head

    def _begin(self, record: GateRecord, base: Tree, head: Tree) -> None:
        if record.records:
            self.screen.line(f"going on with {record.path.name}: {len(record.records)} records are kept")
            return
        sides = {name: _described(tree) for name, tree in (("base", base), ("head", head))}
        load = host.load()
        if host.busy(load):
            self.screen.line(host.busy(load))
        facts = {**self.asked.as_json(), **sides, "host": host.host(self.scratch), "load": load}
        record.add("begin", command=self.asked.command, sync_us=host.sync_us(self.scratch), **facts)
        for body in self.asked.bodies:
            record.add("body", body=body.name, limit=body.limit, **described(body.case))

    def _evaluated(self, record: GateRecord, stand: Stand) -> int:
        asked, planted = self.asked, self.asked.planted
        bodies = [body for body in asked.bodies if not (planted and planted.kind == "instructions")]
        timed = any(body.timed for body in bodies)
        steps = 1 + (asked.effort.restarts if timed else 0)
        self.screen.expect(2 + asked.evaluations * steps)
        if planted:
            self._plant(record, stand)
        count, step = lambda number: self._counters(number, stand), self.screen.step
        judge = Judge(record, stand, bodies, asked.effort, count, step)
        verdicts = [Verdict[judge.evaluation(number)["verdict"]] for number in range(asked.evaluations)]
        status = self._concluded(record, verdicts)
        if timed:
            from harness.figures import forest

            self.figure = record.path.with_suffix(".png")
            forest.save(record.records, self.figure)
        return status

    def _counters(self, number: int, stand: Stand) -> List[Counter]:
        """Count: instructions once, or where they are what is planted; writes, but where time is planted."""
        asked, planted = self.asked, self.asked.planted
        if planted and planted.kind == "time":
            return []
        limits = {body.name: body.limit for body in asked.bodies}
        allowed: Set[Tuple[str, str]] = set()
        if not (planted or asked.aa):
            allowed = counting.declared(asked.project.repository, stand.base.commit, stand.head.commit)
        counters = []
        writing = [body for body in asked.bodies if body.counted]
        if writing and not planted:
            with stand.folder() as folder:
                base, head = counting.written(stand.counted, writing, folder)
            counters += counting.compared(base, head, limits, allowed)
        if number == 0 or planted:
            weighed = [body for body in asked.bodies if body.weighed]
            base, head = (self._instructions(tree, weighed) for tree in (stand.base, stand.head))
            counters += counting.compared(base, head, limits, allowed)
        return counters

    def _instructions(self, tree: Tree, bodies: Sequence[Body]) -> counting.Counts:
        if instructions.missing():
            self.screen.line(instructions.missing())
            return {}
        found = instructions.counted(tree, self.asked.project, bodies)
        return {body: {counting.INSTRUCTIONS: counts} for body, counts in found.items()}

    def _plant(self, record: GateRecord, stand: Stand) -> None:
        """Find how often the planted loop must turn; the record keeps it."""
        assert self.asked.planted is not None
        kept = record.kind("planted")
        if kept:
            plant.turn(kept[0]["turns"])
            return
        planted = self.asked.planted
        body = next(body for body in self.asked.project.bodies if body.name == plant.BODY)

        def time() -> float:
            return plant.time_of(stand, body, self.screen.step)

        def counted() -> float:
            base, head = (self._instructions(tree, [body])[body.name] for tree in (stand.base, stand.head))
            return min(head[counting.INSTRUCTIONS]) / min(base[counting.INSTRUCTIONS])

        turns, effect = plant.calibrated(time if planted.kind == "time" else counted, planted.share)
        record.add("planted", body=body.name, planted=str(planted), turns=turns, effect=effect)
        self.screen.line(f"planted: {turns} turns in aget; {body.name} has {effect - 1:.1%} more {planted.kind}")

    def _concluded(self, record: GateRecord, verdicts: List[Verdict]) -> int:
        if not (self.asked.aa or self.asked.planted):
            record.add("verdict", verdict=verdicts[0].name)
            return verdicts[0].value
        found, of = verdicts.count(Verdict.FAIL), len(verdicts)
        record.add("rate", **rate_of([verdict.name for verdict in verdicts], aa=self.asked.aa))
        return 0 if found == (0 if self.asked.aa else of) else 1


def _described(tree: Tree) -> Dict[str, Any]:
    facts = ("revision", "commit", "dirty", "package_hash")
    return {name: getattr(tree, name) for name in facts}
