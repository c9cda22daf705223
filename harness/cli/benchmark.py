"""``python -m harness benchmark``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Optional

import click

from harness.cli.failure import Failure
from harness.cli.run import opened_session
from harness.cli.screen import Screen
from harness.measure.remote import ROOT, environment
from harness.measure.session import Session
from harness.report.recorded import Recorded
from harness.report.tables import blocks
from harness.suites.from_pytest import record

DRIVER = "harness/drivers/pytest_benchmark.py"


@click.command()
@click.option("--json", "report", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help=f"Measure nothing; record this report of {DRIVER}.")  # fmt: skip
@click.option("--keyword", "-k", metavar="TEXT", help="Only the blocks that pytest's -k would choose.")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "results", help="Folder of records.")
@click.option("--scratch", type=click.Path(path_type=Path), default=ROOT / ".bench", help="Folder of database files.")
@click.option("--machine", help="Label of this machine in the records (default: from its processor).")
def benchmark(report: Optional[Path], keyword: Optional[str], out: Path, scratch: Path, machine: Optional[str]) -> None:
    """Measure fixed blocks of our own backends with pytest-benchmark, and record them."""
    session = opened_session("pytest-benchmark", out, scratch, machine)
    with session:
        session.begin(command=_command(report, keyword), profile="fixed", missing=[])
        try:
            record(report or _measured(session, keyword), session)
        except ValueError as error:
            raise Failure(str(error)) from error
    screen = Screen()
    screen.tables([blocks(Recorded(session.record.path.name, session.record.records))])
    screen.line(f"record: {session.record.path.name}")


def _command(report: Optional[Path], keyword: Optional[str]) -> str:
    """Return the command that makes such a record again."""
    if report is not None:
        made = f"python -m pytest {DRIVER} --benchmark-json {report.name}"
        return f"{made}; python -m harness benchmark --json {report.name}"
    return "python -m harness benchmark" + (f" -k '{keyword}'" if keyword else "")


def _measured(session: Session, keyword: Optional[str]) -> Path:
    """Run pytest in a process of its own; return its report."""
    report = session.scratch / "report.json"
    command = [sys.executable, "-m", "pytest", DRIVER, "--quiet", "--benchmark-quiet", "-p", "no:cacheprovider"]
    command += [f"--benchmark-json={report}", f"--basetemp={session.scratch / 'stores'}"]
    if keyword:
        command += ["-k", keyword]
    done = subprocess.run(command, cwd=ROOT, env=environment(None), check=False)
    if done.returncode:
        raise Failure(f"pytest ended with status {done.returncode}", exit_code=1)
    return report
