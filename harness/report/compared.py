"""Two records side by side: ratios of medians, with intervals that hold for all of them at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
from scipy import stats

from harness.measure.records import Record
from harness.report.recorded import Recorded
from harness.report.table import Table, digits, time
from harness.workloads import Params

RESAMPLES = 9999
LEVEL = 0.05
_HOST = ("cpu", "cores", "affinity", "memory_bytes", "kernel", "file_system", "python", "implementation")
_CASE = ("workload", "workload_version", "contender", "configuration", "options", "params", "title", "metric", "unit")


class NotComparableError(Exception):
    """The records differ in what must be the same."""


@dataclass(frozen=True)
class Ratio:
    """One case in both: what B takes of what A takes."""

    a: Record
    b: Record
    ratio: float
    p: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Say what the interval says."""
        if self.low > 1:
            return "slower"
        return "faster" if self.high < 1 else "no difference seen"


def compared(a: Recorded, b: Recorded) -> List[Ratio]:
    """Return the cases that both records have.

    Raises:
        NotComparableError: the machine, the driver or the schema is another, or they have no case in common.
    """
    _must_match(a, b)
    ours, theirs = _cases(a), _cases(b)
    pairs = [(ours[key], theirs[key]) for key in ours if key in theirs]
    if not pairs:
        raise NotComparableError("they have no case in common: workload, version, store, options and parameters")
    chances = [_chance(*pair) for pair in pairs]
    return [_ratio(pair, p, level) for pair, p, level in zip(pairs, chances, holm_levels(chances))]


def _must_match(a: Recorded, b: Recorded) -> None:
    for name in ("schema", "driver", "machine"):
        _same(name, a.begin[name], b.begin[name])
    for name in _HOST:
        _same(name, a.begin["host"].get(name), b.begin["host"].get(name))


def _same(name: str, a: Any, b: Any) -> None:
    if a != b:
        raise NotComparableError(f"their {name} differs: {a} and {b}")


def _cases(run: Recorded) -> Dict[str, Record]:
    """Return the measurements by what must be the same; a parameter that was not there yet had its default."""
    found = {}
    for record in run.kind("measurement"):
        case = {name: record[name] for name in _CASE}
        case["params"] = {**vars(Params()), **record["params"]}
        found[json.dumps(case, sort_keys=True)] = record
    return found


def _chance(a: Record, b: Record) -> float:
    """Return the p of Mann and Whitney's test."""
    return float(stats.mannwhitneyu(a["samples"], b["samples"], alternative="two-sided").pvalue)


def holm_levels(chances: Sequence[float], level: float = LEVEL) -> List[float]:
    """Return the level of each interval by Holm's step-down: the smallest p gets ``level / count``."""
    levels = [0.0] * len(chances)
    for rank, number in enumerate(np.argsort(chances, kind="stable")):
        levels[int(number)] = level / (len(chances) - rank)
    return levels


def _ratio(pair: Tuple[Record, Record], p: float, level: float) -> Ratio:
    a, b = (np.asarray(record["samples"], dtype=float) for record in pair)
    drawn = np.random.default_rng(0)
    medians = [np.median(drawn.choice(side, (RESAMPLES, side.size)), axis=1) for side in (b, a)]
    low, high = np.quantile(medians[0] / medians[1], [level / 2, 1 - level / 2])
    return Ratio(*pair, float(np.median(b) / np.median(a)), p, float(low), float(high))


def table(a: Recorded, b: Recorded, ratios: Sequence[Ratio]) -> Table:
    """Return a row for each case, what changed most first."""
    rows = [
        [
            found.a["title"],
            f"{found.a['contender']}, {found.a['configuration']}{_options(found.a)}",
            time(found.a),
            time(found.b),
            f"{digits(found.ratio)}x",
            f"{found.low:.2f}..{found.high:.2f}",
            found.verdict,
        ]
        for found in sorted(ratios, key=lambda found: (found.low <= 1 <= found.high, -abs(np.log(found.ratio))))
    ]
    names = [f"{run.begin['commit']}{'+' if run.begin['dirty'] else ''}" for run in (a, b)]
    headings = ["case", "store", f"A {names[0]}", f"B {names[1]}", "B of A", "interval", "B is"]
    return Table(f"B {b.name} against A {a.name}", headings, [("", rows)])


def _options(record: Record) -> str:
    size = record["options"].get("buffer_size")
    return f", buffer_size={size}" if size is not None else ""


def as_json(found: Ratio) -> Dict[str, Any]:
    """Return one case for other programs."""
    facts = {name: found.a[name] for name in _CASE}
    medians = {"a": found.a["summary"]["median"], "b": found.b["summary"]["median"]}
    numbers = {"ratio": found.ratio, "p": found.p, "low": found.low, "high": found.high}
    return {**facts, **medians, **numbers, "verdict": found.verdict}
