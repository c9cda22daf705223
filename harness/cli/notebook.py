"""``python -m harness notebook``."""

from __future__ import annotations

import importlib.util

import click

from harness.cli.failure import Failure
from harness.measure.remote import ROOT
from harness.report.notebook import keep, texts


@click.command()
def notebook() -> None:
    """Run each text of notebooks/ over what is recorded, keep it with its outputs as a notebook beside it."""
    missing = [name for name in ("jupytext", "nbclient", "ipykernel") if importlib.util.find_spec(name) is None]
    if missing:
        raise Failure(f"not installed: {', '.join(missing)}: make .venv/.group-notebook")
    for text in texts():
        click.echo(keep(text).relative_to(ROOT).as_posix())
