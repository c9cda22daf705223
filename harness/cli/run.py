"""``python -m harness run``."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import click

from harness.cli import case
from harness.cli.choice import chosen, installed, writable
from harness.cli.failure import Failure
from harness.cli.screen import Screen
from harness.contenders import CONTENDERS
from harness.measure.remote import ROOT, WorkerError
from harness.measure.rounds import Effort
from harness.measure.session import CannotSyncError, Session
from harness.report.limits import limits as limits_table
from harness.report.own import noise
from harness.report.own import own as own_table
from harness.report.recorded import Recorded
from harness.report.table import Table
from harness.report.tables import stage as stage_table
from harness.report.tables import sweep_tables
from harness.suites import limits, own, pairs, stage, sweep
from harness.suites.limit import Measurable
from harness.suites.run_limits import run_limits
from harness.suites.run_stage import run_stage
from harness.suites.run_sweep import failures_of, run_sweep
from harness.workloads import WORKLOADS, Params

_COMMAND = "python -m harness run"


@click.command()
@click.option(
    "--suite", type=click.Choice(["sweep", "stage", "limits"]), default="sweep", show_default=True, help="What to run."
)
@click.option("--quick/--full", "quick", default=True, help="A few minutes, or longer blocks and more parameters.")
@click.option("--contender", "contenders", multiple=True, metavar="NAME", help="Only this store; may be repeated.")
@click.option("--workload", "workloads", multiple=True, metavar="NAME", help="Only this workload; may be repeated.")
@click.option("--row", "rows", multiple=True, metavar="NAME", help="Only what gives this row of the limits suite.")
@case.options
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "results", help="Folder of records and figures.")
@click.option("--scratch", type=click.Path(path_type=Path), default=ROOT / ".bench", help="Folder of database files.")
@click.option("--machine", help="Label of this machine in the records (default: from its processor).")
@click.option("--json", "as_json", is_flag=True, help="Print the records, one JSON object per line, and nothing else.")
def run(
    suite: str,
    quick: bool,
    contenders: Tuple[str, ...],
    workloads: Tuple[str, ...],
    rows: Tuple[str, ...],
    out: Path,
    scratch: Path,
    machine: Optional[str],
    as_json: bool,
    **given: Any,
) -> None:
    """Measure, print tables, write a record and figures.

    The sweep compares all stores through all workloads, each durability class by itself. The stage suite checks two
    ratios of the Rust backend and exits 1 unless both hold. The limits suite measures what the Rust backend costs
    beside the least that it could cost, in some four minutes; --row NAME measures less.

    Your own case takes less than two minutes: name its values, keys, tasks and share of reads, and every store here
    is measured with it, those that promise the same side by side:

    \b
      python -m harness run --value-size 1000 --keys 50000 --tasks 32
          --read-ratio 0.9 --value-kind dict
    """
    params = case.asked_for(**given)
    if rows and suite != "limits":
        raise Failure("--row names rows of --suite limits")
    if params is not None and (suite != "sweep" or workloads):
        raise Failure("--value-size, --keys, --tasks, --read-ratio and --value-kind go without --suite and --workload")
    measurable = limits.select(limits.groups(full=not quick), chosen("row", rows, limits.names()) if rows else [])
    names = chosen("contender", contenders, CONTENDERS)
    kinds = chosen("workload", workloads, WORKLOADS)
    there, missing = installed(names)
    screen = Screen(quiet=as_json)
    for line in missing:
        click.echo(f"skipped: {line}", err=True)
    efforts = (sweep.QUICK, sweep.FULL)
    if params is not None:
        suite, efforts = "own", (own.QUICK, own.FULL)
    groups = _groups(params, there, kinds, full=not quick)
    if suite not in ("stage", "limits") and not groups:
        raise Failure("; ".join(missing) or "nothing to measure: none of these stores runs these workloads")
    session = opened_session(suite, out, scratch, machine)
    if suite == "stage":
        status = _stage(session, screen, missing)
    elif suite == "limits":
        words = ["--suite limits", *([] if quick else ["--full"]), *(f"--row {name}" for name in rows)]
        status = _limits(session, screen, f"{_COMMAND} {' '.join(words)}", missing, measurable)
    else:
        command = _command(quick, contenders, workloads, params)
        begin = {"command": command, "profile": "quick" if quick else "full", "missing": missing}
        status = measured(session, screen, begin, groups, there, efforts[not quick])
    show(session, screen, suite, as_json)
    if suite == "sweep":
        drawn(session, screen, out)
    sys.exit(status)


def _groups(params: Optional[Params], there: List[str], kinds: List[str], *, full: bool) -> List[pairs.Group]:
    if params is not None:
        return [own.group(params, there)] if there else []
    return sweep.select(sweep.groups(full=full), there, kinds)


def opened_session(
    driver: str, out: Path, scratch: Path, machine: Optional[str], resume: Optional[Path] = None
) -> Session:
    """Return the session of a run.

    Raises:
        Failure: the label of the machine is no label, or there is no place for the files.
    """
    if machine is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,40}", machine):
        raise Failure(f"--machine {machine!r}: must be at most 41 letters, digits and hyphens")
    writable(out, "--out")
    writable(scratch, "--scratch")
    try:
        return Session(driver=driver, out=out, scratch=scratch, machine=machine, resume=resume)
    except (CannotSyncError, ValueError) as error:
        raise Failure(str(error)) from error
    except OSError as error:
        raise Failure(f"{error.strerror}: {error.filename}") from error


def _command(quick: bool, contenders: Sequence[str], workloads: Sequence[str], params: Optional[Params]) -> str:
    """Return the command that makes such a record again."""
    words = [_COMMAND, "--quick" if quick else "--full"]
    words += [f"--contender {name}" for name in contenders] + [f"--workload {name}" for name in workloads]
    return " ".join(words if params is None else [*words, case.words(params)])


def measured(
    session: Session,
    screen: Screen,
    begin: Mapping[str, Any],
    groups: List[pairs.Group],
    there: List[str],
    effort: Effort,
) -> int:
    """Measure the groups, what the session's record has of them left out; return the exit code."""
    try:
        with screen, session:
            if not session.record.records:
                session.begin(**begin)
            for note in session.notes:
                screen.line(note)
            run_sweep(session, groups, there, effort, screen)
    except KeyboardInterrupt:
        click.echo("interrupted: what was measured is kept", err=True)
        return 130
    lost = failures_of(session.record.records)
    for record in lost:
        who = f"{record['contender']} {record['configuration']}, {record['workload']}"
        click.echo(f"failed: {who}: {record['message']}", err=True)
    return 1 if any(record["contender"] in pairs.OURS for record in lost) else 0


