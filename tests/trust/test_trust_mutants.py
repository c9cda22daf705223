"""The rows see: each fails on a copy of the package with one line changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest

from harness.measure.remote import ROOT
from tests.test_mutants import Mutant, broken_package

pytestmark = pytest.mark.timeout(300)

# By row; `caught_by` chooses its tests.
MUTANTS: Dict[str, Mutant] = {
    "6": Mutant(
        "pycore/failures.py",
        "if committing and extended not in _NOT_APPLIED_IOERR:",
        "if False:",
        caught_by="test_io_errors.py and threads",
    ),
    "7": Mutant(
        "pycore/writer.py",
        "self._failed(translate(error, self._opening.path, committing=True))",
        "pass",
        caught_by="test_disk.py and threads and checkpoint",
    ),
    "8": Mutant(
        "pycore/failures.py",
        '13: (DiskFullError, "cannot grow: the disk is full; make room and try again"),',
        "",
        caught_by="test_disk.py and threads and ENOSPC",
    ),
    "9": Mutant(
        "pycore/unpublished.py",
        "if not self._changes:",
        "if True:",
        caught_by="test_linearizable.py and threads and kills",
    ),
    "10": Mutant(
        "pycore/engine.py",
        "self._reader.close()",
        "pass",
        caught_by="test_storm.py and threads",
    ),
    "16": Mutant(
        "pycore/writer.py",
        "if size <= most_bytes or size < self._checkpointed_bytes + WAL_BYTES // 4:",
        "if True:",
        caught_by="test_long_reader.py and threads",
    ),
    "16, a turn of the loop": Mutant(
        "pycore/reader.py",
        "cursor.close()",
        "globals().setdefault('kept', []).append(cursor)",
        caught_by="test_long_reader.py and threads and turn",
    ),
    "17": Mutant(
        "pycore/engine.py",
        "raise CorruptError(message)",
        "pass",
        caught_by="test_damaged.py and threads",
    ),
    "20": Mutant(
        "pycore/engine.py",
        "self._misses += len(keys)",
        "self._misses += len(keys); self._switches._random and __import__('time').sleep(0)",
        caught_by="test_blocking.py and threads and cold",
    ),
    "20b": Mutant(
        "pycore/writer.py",
        "self.transaction(self._touch, lambda epoch: None, synced=True)",
        "self.connection.execute('PRAGMA wal_checkpoint(FULL)').fetchone()",
        caught_by="test_long_reader.py and threads and flush",
    ),
}


@pytest.mark.parametrize("row", MUTANTS)
def test_the_row_fails_on_its_mutant(tmp_path: Path, long: bool, row: str) -> None:
    if not long:
        pytest.skip("the long tier runs these")
    mutant = MUTANTS[row]
    name, _, chosen = mutant.caught_by.partition(" and ")
    command = [sys.executable, "-m", "pytest", f"tests/trust/{name}", "-x", "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(broken_package(tmp_path, mutant))}
    ended = subprocess.run(
        [*command, "-k", chosen], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1, ended.stdout
    assert "failed" in ended.stdout
