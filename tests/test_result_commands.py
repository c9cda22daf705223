"""The table of results/README.md says what can be run: the quick commands run, and every other one exists.

A command of ``python -m harness`` runs as the table has it, made small by what `SMALL` adds, or is named in `LONG` with
the reason why it does not run here; a new one must be in one of them.
"""

from __future__ import annotations

import functools
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from harness.measure.records import is_complete, read
from harness.measure.remote import ROOT
from harness.report.recorded import newest

PAGE = ROOT / "results" / "README.md"
OUT, SCRATCH = "OUT", "SCRATCH"
_ONE = f"--contender control --workload hits --out {OUT} --scratch {SCRATCH}"
# What is added to a command, and the exit codes that it may have: 1 says that a goal is missed, on a busy machine.
SMALL = {
    "python -m harness run": (_ONE, (0,)),
    "python -m harness run --full": (_ONE, (0,)),
    "python -m harness sweep": (_ONE, (0,)),
    "python -m harness run --value-size 300 --keys 5000 --tasks 8 --read-ratio 0.8 --value-kind dict": (
        f"--contender control --out {OUT} --scratch {SCRATCH}",
        (0,),
    ),
    "python -m harness trace FILE.csv": (f"--contender control --out {OUT} --scratch {SCRATCH}", (0,)),
    "python -m harness compare A B": ("", (0,)),
    "python -m harness run --suite limits": (f"--row hit --out {OUT} --scratch {SCRATCH}", (0, 1)),
    "python -m harness benchmark": (f"-k opening-on-threads --out {OUT} --scratch {SCRATCH}", (0,)),
    "python -m harness report --check": ("", (0,)),
    "python -m harness report --html results/report.html": ("", (0,)),
}
LONG = {
    "python -m harness run --suite stage": "cannot be made smaller: test_harness.py runs it with goals of its own",
    "python -m harness gate BASE HEAD": "builds two commits",
    "python -m harness gate --aa": "builds a commit",
    "python -m harness profile ROW": "needs perf, and the right to use it",
    "python -m harness counters --update": "counts under valgrind",
    "python -m harness counters --check": "counts under valgrind",
    "python -m harness report": "writes into this tree's pages",
    "python -m harness notebook": "writes into this tree's notebooks, which test_notebook.py runs",
}
PLACES = {
    "FILE.csv": str(ROOT / "harness" / "workloads" / "sample_trace.csv"),
    "results/report.html": f"{OUT}/report.html",
    "ROW": "hit",
}


def table(page: str) -> List[str]:
    """Return the commands of the first column."""
    rows = re.findall(r"^\| (`.*?) \|", page.partition("\n## ")[0], re.MULTILINE)
    return [command for row in rows for command in re.findall(r"`([^`]+)`", row)]


COMMANDS = table(PAGE.read_text(encoding="utf-8"))
OURS = [command for command in COMMANDS if command.startswith("python -m harness ")]


def runnable(command: str, out: Path, scratch: Path) -> List[str]:
    """Return the words to run: places of the table filled in, written to ``out``."""
    sweep = newest(ROOT / "results" / "runs", "sweep")
    assert sweep is not None
    names = {**PLACES, "A": sweep.name, "B": sweep.name}
    words = [names.get(word, word) for word in shlex.split(f"{command} {SMALL[command][0]}")]
    where = [word.replace(OUT, str(out)).replace(SCRATCH, str(scratch)) for word in words]
    return [sys.executable, *where[1:]]


def ended(command: List[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)


def test_the_table_has_commands() -> None:
    assert len(OURS) >= len(SMALL)


def test_each_command_of_the_harness_runs_here_or_says_why_not() -> None:
    assert sorted(OURS) == sorted([*SMALL, *LONG])


@pytest.mark.parametrize("command", [command for command in OURS if command in SMALL])
def test_a_quick_command_runs(command: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    done = ended(runnable(command, out, tmp_path / "scratch"))
    assert done.returncode in SMALL[command][1], done.stderr
    assert "Traceback" not in done.stderr
    if OUT in SMALL[command][0]:
        (path,) = (out / "runs").glob("*.jsonl")
        assert is_complete(read(path))
        assert path.name in done.stdout
    assert (out / "report.html").exists() is ("--html" in command)


@functools.cache
def help_of(*words: str) -> str:
    done = ended([sys.executable, *words, "--help"])
    assert done.returncode == 0, done.stderr
    return done.stdout


MODULES = [command for command in COMMANDS if command.startswith("python -m ")]


@pytest.mark.parametrize("command", MODULES)
def test_the_help_of_a_command_names_its_options(command: str) -> None:
    _, *words = shlex.split(command)
    options = [word for word in words if word.startswith("--")]
    said = help_of(*words[: 2 if words[1] not in ("pytest", "harness", "harness.powercut") else 3])
    assert [option for option in options if not re.search(rf"{option}\b", said)] == []


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make ")])
def test_a_target_of_make_exists(command: str) -> None:
    done = ended(["make", "--dry-run", *shlex.split(command)[1:]])
    assert done.returncode == 0, done.stderr


def test_nothing_else_is_in_the_table() -> None:
    makes = [command for command in COMMANDS if command.startswith("make ")]
    variables = [command for command in COMMANDS if command not in (*MODULES, *makes)]
    assert variables == []
