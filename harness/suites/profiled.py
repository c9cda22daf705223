"""Where our side of a row spends its time, by perf."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Sequence, Tuple

from harness.measure.records import git_state, package_hash
from harness.measure.remote import ROOT, environment
from harness.probes.child import ProbeError
from harness.suites import limits
from harness.suites.limit import Probed

LEAST_PERCENT = 0.5
_LINE = re.compile(r"^\s+(\d+\.\d+)%\s+(\S+)\s+(\S+)\s+\[(.)\]\s+(\S.*?)(?:\s+-\s+-)?\s*$", re.MULTILINE)


def profiled(row: str, folder: Path, seconds: float) -> str:
    """Sample what measures a row; return the functions, the dearest first.

    Raises:
        ProbeError: it failed, or perf did.
    """
    name, arguments = _program(row)
    stores, data = folder / "store", folder / "perf.data"
    stores.mkdir()
    command = [sys.executable, "-m", "harness.probes", name, json.dumps(arguments), str(stores)]
    child = subprocess.Popen(command, cwd=ROOT, env=environment(None), stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        if name == "blocks" and child.stdout.readline() != "ready\n":
            raise ProbeError(f"{row} did not run")
        sample = ["perf", "record", "--quiet", "--freq=2000", "--output", str(data), "--pid", str(child.pid)]
        _said([*sample, "--", "sleep", str(seconds)])
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    report = ["perf", "report", "--stdio", "--no-children", "--sort=comm,dso,symbol", "--input", str(data)]
    return f"{_title(row, name, seconds)}\n\n{_table(_said(report))}"


def _program(row: str) -> Tuple[str, Dict[str, Any]]:
    """Return the probe, and its arguments, that does what is measured."""
    for group in limits.groups(full=True):
        for found in group.rows:
            if found.name == row:
                if isinstance(group, Probed):
                    return group.probe, dict(group.arguments)
                return "blocks", {"case": group.cases[found.ours].as_json()}
    raise ValueError(row)


def _said(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ProbeError(f"{command[0]} {command[1]}: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
    return done.stdout


def _title(row: str, probe: str, seconds: float) -> str:
    commit, dirty = git_state(ROOT)
    tree = f"commit {commit}{' and changes' if dirty else ''}, package {package_hash()}"
    of = "our side of" if probe == "blocks" else "the program that measures"
    python = f"Python {sys.version.split()[0]}"
    return f"python -m harness profile {row}: {seconds:g} s of {of} the row, by perf.\n{tree}, {python}."


def _table(text: str) -> str:
    """Return perf's lines without what it could not name: that is one line for each thread's name and file."""
    shares: Dict[str, float] = {}
    for found in _LINE.finditer(text):
        share, thread, file, where, symbol = found.groups()
        name = "(without names)" if symbol.startswith("0x") else symbol
        line = f"{thread:<16}  {file.split('.', 1)[0]:<16}  {'kernel' if where == 'k' else 'user':<6}  {name}"
        shares[line] = shares.get(line, 0.0) + float(share)
    dearest = sorted(shares.items(), key=lambda item: -item[1])
    lines = [f"{share:6.2f} %  {line}" for line, share in dearest if share >= LEAST_PERCENT]
    return "\n".join(["   share  thread            file              where   function", *lines]) + "\n"
