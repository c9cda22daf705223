"""``python -m harness sweep``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional, Tuple

import click

from harness.cli.choice import chosen, installed
from harness.cli.failure import Failure
from harness.cli.run import drawn, measured, opened_session, show
from harness.cli.screen import Screen
from harness.contenders import CONTENDERS
from harness.measure.host import machine_label
from harness.measure.records import git_state, is_complete, read
from harness.measure.remote import ROOT
from harness.suites import sweep as suite
from harness.workloads import WORKLOADS

_COMMAND = "python -m harness sweep"


@click.command()
@click.option("--contender", "contenders", multiple=True, metavar="NAME", help="Only this store; may be repeated.")
@click.option("--workload", "workloads", multiple=True, metavar="NAME", help="Only this workload; may be repeated.")
@click.option("--anew", is_flag=True, help="Begin a new record, even if one of this commit was interrupted.")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "results", help="Folder of records and figures.")
@click.option("--scratch", type=click.Path(path_type=Path), default=ROOT / ".bench", help="Folder of database files.")
@click.option("--machine", help="Label of this machine in the records (default: from its processor).")
@click.option("--json", "as_json", is_flag=True, help="Print the records, one JSON object per line, and nothing else.")
def sweep(
    contenders: Tuple[str, ...],
    workloads: Tuple[str, ...],
    anew: bool,
    out: Path,
    scratch: Path,
    machine: Optional[str],
    as_json: bool,
) -> None:
    """Measure everything, for an hour and more; the same command goes on where it was interrupted.

    This is ``run --full``, but that an interrupted sweep of the same commit, package and machine is gone on with: what
    its record has is kept, but for the group that was being measured.
    """
    names = chosen("contender", contenders, CONTENDERS)
    kinds = chosen("workload", workloads, WORKLOADS)
    there, missing = installed(names)
    for line in missing:
        click.echo(f"skipped: {line}", err=True)
    groups = suite.select(suite.groups(full=True), there, kinds)
    if not groups:
        raise Failure("; ".join(missing) or "nothing to measure: none of these stores runs these workloads")
    words = [f"--contender {name}" for name in contenders] + [f"--workload {name}" for name in workloads]
    command = " ".join([_COMMAND, *words])
    resume = None if anew else _interrupted(out / "runs", command, machine or machine_label())
    session = opened_session("sweep", out, scratch, machine, resume)
    screen = Screen(quiet=as_json)
    if resume is not None:
        screen.line(f"going on with {resume.name}: {len(session.record.records)} records are kept")
    begin = {"command": command, "profile": "full", "missing": missing}
    status = measured(session, screen, begin, groups, there, suite.FULL)
    show(session, screen, "sweep", as_json)
    drawn(session, screen, out)
    sys.exit(status)


def _interrupted(runs: Path, command: str, machine: str) -> Optional[Path]:
    """Return the newest record of this command, commit and machine if its run did not come to its end."""
    commit, _ = git_state(ROOT)
    for path in sorted(runs.glob(f"*-{machine}-{commit}.jsonl"), reverse=True):
        try:
            found = read(path)
        except ValueError:
            continue  # it ended in the middle of a line
        if found and found[0].get("command") == command:
            return None if is_complete(found) else path
    return None
