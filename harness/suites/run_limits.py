"""The limits suite, run: the cases of a row take turns, a verdict for each row is recorded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Dict, List, Sequence

from harness.contenders import CONTENDERS
from harness.measure.records import Record, without_paths
from harness.measure.rounds import Measured, measure
from harness.measure.session import Session
from harness.measure.summary import significant, summary
from harness.probes.child import ProbeError, probe
from harness.suites.limit import Group, Measurable, Probed, Row
from harness.suites.run_sweep import Watcher


def run_limits(session: Session, groups: Sequence[Measurable], watcher: Watcher) -> List[Record]:
    """Measure every group; return the verdicts. What fails ends its group, not the run."""
    watcher.expect(sum(_steps(group) for group in groups))
    verdicts = []
    for number, group in enumerate(groups):
        folder = session.scratch / f"limits{number}"
        if isinstance(group, Probed):
            verdicts += _probed(session, group, folder, watcher)
        else:
            verdicts += _measured(session, group, folder, watcher)
    return verdicts


def _steps(group: Measurable) -> int:
    return 1 if isinstance(group, Probed) else len(_there(group)) * (group.effort.rounds + 1)


def _there(group: Group) -> Dict[str, Measured]:
    """Leave out the stores that are not installed."""
    cases = group.cases.items()
    return {name: Measured(case) for name, case in cases if CONTENDERS[case.contender_name].missing() is None}


def _measured(session: Session, group: Group, folder: Path, watcher: Watcher) -> List[Record]:
    found = _there(group)
    try:
        measure(
            list(found.values()), session.workers, folder, group.effort, lambda case: watcher.step(f"{group.title}")
        )
    finally:
        for measured in found.values():
            if measured.blocks or measured.failure is not None:
                session.add_measured(measured, group.title)
        session.workers.close()  # the next group finds fresh processes: no heap that this one filled
        shutil.rmtree(folder, ignore_errors=True)
    samples = {name: measured.samples for name, measured in found.items() if measured.failure is None}
    rows = [row for row in group.rows if row.ours in samples and row.against in samples]
    return [_verdict(session, row, samples[row.ours], samples[row.against]) for row in rows]


def _probed(session: Session, group: Probed, folder: Path, watcher: Watcher) -> List[Record]:
    folder.mkdir()
    try:
        found = probe(group.probe, group.arguments, folder)
    except ProbeError as error:
        session.record.add("failure", row=group.row.name, title=group.title, message=without_paths(str(error)))
        return []
    finally:
        watcher.step(group.title)
        shutil.rmtree(folder, ignore_errors=True)
    facts = {"probe": group.probe, "arguments": dict(group.arguments), "facts": found.get("facts", {})}
    return [_verdict(session, group.row, found["ours"], found["against"], unit=group.unit, **facts)]


def _verdict(
    session: Session, row: Row, ours: Sequence[float], against: Sequence[float], unit: str = "ns", **more: Any
) -> Record:
    ratios = row.ratios(ours, against)
    found = summary(ratios)
    return session.record.add(
        "verdict",
        row=row.name,
        operation=row.operation,
        metric="ratio",
        unit="1",
        n=len(ratios),
        samples=[significant(ratio) for ratio in ratios],
        summary=found,
        wanted=row.wanted,
        held=row.holds(float(found["median"])),
        headline=row.headline,
        ours={"label": row.ours, **_side(ours, unit)},
        against={"label": row.against, **_side(against, unit)},
        host=session.host,
        **more,
    )


def _side(samples: Sequence[float], unit: str) -> Dict[str, Any]:
    return {"unit": unit, "samples": [significant(sample) for sample in samples], "summary": summary(samples)}
