"""What a new row costs against the size of the batch."""

from __future__ import annotations

from typing import Optional

from matplotlib.figure import Figure

from harness.figures.lines import panels
from harness.measure.records import Record
from harness.report.recorded import Recorded

_SINGLE = 0.4


def _size(record: Record) -> float:
    """Place the single calls to the left of the smallest batch."""
    return _SINGLE if record["workload"] == "rows-single" else float(record["params"]["batch"])


def figure(run: Recorded) -> Optional[Figure]:
    """Return the curves; None where the run wrote no batches."""
    records = [*run.measurements("rows-single", value_size=64), *run.measurements("rows-batch", value_size=64)]
    made = panels(
        run,
        records,
        _size,
        x="rows in one call",
        y="µs per row",
        title="What one new row costs, by single calls and by batches",
        under="64 B values, new keys in order, one task; median and quartiles; a panel for each promise",
    )
    if made is not None:
        sizes = sorted({_size(record) for record in records})
        for axes in made.axes:
            axes.set_xticks(sizes, ["single" if size == _SINGLE else f"{size:g}" for size in sizes])
    return made
