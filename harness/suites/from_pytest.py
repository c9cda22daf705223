"""What pytest-benchmark writes by ``--benchmark-json``, as records: its samples, none of its facts about the host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterator

from harness.measure.case import Case
from harness.measure.rounds import Measured
from harness.measure.session import Session

TITLE = "Fixed blocks, by pytest-benchmark"


def measured(report: Path) -> Iterator[Measured]:
    """Return the blocks of each benchmark in a report.

    Raises:
        ValueError: it is no report of ``harness/drivers/pytest_benchmark.py``.
    """
    try:
        found = json.loads(report.read_text(encoding="utf-8"))["benchmarks"]
        yield from map(_measured, found)
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        message = f"{report.name} is no report of harness/drivers/pytest_benchmark.py by --benchmark-json"
        raise ValueError(message) from error


def _measured(benchmark: Dict[str, Any]) -> Measured:
    info = benchmark["extra_info"]
    blocks = [{"n": info["n"], "ns": seconds * 1e9, "counters": {}} for seconds in benchmark["stats"]["data"]]
    return Measured(Case.from_json(info["case"]), info["facts"], blocks)


def record(report: Path, session: Session) -> int:
    """Add the measurements of a report to the session's record; return how many."""
    return sum(1 for found in measured(report) if session.add_measured(found, TITLE))
