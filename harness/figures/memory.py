"""What a process grows by for an entry."""

from __future__ import annotations

from typing import Any, Optional

from matplotlib.figure import Figure

from harness.figures import style
from harness.report.recorded import Recorded
from harness.report.table import digits


def figure(run: Recorded) -> Optional[Figure]:
    """Return the bars, the least first; None where the run did not look at memory."""
    records = sorted(run.measurements("memory"), key=lambda record: float(record["summary"]["median"]))
    if not records:
        return None
    height = 0.27 * len(records) + 1.9
    made = Figure(figsize=(9.6, height))
    axes: Any = made.subplots()
    for place, record in enumerate(records):
        found = record["summary"]
        axes.barh(place, found["median"], color=style.colour(record), height=0.68)
        axes.plot([found["q1"], found["q3"]], [place, place], color="#111827", linewidth=1.2, solid_capstyle="butt")
        text = f"  {digits(found['median'])} B"
        axes.text(max(found["median"], found["q3"]), place, text, va="center", fontsize=8, color=style.INK)
    labels = [f"{record['contender']}, {record['configuration']}" for record in records]
    axes.set_yticks(range(len(records)), labels)
    axes.invert_yaxis()
    axes.set_xlabel("bytes of an entry", fontsize=9, color=style.INK)
    axes.grid(axis="x", color=style.GRID)
    axes.margins(x=0.1)
    style.plain(axes)
    made.subplots_adjust(left=0.25, right=0.97, top=1 - 0.8 / height, bottom=0.72 / height)
    size = records[0]["params"]["value_size"]
    under = f"{size} B values and their keys, written and read; caches as they are by default, mapped files left out"
    style.title(made, "What a process grows by for an entry", under, run)
    return made
