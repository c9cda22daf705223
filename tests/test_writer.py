"""The writer: how large the WAL grows, and what a wait for the writers' queue leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from asyncdictsqlite import AsyncDictSQLite, LockedError
from tests.stores import every_backend, on_the_python_core

pytestmark = [pytest.mark.timeout(20), pytest.mark.filterwarnings("ignore::asyncdictsqlite.WalResetWarning")]

HOLD_THE_QUEUE = """
import fcntl, sys
file = open(sys.argv[1], "r+")
fcntl.lockf(file, fcntl.LOCK_EX, 1, 1)
print("held", flush=True)
sys.stdin.read()
"""


@every_backend
def test_large_values_leave_the_wal_small(backend: str, tmp_path: Path) -> None:
    options = {"persist_mode": "writethrough", "storage_mode": "bytes", "synchronous": "normal"}
    with AsyncDictSQLite(tmp_path / "a.db", backend=backend, **options) as db:
        for i in range(60):
            db.set(f"k{i % 5}", bytes([i]) * 600_000)
        assert os.path.getsize(tmp_path / "a.db-wal") < 12 * 2**20  # of 36 MB written


@every_backend
def test_writes_one_by_one_after_a_batch_leave_the_wal_small(backend: str, tmp_path: Path) -> None:
    options = {"persist_mode": "writethrough", "storage_mode": "bytes", "synchronous": "normal"}
    with AsyncDictSQLite(tmp_path / "a.db", backend=backend, **options) as db:
        db.batch_set(dict.fromkeys((f"s{i:04}" for i in range(3000)), b""))
        for i in range(1500):
            db.set(f"w{i % 500}", bytes(8192))
        assert os.path.getsize(tmp_path / "a.db-wal") < 9 * 2**20  # of some 15 MB written


@on_the_python_core
def test_writes_that_timed_out_in_the_queue_share_one_thread(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    options = {"persist_mode": "writethrough", "exclusive": False, "busy_timeout": 0.02}
    with AsyncDictSQLite(path, backend=backend, **options) as db:
        db["k"] = 0
        command = [sys.executable, "-c", HOLD_THE_QUEUE, f"{path}-adsq"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            holder.stdout.readline()
            for i in range(10):
                with pytest.raises(LockedError):
                    db["k"] = i
            waiting = [thread for thread in threading.enumerate() if thread.name == "asyncdictsqlite-queue"]
            assert len(waiting) == 1
            holder.communicate(timeout=10)
        waiting[0].join(5)
        db["k"] = 11
        assert db["k"] == 11
