"""Figures of one test."""

from __future__ import annotations

from typing import Any, Optional

from harness.measure.records import RecordFile


class Figures:
    """Takes the figures of one test."""

    def __init__(self, file: Optional[RecordFile]) -> None:
        self._file = file

    def add(self, row: str, test: str, backend: str, seed: int, **figures: Any) -> None:
        """Print the figures of a row of the table, and record them."""
        shown = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items())
        print(f"[{row}] {test}, {backend}, seed {seed}: {shown}")
        if self._file is not None:
            self._file.add("trust", row=row, test=test, backend=backend, seed=seed, figures=figures)
