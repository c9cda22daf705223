"""``python -m harness report``."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from harness.cli.failure import Failure
from harness.measure.remote import ROOT
from harness.report import limits
from harness.report.checked import problems
from harness.report.html import page
from harness.report.markdown import regenerate
from harness.report.recorded import Recorded, newest
from harness.report.runs import relist

PAGES = ("README.md", "docs/performance.md")


@click.command()
@click.option("--record", "name", metavar="FILE", help="A sweep's record (default: the newest complete one).")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a page differs from its records.")
@click.option("--figures/--no-figures", default=True, help="Draw results/figures from the same record.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write one page of everything instead.")
def report(name: Optional[str], check: bool, figures: bool, html: Optional[Path]) -> None:
    """Write the recorded numbers into README.md, docs/performance.md and results/README.md, between their markers."""
    runs = ROOT / "results" / "runs"
    if check:
        wrong = [problem for file in PAGES for problem in problems((ROOT / file).read_text(encoding="utf-8"), runs)]
        if wrong:
            raise Failure("; ".join(wrong), exit_code=1)
        return
    if html is not None:
        _write_page(html)
        return
    chosen = None if name is None else _named(runs, name)

    def record_for(driver: str) -> Optional[Path]:
        if driver.startswith("limits"):
            return limits.pick(runs, latest=driver == "limits-latest")
        return chosen if chosen is not None and driver == "sweep" else newest(runs, driver)

    for file in PAGES:
        for block in regenerate(ROOT / file, record_for):
            click.echo(f"{file}: {block}")
    if relist(ROOT / "results" / "README.md", ROOT / "results"):
        click.echo("results/README.md: the lists of records")
    sweep = record_for("sweep")
    if figures and sweep is not None:
        _draw(sweep)


def _named(runs: Path, name: str) -> Path:
    path = runs / Path(name).name
    if not path.exists():
        raise Failure(f"no record {path.name} in results/runs")
    if not Recorded.load(path).complete:
        raise Failure(f"the run of {path.name} did not come to its end: its numbers are not published")
    return path


def _write_page(file: Path) -> None:
    from harness.figures import pngs

    text = page(ROOT / "results", lambda run: (png for _, png in pngs(run, dpi=110)))
    file.write_text(text, encoding="utf-8")
    click.echo(f"{file.name}: {len(text) / 1024:.0f} KiB, nothing to load")


def _draw(path: Path) -> None:
    from harness.figures import draw

    for figure in draw(Recorded.load(path), ROOT / "results" / "figures"):
        click.echo(f"results/figures/{figure.name}")
