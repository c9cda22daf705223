"""Operations a second against the number of threads or processes that ask at once."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from harness.figures import style
from harness.measure.records import Record
from harness.report.recorded import CLASSES, Recorded


def figure(run: Recorded) -> Optional[Figure]:
    """Return a panel for each mix; None where the run varied neither threads nor processes."""
    panels: Dict[str, List[Record]] = {
        "threads, reads only": run.measurements("threads", read_ratio=1.0),
        "threads, 95 % reads": run.measurements("threads", read_ratio=0.95),
        "processes, 95 % reads": run.measurements("processes", read_ratio=0.95),
    }
    panels = {title: found for title, found in panels.items() if len({_tasks(record) for record in found}) > 1}
    if not panels:
        return None
    made = Figure(figsize=(4.1 * len(panels) + 0.6, 5.2))
    grid: Any = made.subplots(1, len(panels), squeeze=False)
    for axes, (title, records) in zip(grid[0], panels.items()):
        _panel(axes, records)
        axes.set_title(title, fontsize=10, loc="left", color=style.INK, pad=6)
        axes.set_xlabel(f"{title.split(',')[0]} at once", fontsize=9, color=style.INK)
    grid[0][0].set_ylabel("thousand operations a second, all together", fontsize=9, color=style.INK)
    width = made.get_size_inches()[0]
    made.subplots_adjust(left=0.75 / width, right=0.985, top=0.83, bottom=0.33, wspace=0.16)
    under = "64 B values over 10,000 zipfian keys, medians; (k) survives a kill, else synced before acknowledgement"
    style.title(made, "One store for many threads, one file for many processes", under, run)
    return made


def _tasks(record: Record) -> int:
    return int(record["params"]["tasks"])


def _panel(axes: Any, records: List[Record]) -> None:
    for look, unsorted in style.lines(records):
        found = sorted(unsorted, key=_tasks)
        kill = " (k)" if found[0]["durability"] == CLASSES[1] else ""
        speeds = [1e6 / record["summary"]["median"] for record in found]
        axes.plot([_tasks(record) for record in found], speeds, **{**look, "label": look["label"] + kill})
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(sorted({_tasks(record) for record in records}))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    style.numbers(axes.xaxis)
    style.numbers(axes.yaxis)
    axes.minorticks_off()
    axes.grid(color=style.GRID)
    style.plain(axes)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=7, frameon=False, handlelength=2.6)
