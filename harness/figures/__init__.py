"""Figures of a sweep: each reads the records alone, and carries the name of the record in its file."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Iterator, List, Tuple

import matplotlib as mpl

from harness.figures import batch, ladder, latency, memory, micro, peers, real, scaling, sharing, stalls
from harness.report.recorded import Recorded

FIGURES = {
    "buffering": ladder.figure,
    "concurrency": scaling.figure,
    "batch": batch.figure,
    "single": micro.figure,
    "files": real.figure,
    "stores": peers.figure,
    "latency": latency.figure,
    "stalls": stalls.figure,
    "sharing": sharing.figure,
    "memory": memory.figure,
}


def draw(run: Recorded, folder: Path) -> List[Path]:
    """Draw what the run has numbers for; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, png in pngs(run):
        path = folder / f"{name}.png"
        path.write_bytes(png)
        drawn.append(path)
    return drawn


def pngs(run: Recorded, dpi: int = 144) -> Iterator[Tuple[str, bytes]]:
    """Return the name and the bytes of each."""
    mpl.use("Agg")
    for name, make in FIGURES.items():
        figure = make(run)
        if figure is not None:
            file = BytesIO()
            figure.savefig(file, dpi=dpi, metadata={"Source": run.name, "Software": "python -m harness"})
            yield name, file.getvalue()
