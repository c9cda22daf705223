"""``python -m harness trace``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional, Tuple

import click

from harness.cli.choice import chosen, installed
from harness.cli.failure import Failure
from harness.cli.run import measured, opened_session, show
from harness.cli.screen import Screen
from harness.contenders import CONTENDERS
from harness.measure.remote import ROOT
from harness.suites import own
from harness.suites.pairs import Group
from harness.workloads import Params, replay


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--tasks", type=click.IntRange(1, 4096), default=16, show_default=True, help="Tasks that ask at once.")
@click.option("--contender", "contenders", multiple=True, metavar="NAME", help="Only this store; may be repeated.")
@click.option("--quick/--full", "quick", default=True, help="A minute or two, or longer blocks.")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "results", help="Folder of records.")
@click.option("--scratch", type=click.Path(path_type=Path), default=ROOT / ".bench", help="Folder of database files.")
@click.option("--machine", help="Label of this machine in the records (default: from its processor).")
@click.option("--json", "as_json", is_flag=True, help="Print the records, one JSON object per line, and nothing else.")
def trace(
    file: Optional[Path],
    tasks: int,
    contenders: Tuple[str, ...],
    quick: bool,
    out: Path,
    scratch: Path,
    machine: Optional[str],
    as_json: bool,
) -> None:
    """Replay a recorded trace on every store, as fast as each goes.

    FILE has the form of public cache traces: time,key,key_size,value_size,client,operation,ttl. Operations of a client
    keep their order. Without FILE the sample in harness/workloads is replayed.
    """
    path = file or replay.SAMPLE
    _check(path)
    there, missing = installed(chosen("contender", contenders, CONTENDERS))
    if not there:
        raise Failure("; ".join(missing))
    group = own.replayed(Params(tasks=tasks, trace=str(path.resolve()), value_size=0, keys=0), there)
    session = opened_session("trace", out, scratch, machine)
    screen = Screen(quiet=as_json)
    words = ["python -m harness trace", *([path.name] if file else []), f"--tasks {tasks}"]
    command = " ".join([*words, *(f"--contender {name}" for name in contenders)])
    begin = {"command": command, "profile": "quick" if quick else "full", "missing": missing}
    effort = own.QUICK if quick else own.FULL
    status = measured(session, screen, begin, [Group(group.title, group.cases)], there, effort)
    show(session, screen, "trace", as_json)
    sys.exit(status)


def _check(path: Path) -> None:
    try:
        replay.parse(path.read_text(encoding="utf-8").splitlines())
    except OSError as error:
        raise Failure(f"{path.name}: {error.strerror}") from error
    except ValueError as error:
        raise Failure(f"{path.name} is no trace: {error}") from error
