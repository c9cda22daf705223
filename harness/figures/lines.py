"""Curves over a parameter, a panel for each durability class, quartiles as a band."""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures import style
from harness.measure.records import Record
from harness.report.recorded import CLASSES, Recorded

Place = Callable[[Record], float]


def panels(
    run: Recorded, records: Sequence[Record], place: Place, *, x: str, y: str, **titles: str
) -> Optional[Figure]:
    """Return a figure with the classes side by side on the same axes; None without records."""
    classes = [name for name in CLASSES if any(record["durability"] == name for record in records)]
    if not classes:
        return None
    most = max(len(style.series([record for record in records if record["durability"] == name])) for name in classes)
    height, legend = 4.0 + 0.17 * (most // 2), 0.85 + 0.17 * (most // 2)
    figure = Figure(figsize=(4.9 * len(classes) + 0.4, height))
    grid: Any = figure.subplots(1, len(classes), sharey=True, squeeze=False)
    for axes, name in zip(grid[0], classes):
        _panel(axes, [record for record in records if record["durability"] == name], place)
        axes.set_title(style.SHORT[name], fontsize=10, loc="left", color=style.INK, pad=6)
        axes.set_xlabel(x, fontsize=9, color=style.INK)
    grid[0][0].set_ylabel(y, fontsize=9, color=style.INK)
    figure.subplots_adjust(
        left=0.72 / figure.get_size_inches()[0], right=0.985, top=1 - 0.93 / height, bottom=legend / height, wspace=0.06
    )
    style.title(figure, titles["title"], titles["under"], run)
    return figure


def _panel(axes: Axes, records: List[Record], place: Place) -> None:
    for look, unsorted in style.lines(records):
        found = sorted(unsorted, key=place)
        places = [place(record) for record in found]
        median, low, high = zip(*(style.microseconds(record) for record in found))
        axes.plot(places, median, **look)
        axes.fill_between(places, low, high, color=look["color"], alpha=0.18, linewidth=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    style.numbers(axes.xaxis)
    style.numbers(axes.yaxis)
    axes.grid(color=style.GRID)
    style.plain(axes)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, fontsize=7.5, frameon=False, handlelength=2.6)
