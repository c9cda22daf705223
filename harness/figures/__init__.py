"""Figures of a sweep: each reads the records alone, and carries the name of the record in its file."""

from __future__ import annotations

from pathlib import Path
from typing import List

import matplotlib as mpl

from harness.figures import batch, ladder, micro, real, scaling
from harness.report.recorded import Recorded

FIGURES = {
    "buffering": ladder.figure,
    "concurrency": scaling.figure,
    "batch": batch.figure,
    "single": micro.figure,
    "files": real.figure,
}


def draw(run: Recorded, folder: Path) -> List[Path]:
    """Draw what the run has numbers for; return the files."""
    mpl.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, make in FIGURES.items():
        figure = make(run)
        if figure is not None:
            path = folder / f"{name}.png"
            figure.savefig(path, dpi=144, metadata={"Source": run.name, "Software": "python -m harness"})
            drawn.append(path)
    return drawn
