"""``python -m harness counters``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Optional, Sequence

import click

from harness.cli.choice import writable
from harness.cli.failure import Failure
from harness.cli.screen import Screen
from harness.gate import baseline, instructions
from harness.gate.bodies import BODIES
from harness.measure.remote import ROOT
from harness.report.table import NOTHING, Table


@click.command()
@click.option("--check", is_flag=True, help="Exit 1 if a counter is not what the committed baseline says.")
@click.option("--update", is_flag=True, help="Write the baseline of this machine and interpreter.")
@click.option("--baselines", type=click.Path(path_type=Path), default=baseline.BASELINES, help="Folder of baselines.")
@click.option("--scratch", type=click.Path(path_type=Path), default=ROOT / ".bench", help="Folder of stores.")
@click.option("--json", "as_json", is_flag=True, help="Print the counters as JSON, and nothing else.")
def counters(check: bool, update: bool, baselines: Path, scratch: Path, as_json: bool) -> None:
    """Count what the main operations cost: instructions, write calls, bytes, syncs, commits.

    Counters do not depend on how busy the machine is. Instructions need valgrind and are left out without it. A
    baseline holds for one processor, CPython build, rustc, SQLite and libc: where there is none for this machine,
    nothing is compared.
    """
    writable(scratch, "--scratch")
    screen = Screen(quiet=as_json)
    with screen:
        screen.expect(sum(body.counted > 0 for body in BODIES) + (not instructions.missing()))
        try:
            now = baseline.measured(scratch.resolve(), screen.step)
        except baseline.NotCountedError as error:
            raise Failure(str(error)) from error
    facts = baseline.key()
    path = baseline.path_of(facts, baselines)
    before = baseline.load(path, facts)
    if as_json:
        click.echo(json.dumps({"key": facts, "counters": now}))
    else:
        screen.tables([_table(now, before)])
        if instructions.missing():
            screen.line(instructions.missing())
    if update:
        baseline.save(path, facts, now)
        screen.line(f"baseline: {os.path.relpath(path)}")
    elif before is None:
        what = "this processor, CPython, rustc, SQLite and libc"
        screen.line(f"nothing to compare with: no baseline {path.name} for {what}")
    elif check:
        if not baseline.has_instructions(before):
            screen.line(f"instructions are not compared: {path.name} was counted by another valgrind than is here")
            now = baseline.without_instructions(now)
        _verdict(baseline.moved(before, now), path)


def _table(now: baseline.Counters, before: Optional[baseline.Counters]) -> Table:
    kept = before or {}
    rows = [
        [body, name, f"{kept[body][name]:,g}" if name in kept.get(body, {}) else NOTHING, f"{count:,g}"]
        for body, found in now.items()
        for name, count in found.items()
    ]
    title = "Counters: instructions of one operation; all else of a whole block"
    return Table(title, ["body", "counter", "baseline", "now"], [("", rows)])


def _verdict(moved: Sequence[baseline.Moved], path: Path) -> None:
    for one in moved:
        click.echo(f"{one.body}: {one.counter} was {one.before}, is {one.now}", err=True)
    if moved:
        raise Failure(f"{len(moved)} counters are not those of {path.name}; where that is meant, --update it")
    sys.exit(0)
