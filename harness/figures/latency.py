"""Latency against rate: what a request takes from the time that it was to come."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from matplotlib.figure import Figure

from harness.figures import style
from harness.measure.records import Record
from harness.report.recorded import CLASSES, Recorded
from harness.report.waiting import quantile, rated

_SHARES = {"0.5": "p50", "0.99": "p99", "0.999": "p99.9"}


def figure(run: Recorded) -> Optional[Figure]:
    """Return the curves of reads and writes; None where the run did not vary the rate."""
    records = sorted(rated(run), key=_rate)
    if len({_rate(record) for record in records}) < 2:
        return None
    made = Figure(figsize=(11.5, 7.2))
    grid: Any = made.subplots(2, 3, sharex=True, sharey=True)
    for row, name in zip(grid, ("reads", "writes")):
        for axes, (share, named) in zip(row, _SHARES.items()):
            _panel(axes, records, name, share)
            axes.set_title(f"{name}, {named}", fontsize=10, loc="left", color=style.INK, pad=6)
        row[0].set_ylabel("µs from the intended time", fontsize=9, color=style.INK)
    for axes in grid[1]:
        axes.set_xlabel("requests a second", fontsize=9, color=style.INK)
    handles, labels = grid[0][0].get_legend_handles_labels()
    made.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 0.025), ncols=4, fontsize=8, frameon=False)
    made.subplots_adjust(left=0.065, right=0.985, top=0.865, bottom=0.155, wspace=0.06, hspace=0.18)
    under = "an open loop, half reads; grey: how late requests were sent, which is in every curve. (k) survives a kill"
    style.title(made, "How long a request takes, when requests come at their own times", under, run)
    return made


def _rate(record: Record) -> int:
    return int(record["params"]["rate"])


def _panel(axes: Any, records: List[Record], name: str, share: str) -> None:
    late: Dict[int, List[float]] = {}
    for record in records:
        late.setdefault(_rate(record), []).append((quantile(record, "late", share) or 0.0) / 1000)
    low, high = [min(found) for found in late.values()], [max(found) for found in late.values()]
    axes.fill_between(list(late), low, high, color="#9ca3af", alpha=0.3, linewidth=0, label="sent late, all stores")
    for look, found in style.lines(records):
        points = [(_rate(record), quantile(record, name, share)) for record in found]
        kill = " (k)" if found[0]["durability"] == CLASSES[1] else ""
        there = [(rate, ns / 1000) for rate, ns in points if ns is not None]
        axes.plot(*zip(*there), **{**look, "label": look["label"] + kill})
    axes.set_xscale("log")
    axes.set_yscale("log")
    style.numbers(axes.xaxis)
    style.numbers(axes.yaxis)
    axes.set_xticks(list(late))
    axes.minorticks_off()
    axes.grid(color=style.GRID)
    style.plain(axes)
