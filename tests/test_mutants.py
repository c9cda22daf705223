"""Broken on purpose: backends with one changed line each, and the check of the suite that catches it.

A mutant is a copy of the package in which one line of the backend "threads" is another. The quick test shows that
the named check fails on it; the slow one that every other check passes, but for those that prove the same sentence
from another side.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, FrozenSet, Set

import pytest

import asyncdictsqlite

PACKAGE = Path(asyncdictsqlite.__file__).parent


@dataclass(frozen=True)
class Mutant:
    """One changed line.

    Attributes:
        module: the path of the module inside the package.
        line: the line as it is, without its indentation; it must be there exactly once.
        becomes: what it is changed to.
        caught_by: the check that must fail.
        also: the checks that prove the same from another side, and may fail, too.
    """

    module: str
    line: str
    becomes: str
    caught_by: str
    also: FrozenSet[str] = frozenset()


MUTANTS: Dict[str, Mutant] = {
    "stale cache fill": Mutant(
        "pycore/engine.py",
        "if self._cold.end((table, key), token) and key in values:",
        "if key in values:",
        caught_by="a_slow_read_does_not_overwrite_a_newer_value",
        also=frozenset({"no_stale_read", "no_stale_read_among_threads"}),
    ),
    "acknowledge before commit": Mutant(
        "pycore/writer.py",
        "results = self._commit_group(calls)",
        "early = 6 < len(calls) < 9 and changes.are_blind_puts([(call.changes, call.old) for call in calls]);"
        " early and self._end(lambda: self._committed(calls, [[Was(False)]] * len(calls), self._coherence.epoch));"
        " early and finish_all([(call.op, [Was(False)] * len(call.changes), None) for call in calls]);"
        " results = self._commit_group(calls)",
        caught_by="killed_writethrough_loses_nothing",
    ),
    "batch without transaction": Mutant(
        "pycore/changes.py",
        "connection.executemany(UPSERT.format(table), sorted(rows.items()))",
        "for at in range(0, len(rows), 20):"
        " at and (connection.execute('COMMIT'), connection.execute('BEGIN IMMEDIATE')),"
        " connection.executemany(UPSERT.format(table), sorted(rows.items())[at : at + 20])",
        caught_by="a_batch_is_never_seen_in_part",
        also=frozenset({"killed_in_a_batch_leaves_it_whole"}),
    ),
    "shared mutable value": Mutant(
        "table.py",
        "return self._codec.decode(data)",
        'return self.__dict__.setdefault("_kept", {}).setdefault(data, self._codec.decode(data))',
        caught_by="mutable_values_are_never_shared",
        also=frozenset({"values_are_snapshots"}),
    ),
    "eviction of unsaved entries": Mutant(
        "pycore/lazy.py",
        "self._unsaved[key] = Unsaved(value)",
        "self._unsaved[key] = Unsaved(value); len(self._unsaved) > 14 and self._opening.options.capacity == 3"
        " and self._unsaved.pop(next(iter(self._unsaved)))",
        caught_by="unsaved_entries_are_never_evicted",
        also=frozenset({"one_pop_wins_among_tasks", "sync_calls_on_the_loop_while_it_runs"}),
    ),
    "plain unpickling": Mutant(
        "codec/pickle_mode.py",
        "if not self._inspect(data) or self._allowed is None:",
        "if not scan(data) or True:",
        caught_by="planted_pickles_run_no_code",
        also=frozenset({"hostile_pickles_run_nothing", "view_options_may_differ"}),
    ),
    "read-then-write pop": Mutant(
        "table.py",
        "return self._pop(key, default)",
        "return self._pop(key, default) if default is _MISSING else"
        " (lambda read, delete: Mapped(delete, lambda _: read.wait()))("
        "self._get(check_key(key), default), self._commit([self._delete(key)], _nothing))",
        caught_by="one_pop_wins_among_tasks",
        also=frozenset(
            {
                "counters_add_up",
                "one_pop_wins_among_threads",
                "order_is_the_order_of_the_calls",
                "writers_of_several_processes_queue",
                "writethrough_is_a_dict",
            }
        ),
    ),
    "own commit mistaken for foreign": Mutant(
        "pycore/coherence.py",
        "self._seen_by_watch = seen_by_watch",
        "pass",
        caught_by="own_commits_leave_hits_hits",
    ),
    "foreign commit mistaken for own": Mutant(
        "pycore/coherence.py",
        "if seen_by_writer != self._seen_by_writer:",
        "if False:",
        caught_by="a_commit_between_our_commit_and_its_publication_is_foreign",
    ),
}


def broken_package(folder: Path, mutant: Mutant) -> Path:
    """Copy the package with one line changed."""
    copy = folder / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    lines = (copy / mutant.module).read_text().splitlines()
    places = [number for number, line in enumerate(lines) if line.strip() == mutant.line]
    assert len(places) == 1, f"{mutant.module} has the line {len(places)} times: {mutant.line}"
    old = lines[places[0]]
    lines[places[0]] = old[: len(old) - len(old.lstrip())] + mutant.becomes
    (copy / mutant.module).write_text("\n".join(lines) + "\n")
    return folder


def failed_checks(folder: Path, *arguments: str, timeout_s: float) -> Set[str]:
    """Run the suite on the package in a folder; return the names of the checks that failed."""
    command = [sys.executable, "-m", "asyncdictsqlite.testing", "threads", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, env=environment, cwd=folder, check=False
    )
    counted = re.search(r"^\d+ passed, (\d+) failed", ended.stdout, re.MULTILINE)
    assert counted, f"the suite did not run to its end: {ended.stdout}{ended.stderr}"
    failed = set(re.findall(r"^FAILED (\w+) \(seed", ended.stdout, re.MULTILINE))
    assert len(failed) == int(counted[1]), ended.stdout
    return failed


@pytest.mark.parametrize("name", MUTANTS)
def test_the_named_check_catches_the_mutant(tmp_path: Path, name: str) -> None:
    mutant = MUTANTS[name]
    failed = failed_checks(broken_package(tmp_path, mutant), "--only", mutant.caught_by, timeout_s=50)
    assert mutant.caught_by in failed


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", MUTANTS)
def test_every_other_check_passes_on_the_mutant(tmp_path: Path, name: str) -> None:
    mutant = MUTANTS[name]
    failed = failed_checks(broken_package(tmp_path, mutant), timeout_s=200)
    assert mutant.caught_by in failed
    assert failed <= {mutant.caught_by, *mutant.also}
