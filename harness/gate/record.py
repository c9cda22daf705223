"""The record of a gate: `RecordFile`, under the identity of the commit that is judged."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Set

from harness.gate.counting import Counter
from harness.gate.paired import Quads
from harness.gate.trees import Tree
from harness.gate.verdict import Judged, Verdict
from harness.measure import host
from harness.measure.records import Record, RecordFile
from harness.measure.remote import ROOT


class GateRecord(RecordFile):
    """What was measured so far; an interrupted gate goes on from it."""

    def __init__(self, folder: Path, machine: str, head: Tree) -> None:
        super().__init__(folder, "gate", machine, ROOT)
        commit = head.commit[:10]
        stamp = self.path.name.split("Z-", 1)[0]
        self.path = self.path.with_name(f"{stamp}Z-{machine}-{commit}.jsonl")
        self._identity.update(commit=commit, dirty=head.dirty, package_hash=head.package_hash)

    def kind(self, kind: str, **fields: int) -> List[Record]:
        """Return the records of a kind where these fields have these values."""
        return [
            record
            for record in self.records
            if record["kind"] == kind and all(record[name] == value for name, value in fields.items())
        ]

    def counters(self, evaluation: int) -> List[Counter]:
        """Return what was counted."""
        return [Counter.from_json(record) for record in self.kind("counter", evaluation=evaluation)]

    def restarts(self, evaluation: int, attempt: int) -> List[Record]:
        """Return the restarts in order."""
        return sorted(self.kind("restart", evaluation=evaluation, attempt=attempt), key=lambda found: found["restart"])

    def add_restart(self, evaluation: int, attempt: int, restart: int, found: List[Quads]) -> None:
        """Keep one restart of every body."""
        bodies = [vars(quads) for quads in found]
        place = {"evaluation": evaluation, "attempt": attempt, "restart": restart}
        self.add("restart", **place, metric="log of head's time over base's", unit="1", bodies=bodies)

    def add_evaluation(
        self, evaluation: int, attempt: int, verdict: Verdict, control: Optional[Judged], bodies: List[Judged]
    ) -> None:
        """Keep what was concluded."""
        judged = [body.as_json() for body in bodies]
        said = {"verdict": verdict.name, "control": control.as_json() if control else None, "bodies": judged}
        self.add("evaluation", evaluation=evaluation, attempt=attempt, **said, load=host.load())

    def concluded(self, evaluation: int) -> Optional[Record]:
        """Return what was concluded last."""
        found = self.kind("evaluation", evaluation=evaluation)
        return found[-1] if found else None

    def done(self) -> Set[int]:
        """Return the evaluations that are closed."""
        return {record["evaluation"] for record in self.kind("closed")}
