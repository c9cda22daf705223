"""Hits and writes, one at a time, beside the control."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from matplotlib.figure import Figure

from harness.figures import style
from harness.measure.records import Record
from harness.report.recorded import CLASSES, Recorded

Row = Tuple[str, str]
_HATCHES = {CLASSES[0]: "", CLASSES[1]: "...", CLASSES[2]: "////"}
_MARKS = dict(zip(CLASSES, ("", " (k)", " (v)")))


def figure(run: Recorded) -> Optional[Figure]:
    """Return the bars of both; None where the run has neither."""
    hits, sets = (_rows(run.measurements(name, value_size=64)) for name in ("hits", "sets"))
    rows = [row for row in sorted(sets, key=lambda row: _rank(sets[row])) if row in hits]
    if not rows:
        return None
    made = Figure(figsize=(11.5, 0.27 * len(rows) + 2.0))
    grid: Any = made.subplots(1, 2, squeeze=False)
    _panel(grid[0][0], [hits[row] for row in rows], "read of a key that was read before")
    _panel(grid[0][1], [sets[row] for row in rows], "write of a key that is there")
    grid[0][1].set_yticklabels([])
    height = made.get_size_inches()[1]
    made.subplots_adjust(left=0.22, right=0.985, top=1 - 0.95 / height, bottom=0.78 / height, wspace=0.05)
    marks = "(k) survives a kill, (v) volatile, else synced before acknowledgement"
    under = f"64 B values, quartiles as whiskers, dashed: a dict in a coroutine. {marks}"
    style.title(made, "What one operation costs, one at a time", under, run)
    return made


def _rows(records: List[Record]) -> Dict[Row, Record]:
    return {(record["contender"], record["configuration"]): record for record in records}


def _rank(record: Record) -> Tuple[bool, int, float]:
    return record["contender"] != "control", CLASSES.index(record["durability"]), record["summary"]["median"]


def _panel(axes: Any, records: List[Record], title: str) -> None:
    labels = [f"{record['contender']}, {record['configuration']}{_MARKS[record['durability']]}" for record in records]
    style.bars(axes, records, labels, [_HATCHES[record["durability"]] for record in records])
    for record in records:
        if record["contender"] == "control":
            axes.axvline(record["summary"]["median"] / 1000, color="#111827", linestyle="--", linewidth=0.9, zorder=0)
    axes.set_title(title, fontsize=10, loc="left", color=style.INK)
    axes.set_xlabel("µs per operation", fontsize=9, color=style.INK)