def _stage(session: Session, screen: Screen, missing: List[str]) -> int:
    try:
        with screen, session:
            session.begin(command=f"{_COMMAND} --suite stage", profile="stage", missing=missing)
            if CONTENDERS["rust"].missing() is not None:
                raise Failure("the stage suite needs the Rust backend: make build", exit_code=1)
            held = run_stage(session, [goal() for goal in stage.GOALS], screen)
    except WorkerError as error:
        raise Failure(f"the stage suite failed: {error}", exit_code=1) from error
    except KeyboardInterrupt:
        click.echo("interrupted: what was measured is kept", err=True)
        return 130
    return 0 if held else 1


def _limits(session: Session, screen: Screen, command: str, missing: List[str], groups: List[Measurable]) -> int:
    """Measure the rows; return 1 if something failed or one does not hold."""
    try:
        with screen, session:
            session.begin(command=command, profile="limits", missing=missing)
            if CONTENDERS["rust"].missing() is not None:
                raise Failure("the limits suite needs the Rust backend: make build", exit_code=1)
            verdicts = run_limits(session, groups, screen)
    except KeyboardInterrupt:
        click.echo("interrupted: what was measured is kept", err=True)
        return 130
    failures = [record for record in session.record.records if record["kind"] == "failure"]
    for record in failures:
        click.echo(f"failed: {record['title']}: {record['message']}", err=True)
    return 1 if failures or any(verdict["held"] is False for verdict in verdicts) else 0


def show(session: Session, screen: Screen, suite: str, as_json: bool) -> None:
    """Print the tables of a run, or its records."""
    recorded = Recorded(session.record.path.name, session.record.records)
    if as_json:
        for record in recorded.records:
            click.echo(json.dumps(record))
        return
    screen.tables(_tables(recorded, suite))
    for sentence in noise(recorded) if suite in ("own", "trace") else ():
        screen.line(sentence)
    screen.line(f"record: {_shown(session.record.path)}")


def _tables(recorded: Recorded, suite: str) -> List[Table]:
    if suite == "stage":
        return [stage_table(recorded)]
    if suite == "limits":
        return [limits_table(recorded)]
    if suite in ("own", "trace"):
        found = own_table(recorded)
        return [] if found is None else [found]
    return sweep_tables(recorded)


def drawn(session: Session, screen: Screen, out: Path) -> None:
    """Draw the figures of a run that came to its end."""
    from harness.figures import draw

    recorded = Recorded(session.record.path.name, session.record.records)
    if recorded.complete:
        for path in draw(recorded, out / "figures"):
            screen.line(f"figure: {_shown(path)}")


def _shown(path: Path) -> str:
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)
