"""Published numbers against their records."""

from __future__ import annotations

from pathlib import Path
from typing import List

from harness.report.limits import pick
from harness.report.markdown import DRIVERS, UNRECORDED, block, named, record_of, render
from harness.report.recorded import Recorded


def problems(text: str, runs: Path) -> List[str]:
    """Return what is wrong with the marked tables of a page: each must be what its record gives, word for word."""
    found = [_problem(text, name, runs) for name in named(text)]
    return [problem for problem in found if problem]


def _problem(text: str, name: str, runs: Path) -> str:
    content = block(text, name)
    record = record_of(content)
    if content == UNRECORDED and pick(runs, latest=DRIVERS[name] == "limits-latest") is None:
        return ""
    if record is None:
        return f"harness:{name} names no record: python -m harness report"
    if not (runs / record).exists():
        return f"harness:{name} names {record}, which is not in results/runs"
    run = Recorded.load(runs / record)
    if not run.complete:
        return f"harness:{name} names {record}, whose run did not come to its end"
    if content != render(name, run):
        return f"harness:{name} differs from what {record} gives: python -m harness report"
    return ""
