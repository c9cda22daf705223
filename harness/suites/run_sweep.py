"""The sweep, run: promises first, then every group in interleaved rounds, each record written as it comes."""

from __future__ import annotations

from pathlib import Path
from typing import List, Protocol, Sequence

from harness.contenders import CONTENDERS
from harness.contenders.contender import Face
from harness.measure.case import Case
from harness.measure.promise import verify
from harness.measure.records import Record
from harness.measure.remote import WorkerError
from harness.measure.rounds import Effort, Measured, measure
from harness.measure.session import Session
from harness.suites.pairs import Group


class Watcher(Protocol):
    """Who is told how far a run is."""

    def expect(self, steps: int) -> None: ...
    def step(self, doing: str) -> None: ...


def run_sweep(
    session: Session, groups: Sequence[Group], there: Sequence[str], effort: Effort, watcher: Watcher
) -> None:
    """Measure everything that the record does not have yet; a failure ends its case, not the run."""
    done = {record["title"] for record in session.record.records if record.get("title")}
    verified = {(r["contender"], r["configuration"]) for r in session.record.records if r["kind"] == "promise"}
    groups = [group for group in groups if group.title not in done]
    writes = any(case.workload.writes for group in groups for case in group.cases)
    pairs = [
        (name, configuration)
        for name in there
        if writes and CONTENDERS[name].face is not Face.CONTROL
        for configuration in CONTENDERS[name].configurations
        if (name, configuration) not in verified
    ]
    watcher.expect(len(pairs) + sum(len(group.cases) * ((group.effort or effort).rounds + 1) for group in groups))
    for name, configuration in pairs:
        _verify(session, name, configuration)
        watcher.step(f"promise of {name} {configuration}")
    for number, group in enumerate(groups):
        _measure(session, group, session.scratch / f"group{number}", group.effort or effort, watcher)


def _measure(session: Session, group: Group, folder: Path, effort: Effort, watcher: Watcher) -> None:
    """Measure a group; what an interruption leaves of it is recorded, too."""
    found = [Measured(case) for case in group.cases]
    try:
        measure(found, session.workers, folder, effort, lambda case: watcher.step(case.label))
    finally:
        for measured in found:
            if measured.blocks or measured.failure is not None:
                session.add_measured(measured, group.title)


def _verify(session: Session, name: str, configuration: str) -> None:
    try:
        session.add_promise(verify(name, configuration, session.workers, session.scratch))
    except WorkerError as error:
        session.add_failure(Case("rows-single", name, configuration), str(error))


def failures_of(records: Sequence[Record]) -> List[Record]:
    """Return what failed, broken promises included."""
    broken = [
        {**record, "message": f"declared {record['durability']!r}, left {record['left']} of {record['written']} writes"}
        for record in records
        if record["kind"] == "promise" and not record["held"]
    ]
    return [record for record in records if record["kind"] == "failure"] + broken
