"""``python -m harness compare``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli.failure import Failure
from harness.cli.screen import Screen
from harness.measure.remote import ROOT
from harness.report.compared import LEVEL, NotComparableError, as_json, compared, table
from harness.report.recorded import Recorded


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--json", "lines", is_flag=True, help="Print one JSON object per case, and nothing else.")
def compare(a: str, b: str, lines: bool) -> None:
    """Say what two records have in common, and where B is slower or faster than A.

    A and B are files, or names of records in results/runs. They must come from one machine, and only cases are
    compared that agree in workload, version, store, options and parameters. The intervals hold for all cases at once
    (Holm), but they know the blocks of one process each only: to judge a commit, use the gate.
    """
    before, after = _loaded(a), _loaded(b)
    try:
        ratios = compared(before, after)
    except NotComparableError as error:
        raise Failure(f"these records do not compare: {error}") from error
    if lines:
        for ratio in ratios:
            click.echo(json.dumps(as_json(ratio)))
        return
    screen = Screen()
    screen.tables([table(before, after, ratios)])
    screen.line(f"{len(ratios)} cases; the intervals hold for all of them at once in {1 - LEVEL:.0%}")


def _loaded(name: str) -> Recorded:
    path = next((path for path in (Path(name), ROOT / "results" / "runs" / name) if path.is_file()), None)
    if path is None:
        raise Failure(f"no record {Path(name).name}: name a file, or one of results/runs")
    try:
        found = Recorded.load(path)
    except (ValueError, OSError) as error:
        raise Failure(f"{path.name} is no record: it has lines that are no JSON") from error
    if not found.records or not isinstance(found.begin, dict) or found.begin.get("kind") != "begin":
        raise Failure(f"{path.name} is no record: its first line is not the beginning of a run")
    return found
