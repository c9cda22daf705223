"""What a write costs against the number of tasks that write at once."""

from __future__ import annotations

from typing import Optional

from matplotlib.figure import Figure

from harness.figures.lines import panels
from harness.report.recorded import Recorded


def figure(run: Recorded) -> Optional[Figure]:
    """Return the scaling curves; None where the run did not vary the tasks."""
    records = run.outside_ladder("writers", value_size=64)
    made = panels(
        run,
        records,
        lambda record: float(record["params"]["tasks"]),
        x="tasks that write at once",
        y="µs per acknowledged write",
        title="What one write costs when many tasks write at once",
        under="64 B values over 10,000 keys, each write another value; median and quartiles; a panel for each promise",
    )
    if made is not None:
        tasks = sorted({record["params"]["tasks"] for record in records})
        for axes in made.axes:
            axes.set_xticks(tasks)
    return made
