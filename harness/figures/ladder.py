"""Write-through buffering as a ladder: from SQLite as it comes to one commit for many writes."""

from __future__ import annotations

from typing import Any, List, Optional

from matplotlib.figure import Figure

from harness.figures import style
from harness.measure.records import Record
from harness.report.recorded import CLASSES, Recorded
from harness.report.table import digits
from harness.report.tables import ladder_label, ladder_steps

_RIGHT: Any = {"ha": "right", "va": "center", "fontsize": 8, "color": style.INK}


def figure(run: Recorded) -> Optional[Figure]:
    """Return the ladder of the fastest backend that was measured; None where there is none."""
    ours = next((name for name in ("rust", "threads") if len(ladder_steps(run, name)) > 2), None)
    if ours is None:
        return None
    steps = ladder_steps(run, ours)
    others = [record for record in run.ladder() if record["contender"] == "dictsqlite"]
    made = Figure(figsize=(9.6, 0.46 * (len(steps) + len(others)) + 2.1))
    heights = [len(steps), max(len(others), 1)]
    grid: Any = made.subplots(2, 1, sharex=True, squeeze=False, height_ratios=heights)
    _durable(grid[0][0], steps)
    _others(grid[1][0], others)
    made.subplots_adjust(left=0.26, right=0.97, top=0.82, bottom=0.16, hspace=0.42)
    whole = steps[0]["summary"]["median"] / steps[-1]["summary"]["median"]
    under = "64 B values, quartiles as whiskers; a group holds only writes that are waiting, so nobody waits for others"
    style.title(made, f"Write-through buffering: a write {digits(whole)} times cheaper, every step durable", under, run)
    return made


def _durable(axes: Any, steps: List[Record]) -> None:
    style.bars(axes, steps, [ladder_label(record) for record in steps], [""] * len(steps))
    for place, (before, step) in enumerate(zip(steps, steps[1:]), start=1):
        gain = before["summary"]["median"] / step["summary"]["median"]
        axes.text(0.995, place, f"{digits(gain)}x cheaper", transform=axes.get_yaxis_transform(), **_RIGHT)
    axes.set_title(CLASSES[0], fontsize=9.5, loc="left", color=style.INK)


def _others(axes: Any, others: List[Record]) -> None:
    named = {"writethrough": "writethrough, buffer of 1", "writethrough-buffered": "writethrough, buffer of 1000"}
    labels = [f"dictsqlite, {named[record['configuration']]}\n({record['durability']})" for record in others]
    style.bars(axes, others, labels, ["" if record["durability"] == CLASSES[1] else "////" for record in others])
    axes.set_title("for comparison, with a weaker promise: never synced", fontsize=9.5, loc="left", color=style.INK)
    axes.set_xlabel("µs per acknowledged write", fontsize=9, color=style.INK)
