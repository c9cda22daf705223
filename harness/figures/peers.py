"""All stores through all workloads at once: how many times the fastest of its class each one takes."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from harness.figures import style
from harness.measure.records import Record
from harness.report.recorded import CLASSES, Recorded
from harness.report.table import time

Row = Tuple[str, str]
_MARKS = dict(zip(CLASSES, ("", " (k)", " (v)")))
WORST = 300.0  # the darkest colour


def _columns(run: Recorded) -> Dict[str, Dict[Row, Record]]:
    found = {
        "hit": run.measurements("hits", value_size=64),
        "cold read": run.measurements("cold-reads"),
        "cold, 100\ngathered": run.measurements("cold-gathers"),
        "YCSB C": run.measurements("ycsb-c"),
        "YCSB A": run.measurements("ycsb-a"),
        "write,\n1 task": run.measurements("sets", value_size=64),
        "write,\n64 tasks": run.outside_ladder("writers", value_size=64, tasks=64),
        "row, in\n1000s": run.measurements("rows-batch", batch=1000),
        "row,\niterated": run.measurements("iteration"),
        "opening,\n100 k rows": run.measurements("opening", keys=100_000),
    }
    return {
        name: {(record["contender"], record["configuration"]): record for record in records}
        for name, records in found.items()
        if records
    }


def figure(run: Recorded) -> Optional[Figure]:
    """Return the map; None where the run did not measure most of it."""
    columns = _columns(run)
    if len(columns) < 5:
        return None
    classes = _classes(columns)
    made = Figure(figsize=(12.5, 0.31 * len(classes) + 2.2))
    axes: Any = made.subplots()
    _map(axes, columns, list(classes))
    axes.set_yticks(range(len(classes)), [", ".join(row) + _MARKS[name] for row, name in classes.items()], fontsize=8)
    _separate(axes, list(classes.values()))
    height = made.get_size_inches()[1]
    made.subplots_adjust(left=0.21, right=0.985, top=1 - 1.25 / height, bottom=0.35 / height)
    under = "medians; the darker, the slower than the fastest of the same promise. (k) survives a kill, (v) volatile"
    style.title(made, "Every store through every workload", under, run)
    return made


def _classes(columns: Dict[str, Dict[Row, Record]]) -> Dict[Row, str]:
    """Return the class of each store, sorted by it, else in the order of the records."""
    found = {row: record["durability"] for records in columns.values() for row, record in records.items()}
    stores = [row for row in found if row[0] != "control"]
    return {row: found[row] for row in sorted(stores, key=lambda row: CLASSES.index(found[row]))}


def _map(axes: Any, columns: Dict[str, Dict[Row, Record]], rows: List[Row]) -> None:
    shares = np.full((len(rows), len(columns)), np.nan)
    for place, found in enumerate(columns.values()):
        best = _best(found)
        for number, row in enumerate(rows):
            if row in found:
                record = found[row]
                shares[number, place] = record["summary"]["median"] / best[record["durability"]]
                dark = shares[number, place] > WORST**0.6
                text = {"fontsize": 7.5, "ha": "center", "va": "center", "color": "white" if dark else style.INK}
                axes.text(place, number, time(record), **text)
    axes.imshow(shares, aspect="auto", cmap="Oranges", norm=LogNorm(1, WORST))
    axes.set_xticks(range(len(columns)), list(columns), fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, colors=style.INK)
    axes.spines[:].set_visible(False)


def _best(found: Dict[Row, Record]) -> Dict[str, float]:
    """Return the fastest median of each class."""
    best: Dict[str, float] = {}
    for (contender, _), record in found.items():
        if contender != "control":
            median = record["summary"]["median"]
            best[record["durability"]] = min(median, best.get(record["durability"], median))
    return best


def _separate(axes: Any, classes: List[str]) -> None:
    """Draw a line between the classes."""
    for number, (before, after) in enumerate(zip(classes, classes[1:])):
        if before != after:
            axes.axhline(number + 0.5, color="#111827", linewidth=1)
