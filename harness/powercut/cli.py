"""The commands: ``run`` cuts the power, ``table`` shows what was recorded, ``keep`` makes one crash state again."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import click

from harness.contenders import CONTENDERS
from harness.measure.host import host, machine_label
from harness.measure.records import RecordFile, without_paths
from harness.measure.remote import ROOT
from harness.powercut import campaign, preload, recording, rows, simulate, subjects, table, trace

TRUST = ROOT / "results" / "trust"
_ALIASES = {"writethrough": "writethrough-full"}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def powercut() -> None:
    """Find out what stores lose when the power goes."""


@powercut.command()
@click.option("--backend", "backends", multiple=True, type=click.Choice(subjects.BACKENDS), help="One of ours.")
@click.option("--mode", "modes", multiple=True, type=click.Choice([*subjects.MODES, *_ALIASES]), help="Of ours.")
@click.option(
    "--contender", "contenders", multiple=True, type=click.Choice(subjects.PEERS), help="A peer, in all modes."
)
@click.option("--states", type=click.IntRange(1), default=500, show_default=True, help="Power cuts for each.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the workload and the power cuts.")
@click.option("--calls", type=click.IntRange(20), default=campaign.CALLS, show_default=True, help="In a recording.")
@click.option("--strict-directory", is_flag=True, help="POSIX: names are kept by a sync of their folder only.")
@click.option("--jobs", type=click.IntRange(1), default=min(2, os.cpu_count() or 1), help="Processes that check.")
@click.option("--out", type=click.Path(path_type=Path), default=TRUST, help="Folder of records.")
@click.option("--scratch", type=click.Path(path_type=Path), default=ROOT / ".bench", help="Folder of recordings.")
@click.option("--machine", default=machine_label, help="Label of this machine in the records.")
def run(
    backends: Tuple[str, ...],
    modes: Tuple[str, ...],
    contenders: Tuple[str, ...],
    states: int,
    seed: int,
    calls: int,
    strict_directory: bool,
    jobs: int,
    out: Path,
    scratch: Path,
    machine: str,
) -> None:
    """Record workloads, cut the power, print and record what is lost.

    Without --backend and --contender: all of them. Exits 1 if one of our backends breaks a promise; the recording is
    then kept, and a line tells how to look at the crash state.
    """
    todo = _chosen(backends, modes, contenders)
    planned = campaign.Campaign(states, seed, calls, strict_directory)
    scratch.mkdir(parents=True, exist_ok=True)
    failed = False
    file = RecordFile(out, "power-cut", machine, ROOT)
    with file, tempfile.TemporaryDirectory(dir=scratch) as built, campaign.processes(jobs) as pool:
        file.add("begin", command=_command(), host=host(scratch))
        library = _library(Path(built))
        for subject in todo:
            try:
                result = campaign.run(subject, planned, library, scratch.resolve(), pool, jobs)
            except (recording.RecordingError, trace.TraceError) as error:
                raise click.ClickException(str(error)) from error
            file.add("power-cut", **result.as_record(), versions=subjects.versions(subject))
            _show(result)
            failed = failed or bool(result.outcome.broken)
    sys.exit(1 if failed else 0)


@powercut.command("table")
@click.option("--records", type=click.Path(path_type=Path), default=TRUST, help="Folder of records.")
@click.option("--into", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Page that gets the table.")
def show_table(records: Path, into: Optional[Path]) -> None:
    """Print the newest record of each store and configuration as one table, or write it into a page.

    A page gets the figures of the trust tests, too.
    """
    newest = table.newest(records)
    if into is None:
        click.echo(table.markdown(newest), nl=False)
    else:
        page = table.written_into(into.read_text(encoding="utf-8"), newest)
        into.write_text(table.between(page, "trust:table", rows.markdown(rows.newest(records))), encoding="utf-8")


@powercut.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--state", type=int, required=True, help="Number of the state.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder that gets the files.")
@click.option("--strict-directory", is_flag=True, help="As in the run.")
def keep(folder: Path, state: int, out: Path, strict_directory: bool) -> None:
    """Write the files of one crash state of a recording that was kept, to look at them."""
    made = recording.load(folder)
    cut = simulate.keep(made, state, out, strict_directory=strict_directory)
    click.echo(f"state {state} ({cut.policy}, after {cut.position} events) is in {out}")


def _chosen(backends: Sequence[str], modes: Sequence[str], contenders: Sequence[str]) -> List[subjects.Subject]:
    everything = not backends and not contenders
    chosen_modes = list(dict.fromkeys(_ALIASES.get(mode, mode) for mode in modes)) or subjects.MODES
    ours = backends or (subjects.BACKENDS if everything else ())
    found = [subjects.ours(backend, mode) for backend in ours for mode in chosen_modes]
    for name in contenders or (subjects.PEERS if everything else ()):
        missing = CONTENDERS[name].missing()
        if missing is None:
            found.extend(subjects.peers(name))
        else:
            click.echo(f"skipped: {missing}", err=True)
    return found


def _library(folder: Path) -> Path:
    try:
        return preload.build(folder.resolve())
    except preload.CannotRecordError as error:
        raise click.ClickException(str(error)) from error


def _command() -> str:
    return without_paths(shlex.join(["python", "-m", "harness.powercut", *sys.argv[1:]]))


def _show(result: campaign.Result) -> None:
    outcome, subject = result.outcome, result.subject
    click.echo(
        f"{subject.contender} {subject.configuration}: {outcome.states} states (seed {result.campaign.seed}),"
        f" {result.states_per_s:.0f}/s; acknowledged lost: {outcome.lost} calls in {outcome.losing} states,"
        f" at most {outcome.lost_most}, {outcome.lost_most_s:.2f} s old; torn {outcome.torn}, holes {outcome.holes},"
        f" corrupt {outcome.corrupt}; {outcome.reopened} opened by the store itself; broken: {len(outcome.broken)}"
    )
    for line in outcome.broken[:10]:
        click.echo(f"  BROKEN: {line}")
    for folder in result.kept:
        shown = os.path.relpath(folder)
        click.echo(f"  look at it: python -m harness.powercut keep {shown} --state N --out FOLDER")


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Run a command; what it cannot do is one line on standard error."""
    try:
        sys.exit(powercut.main(arguments, prog_name="python -m harness.powercut", standalone_mode=False) or 0)
    except click.Abort:
        click.echo("interrupted: what was recorded is kept", err=True)
        sys.exit(130)
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
