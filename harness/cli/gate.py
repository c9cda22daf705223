"""``python -m harness gate``."""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import click

from harness.cli.choice import chosen, writable
from harness.cli.failure import Failure
from harness.cli.screen import Screen
from harness.gate.asked import Asked
from harness.gate.noise import noise
from harness.gate.running import Gate, NotJudgedError
from harness.gate.shown import summary, tables
from harness.measure.records import read
from harness.measure.remote import ROOT

USAGE = 64  # exit code of what is no verdict: 2 is INCONCLUSIVE
BROKEN = 70  # and of an error of the gate itself: 1 is FAIL


class _Command(click.Command):
    """A command whose own usage errors do not exit as INCONCLUSIVE does."""

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **more)
        except click.ClickException as error:
            raise Failure(error.format_message(), USAGE) from error


@click.command(cls=_Command)
@click.argument("revisions", nargs=-1, metavar="[BASE HEAD]")
@click.option("--aa", is_flag=True, help="Gate a revision (default HEAD) against itself, again and again.")
@click.option("--plant", metavar="KIND=N%", help="Gate a revision against itself made slower (time=5%).")
@click.option("--evaluations", type=click.IntRange(1, 1000), help="Of --aa (default 60) and --plant (default 10).")
@click.option("--body", "names", multiple=True, metavar="NAME", help="Only this body; may be repeated.")
@click.option("--bodies", "file", type=click.Path(path_type=Path), metavar="FILE", help="Your own bodies and package.")
@click.option("--restarts", type=click.IntRange(2, 200), default=60, show_default=True, help="Pairs of processes.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RECORD", help="Go on with an interrupted gate.")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "results", help="Folder of records and figures.")
@click.option("--scratch", type=click.Path(path_type=Path), default=ROOT / ".bench", help="Folder of builds, stores.")
@click.option("--machine", help="Label of this machine in the records (default: from its processor).")
@click.option("--json", "as_json", is_flag=True, help="Print the records, one JSON object per line, and nothing else.")
def gate(
    revisions: Tuple[str, ...],
    aa: bool,
    plant: Optional[str],
    evaluations: Optional[int],
    names: Tuple[str, ...],
    file: Optional[Path],
    restarts: int,
    resume: Optional[Path],
    out: Path,
    scratch: Path,
    machine: Optional[str],
    as_json: bool,
) -> None:
    """Say whether commit HEAD costs more than commit BASE.

    Both are built and installed side by side. Exact counters are compared first, then paired time. Exits 0 for PASS,
    1 for FAIL, 2 for INCONCLUSIVE, 64 if there is no verdict, 130 if interrupted. docs/gating.md says more.

    \b
      python -m harness gate main HEAD
      python -m harness gate --aa                  how often it cries wolf
      python -m harness gate --plant time=5%       how often it sees that
    """
    try:
        if resume is not None:
            if revisions or aa or plant or names or evaluations:
                raise Failure("--resume takes revisions, bodies and evaluations from the record")
            asked = Asked.of_record(_begun(resume), file)
        else:
            asked = Asked.of_options(revisions, aa, plant, evaluations, names, file, restarts)
        chosen("body", asked.names, [body.name for body in asked.project.bodies])
        if machine is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,40}", machine):
            raise Failure(f"--machine {machine!r}: must be at most 41 letters, digits and hyphens")
        writable(out, "--out")
        writable(scratch, "--scratch")
        screen = Screen(quiet=as_json)
        found = Gate(asked, out / "gate", scratch, machine, resume, screen)
    except (NotJudgedError, ValueError) as error:
        raise Failure(str(error), USAGE) from error
    except Failure as error:
        raise Failure(error.message, USAGE) from error
    sys.exit(_run(found, screen, as_json))


def _begun(path: Path) -> Dict[str, Any]:
    try:
        records = read(path)
    except (OSError, ValueError) as error:
        raise NotJudgedError(f"{path.name} is no record of a gate") from error
    if not records or records[0].get("driver") != "gate" or records[0]["kind"] != "begin":
        raise NotJudgedError(f"{path.name} is no record of a gate")
    return records[0]


def _kept(found: Gate) -> str:
    if found.record is None:
        return ""
    return f": what was measured is kept; go on by --resume {os.path.relpath(found.record.path)}"


def _run(found: Gate, screen: Screen, as_json: bool) -> int:
    try:
        with screen:
            status = found.run()
    except KeyboardInterrupt:
        status = 130
        click.echo("interrupted" + _kept(found), err=True)
    except NotJudgedError as error:
        raise Failure(str(error), USAGE) from error
    except Exception:
        traceback.print_exc()
        return BROKEN
    records = found.record.records if found.record else []
    if as_json:
        for record in records:
            click.echo(json.dumps(record))
        return status
    screen.tables(tables(records))
    for line in (*noise(records), *summary(records)):
        screen.line(line)
    if found.figure:
        screen.line(f"figure: {os.path.relpath(found.figure)}")
    if found.record:
        screen.line(f"record: {os.path.relpath(found.record.path)}")
    return status
