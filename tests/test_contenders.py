"""What the harness knows of stores that work in another process, or need a newer Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.contenders import CONTENDERS
from harness.measure import promise, syncs
from harness.measure.remote import Workers

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="syncs are counted with a library that cc builds")


@needs_cc
def test_the_syncs_of_a_process_that_is_started_are_counted(tmp_path: Path) -> None:
    library, why = syncs.build(tmp_path)
    assert library is not None, why
    shared = syncs.Shared()
    program = "import os; f = os.open('f', os.O_CREAT | os.O_RDWR); os.fsync(f); os.fsync(f); os.fdatasync(f)"
    environment = {**os.environ, "LD_PRELOAD": str(library), **shared.environment}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, env=environment)
    assert shared.counted() == {"fsync": 2, "fdatasync": 1, "sync_file_range": 0, "msync": 0}
    shared.close()


@needs_cc
@pytest.mark.skipif(CONTENDERS["redis"].missing() is not None, reason="needs redis")
def test_the_syncs_of_a_server_are_its_own(tmp_path: Path) -> None:
    preload, why = syncs.build(tmp_path)
    assert preload is not None, why
    seen = promise.verify("redis", "appendfsync-always", Workers(tmp_path, preload), tmp_path)
    assert seen.syncs_per_write == pytest.approx(1, abs=0.05)
    assert seen.held


@pytest.mark.skipif(CONTENDERS["redis"].missing() is not None, reason="needs redis")
def test_without_the_library_the_syncs_of_a_server_are_unknown(tmp_path: Path) -> None:
    seen = promise.verify("redis", "appendfsync-always", Workers(tmp_path, None), tmp_path)
    assert seen.syncs_per_write is None
    assert seen.left == seen.written


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="beaver-db runs on this Python")
def test_a_store_that_needs_a_newer_python_says_so() -> None:
    assert CONTENDERS["beaver-db"].missing() == "beaver-db: it needs Python 3.12 or newer"
