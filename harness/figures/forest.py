"""The gate's forest plot: what each body's time was for each of BASE, with its bounds."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, Dict, List, Tuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures import style
from harness.gate.statistics import LIMIT
from harness.measure.records import Record

COLOURS = {"PASS": "#15803d", "FAIL": "#b91c1c", "INCONCLUSIVE": "#b45309"}
Row = Tuple[str, Record]


def figure(records: List[Record]) -> Figure:
    """Return the plot; a panel for each body where there are several evaluations.

    Raises:
        ValueError: the record has no time.
    """
    last = {record["evaluation"]: record for record in records if record["kind"] == "evaluation" and record["control"]}
    if not last:
        raise ValueError("no time was compared")
    panels = _panels(list(last.values()))
    most = max(map(len, panels.values()))
    height = 1.7 + (0.34 if len(panels) == 1 else 0.11) * most
    made = Figure(figsize=(8.6 if len(panels) == 1 else 2.3 * len(panels) + 0.6, height))
    grid: Any = made.subplots(1, len(panels), squeeze=False)
    for axes, (name, rows) in zip(grid[0], panels.items()):
        _forest(axes, rows, named=len(panels) == 1)
        axes.set_title(name, fontsize=9, loc="left", color=style.INK)
    made.subplots_adjust(
        left=1.5 / made.get_size_inches()[0] if len(panels) == 1 else 0.04,
        right=0.79 if len(panels) == 1 else 0.97, top=1 - 0.85 / height, bottom=0.62 / height, wspace=0.12,
    )  # fmt: skip
    _titles(made, records[0], last)
    return made


def save(records: List[Record], path: Path) -> None:
    """Draw it into a PNG."""
    file = BytesIO()
    named = {"Source": path.with_suffix(".jsonl").name, "Software": "python -m harness"}
    figure(records).savefig(file, dpi=144, metadata=named)
    path.write_bytes(file.getvalue())


def _panels(evaluations: List[Record]) -> Dict[str, List[Row]]:
    if len(evaluations) == 1:
        return {"": [(found["body"], found) for found in (*evaluations[0]["bodies"], evaluations[0]["control"])]}
    panels: Dict[str, List[Row]] = {}
    for record in evaluations:
        for found in (*record["bodies"], record["control"]):
            panels.setdefault(found["body"], []).append((str(record["evaluation"]), found))
    return panels


def _forest(axes: Axes, rows: List[Row], *, named: bool) -> None:
    for place, (_, found) in enumerate(rows):
        colour = COLOURS[found["verdict"]]
        axes.plot([found["lower"], found["upper"]], [place, place], color=colour, linewidth=2.4 if named else 1.1)
        axes.plot(found["ratio"], place, "s", color=colour, markersize=6 if named else 2.5)
        if named:
            said = f"{found['ratio']:.3f}  ({found['lower']:.3f}..{found['upper']:.3f})"
            at = ("axes fraction", "data")
            axes.annotate(said, (1.005, place), xycoords=at, va="center", fontsize=8, color=style.INK)
    axes.axvline(1, color="#111827", linewidth=0.9)
    axes.axvline(LIMIT, color=COLOURS["FAIL"], linewidth=0.9, linestyle="--")
    axes.set_yticks(range(len(rows)), [name for name, _ in rows] if named else [])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    reach = max(0.04, *(abs(bound - 1) for _, found in rows for bound in (found["lower"], found["upper"])))
    axes.set_xlim(1 - reach * 1.08, 1 + reach * 1.08)
    axes.set_xlabel("time of HEAD for each of BASE", fontsize=8, color=style.INK)
    axes.grid(axis="x", color=style.GRID)
    style.plain(axes)


def _titles(made: Figure, begin: Record, last: Dict[int, Record]) -> None:
    height = made.get_size_inches()[1]
    verdicts = [record["verdict"] for record in last.values()]
    said = ", ".join(f"{verdicts.count(name)} {name}" for name in COLOURS if name in verdicts)
    text = verdicts[0] if len(verdicts) == 1 else said
    base, head = begin["base"]["commit"][:10], begin["head"]["commit"][:10]
    made.text(0.015, 1 - 0.12 / height, f"Gate: {text}", fontsize=12, fontweight="bold", color="#111827", va="top")
    under = f"{base} to {head}{', ' + begin['planted'] if begin['planted'] else ''}; fails right of {LIMIT:g} only"
    made.text(0.015, 1 - 0.4 / height, under, fontsize=9, color=style.INK, va="top")
    host = begin["host"]
    source = f"{host['cpu']}, {host['cores']} cores, Python {host['python']}; run {begin['run']}"
    made.text(0.015, 0.06 / height, source, fontsize=6.5, color="#6b7280", va="bottom")
