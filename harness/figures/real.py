"""Real data: the sources of the standard library, written and read."""

from __future__ import annotations

from typing import Any, List, Optional

from matplotlib.figure import Figure

from harness.figures import style
from harness.measure.records import Record
from harness.report.recorded import CLASSES, Recorded


def figure(run: Recorded) -> Optional[Figure]:
    """Return the bars of both; None where the run has neither."""
    written, reads = run.measurements("files-written"), run.measurements("files-read")
    if not written or not reads:
        return None
    made = Figure(figsize=(11.5, 0.34 * len(written) + 2.1))
    grid: Any = made.subplots(1, 2, squeeze=False)
    _panel(grid[0][0], written, "a file written, 64 tasks at once")
    _panel(grid[0][1], reads, "a file read that was read before")
    made.subplots_adjust(left=0.2, right=0.985, top=1 - 1.0 / made.get_size_inches()[1], bottom=0.19, wspace=0.52)
    facts = written[0]["facts"]
    size = facts["entry_bytes"] / facts["entries"] / 1024
    files = f"{facts['entries']} files of {size:.0f} KiB on average"
    under = f"{files}; quartiles as whiskers; (k) survives a kill, else synced before acknowledgement"
    style.title(made, "Sources of the standard library as values", under, run)
    return made


def _panel(axes: Any, records: List[Record], title: str) -> None:
    records = sorted(records, key=lambda record: (CLASSES.index(record["durability"]), record["summary"]["median"]))
    kill = [record["durability"] == CLASSES[1] for record in records]
    labels = [f"{r['contender']}, {r['configuration']}{' (k)' if mark else ''}" for r, mark in zip(records, kill)]
    style.bars(axes, records, labels, ["..." if mark else "" for mark in kill])
    axes.set_title(title, fontsize=10, loc="left", color=style.INK)
    axes.set_xlabel("µs per file", fontsize=9, color=style.INK)
