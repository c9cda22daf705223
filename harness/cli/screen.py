"""What a run shows: progress with the time left, then tables."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Iterable, Optional, Type

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table as RichTable

from harness.report.table import Rows, Table

WIDE = 150  # columns: below, the quartiles go under the median


class Screen:
    """The terminal; quiet where the records themselves go to standard output."""

    def __init__(self, *, quiet: bool = False) -> None:
        width = None if sys.stdout.isatty() else WIDE + 50
        self.console = Console(quiet=quiet, highlight=False, markup=False, width=width)
        self._progress = Progress(
            TextColumn("{task.description:<34.34}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=quiet,
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Screen:
        self._progress.start()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._progress.stop()

    def expect(self, steps: int) -> None:
        """Say how many steps there will be."""
        self._progress.update(self._task, total=steps)

    def step(self, doing: str) -> None:
        """Count one step as done."""
        self._progress.update(self._task, advance=1, description=doing)

    def line(self, text: str, style: str = "") -> None:
        """Print one line above the progress."""
        self.console.print(text, style=style, soft_wrap=True)

    def tables(self, tables: Iterable[Table]) -> None:
        """Print tables."""
        for table in tables:
            for section, rows in table.sections:
                title = f"{table.title}: {section}" if section else table.title
                self.line(f"\n{title}", style="bold")
                self.console.print(_rich(table, rows, narrow=self.console.width < WIDE))


def _rich(table: Table, rows: Rows, *, narrow: bool) -> RichTable:
    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(table.headings):
        shown.add_column(heading, justify="left" if number < table.names else "right", no_wrap=not narrow)
    for row in rows:
        shown.add_row(*(cell.replace(" (", "\n(") if narrow else cell for cell in row))
    return shown
