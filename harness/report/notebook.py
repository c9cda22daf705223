"""The notebooks: their text is the source, their outputs are made by running it over ``results/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

from harness.measure.remote import ROOT

TIMEOUT_S = 120


def texts() -> List[Path]:
    """Return the percent scripts of the notebooks."""
    return sorted((ROOT / "notebooks").glob("*.py"))


def executed(text: Path) -> Any:
    """Run a percent script as a notebook, in the project's folder; return it with its outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    import jupytext
    from nbclient import NotebookClient
    from traitlets.config import Config

    notebook = jupytext.read(text)
    for number, cell in enumerate(notebook.cells, start=1):
        cell["id"] = f"cell-{number}"
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT_S,
        kernel_name="python3",
        config=Config({"KernelManager": {"transport": "ipc"}}),  # no port that others could reach
        record_timing=False,
        resources={"metadata": {"path": str(text.parents[1])}},
    )
    client.execute()
    notebook.metadata.pop("language_info", None)
    return notebook


def keep(text: Path) -> Path:
    """Run it, write the notebook beside it; return its file."""
    import jupytext

    path = text.with_suffix(".ipynb")
    jupytext.write(executed(text), path, fmt="ipynb")
    return path
