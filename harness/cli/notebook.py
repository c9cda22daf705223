"""``python -m harness notebook``."""

from __future__ import annotations

import importlib.util

import click

from harness.cli.failure import Failure
from harness.measure.remote import ROOT
from harness.report.notebook import keep


@click.command()
def notebook() -> None:
    """Run notebooks/analysis.py over the newest record, keep the outputs in analysis.ipynb."""
    missing = [name for name in ("jupytext", "nbclient", "ipykernel") if importlib.util.find_spec(name) is None]
    if missing:
        raise Failure(f"not installed: {', '.join(missing)}: make .venv/.group-notebook")
    path = keep(ROOT / "notebooks" / "analysis.py")
    click.echo(path.relative_to(ROOT).as_posix())
