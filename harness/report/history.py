"""What asv remembers in ``results/asv``: one value for each commit, workload and backend."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from harness.report.table import NOTHING, Table, digits, duration

Series = Tuple[str, str]  # workload class, backend
_UNITS = {"track_ns": "ns", "track_written_bytes": "bytes"}


@dataclass(frozen=True)
class Commit:
    """What was measured on one commit: the median for each workload and backend."""

    commit: str
    when: datetime
    machine: str
    python: str
    values: Dict[str, Dict[Series, float]]  # by kind: track_ns, track_written_bytes


def load(folder: Path) -> List[Commit]:
    """Return the commits that asv has results of, oldest first."""
    found = [_commit(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*/*-*.json"))]
    return sorted(found, key=lambda commit: commit.when)


def _commit(data: Dict[str, Any]) -> Commit:
    values: Dict[str, Dict[Series, float]] = {kind: {} for kind in _UNITS}
    for benchmark, row in data["results"].items():
        result = dict(zip(data["result_columns"], row))
        *_, workload, kind = benchmark.split(".")
        if kind in values:
            values[kind].update(_series(workload, result))
    when = datetime.fromtimestamp(data["date"] / 1000, timezone.utc)
    return Commit(data["commit_hash"][:10], when, data["params"]["machine"], data["python"], values)


def _series(workload: str, result: Dict[str, Any]) -> Iterator[Tuple[Series, float]]:
    combinations = itertools.product(*result["params"])
    for (backend, *_), value in zip(combinations, result["result"] or []):
        if value is not None:
            yield (workload, backend.strip("'")), float(value)


def table(commits: List[Commit]) -> Optional[Table]:
    """Return nanoseconds per operation: a row for each workload and backend, a column for each commit."""
    series = sorted({name for commit in commits for name in commit.values["track_ns"]})
    if not series:
        return None
    rows = [[*name, *(_shown(commit.values["track_ns"].get(name)) for commit in commits)] for name in series]
    headings = ["workload", "backend", *(commit.commit for commit in commits)]
    return Table("History: what an operation cost, commit by commit", headings, [("", rows)])


def written(commits: List[Commit]) -> Optional[Table]:
    """Return bytes written per operation, in the same form: they do not depend on how busy the machine is."""
    series = sorted({name for commit in commits for name in commit.values["track_written_bytes"]})
    if not series:
        return None
    kind = "track_written_bytes"
    rows = [[*name, *(_bytes(commit.values[kind].get(name)) for commit in commits)] for name in series]
    headings = ["workload", "backend", *(commit.commit for commit in commits)]
    return Table("History: bytes written for an operation", headings, [("", rows)])


def _shown(value: Optional[float]) -> str:
    return NOTHING if value is None else duration(value)


def _bytes(value: Optional[float]) -> str:
    return NOTHING if value is None else digits(value)
