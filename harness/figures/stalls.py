"""Loop stalls: the distribution of how long single callbacks hold the loop."""

from __future__ import annotations

import math
from typing import Any, List, Optional, Tuple

from matplotlib.figure import Figure

from harness.figures import style
from harness.measure.records import Record
from harness.report.recorded import CLASSES, Recorded
from harness.report.table import duration

_TICKS = {"50 %": 0.5, "90 %": 0.9, "99 %": 0.99, "99.9 %": 0.999, "99.99 %": 0.9999}
_MARKS = dict(zip(CLASSES, ("", " (k)", " (v)")))


def figure(run: Recorded) -> Optional[Figure]:
    """Return the empirical distributions; None where the run did not look at callbacks."""
    records = run.measurements("stalls")
    if not records:
        return None
    made = Figure(figsize=(9.6, 5.2))
    axes: Any = made.subplots()
    for look, found in style.lines(records):
        _curve(axes, found[0], look)
    axes.set_xscale("log")
    style.numbers(axes.xaxis)
    axes.set_yticks([_height(share) for share in _TICKS.values()], list(_TICKS))
    axes.set_ylim(0, None)
    axes.set_xlabel("µs that one callback holds the loop", fontsize=9, color=style.INK)
    axes.set_ylabel("share of callbacks that are no longer", fontsize=9, color=style.INK)
    axes.grid(color=style.GRID)
    style.plain(axes)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False, handlelength=2.6)
    made.subplots_adjust(left=0.085, right=0.665, top=0.84, bottom=0.13)
    what = "64 tasks write 64 B values, each write in a turn of its own; the mark is the longest"
    under = f"{what}. (k) survives a kill, (v) volatile"
    style.title(made, "How long the loop is held by one callback", under, run)
    return made


def _height(share: float) -> float:
    """Give each further nine the same room."""
    return -math.log10(1 - share)


def _curve(axes: Any, record: Record, look: Any) -> None:
    found = record["distributions"]["callbacks"]
    shares: List[Tuple[float, float]] = [(float(share), ns / 1000) for share, ns in found["quantiles"].items()]
    most = 1 - 1 / found["count"]  # of the longest: no share beyond it was seen
    points = [(us, _height(share)) for share, us in shares if share < most]
    longest = (shares[-1][1], _height(most))
    label = f"{look['label']}{_MARKS[record['durability']]}: {duration(longest[0] * 1000)}"
    axes.plot(*zip(*points, longest), color=look["color"], linestyle=look["linestyle"], linewidth=1.6)
    axes.plot(*longest, **{**look, "markersize": 7, "label": label})
