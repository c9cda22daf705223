"""The stage suite, run: each goal in a worker of its own, the verdict recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Sequence

from harness.measure.session import Session, described
from harness.measure.summary import significant, summary
from harness.suites import stage
from harness.suites.run_sweep import Watcher


def run_stage(session: Session, goals: Sequence[stage.Goal], watcher: Watcher) -> bool:
    """Measure every goal; whether all of them hold.

    Raises:
        WorkerError: a side failed.
    """
    watcher.expect(len(goals) * stage.ROUNDS)
    verdicts = [_run(session, goal, watcher) for goal in goals]
    return all(verdict.held for verdict in verdicts)


def _run(session: Session, goal: stage.Goal, watcher: Watcher) -> stage.Verdict:
    worker = session.workers.named(goal.name)

    def folder_of(number: int) -> str:
        folder: Path = session.scratch / goal.name / str(number)
        folder.mkdir(parents=True)
        return str(folder)

    verdict = stage.run(goal, worker, folder_of, lambda: watcher.step(goal.name))
    session.record.add(
        "verdict",
        goal=goal.name,
        sentence=goal.sentence,
        metric="ratio",
        unit="1",
        n=stage.ROUNDS,
        samples=[significant(ratio) for ratio in verdict.ratios],
        summary=summary(verdict.ratios),
        wanted=goal.wanted,
        held=verdict.held,
        over=_side(goal.over, verdict, "over"),
        under=_side(goal.under, verdict, "under"),
        host=session.host,
    )
    return verdict


def _side(side: stage.Side, verdict: stage.Verdict, name: str) -> Dict[str, Any]:
    samples = verdict.over_ns if name == "over" else verdict.under_ns
    return {
        **described(side.case),
        "contender_versions": verdict.facts[name]["versions"],
        "unit": "ns",
        "n": side.n,
        "samples": [significant(sample) for sample in samples],
        "summary": summary(samples),
    }
