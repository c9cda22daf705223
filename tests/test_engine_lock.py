"""The lock of the Python engines: a finalizer or signal handler that interrupts its holder must not wait for ever."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, List

import pytest

from asyncdictsqlite import AsyncDictSQLite, StateError
from asyncdictsqlite.pycore.enginelock import EngineLock


@pytest.mark.timeout(10)
@pytest.mark.parametrize("mode", ["memory", "lazy"])
def test_who_interrupts_the_holder_is_refused_not_deadlocked(tmp_path: Path, mode: str) -> None:
    with AsyncDictSQLite(tmp_path / "a.db", backend="threads", persist_mode=mode) as db:
        engine: Any = db._engine
        with engine._lock, pytest.raises(StateError, match="finalizer"):
            db.set("k", 1)
        db["k"] = 2
        assert db["k"] == 2


@pytest.mark.timeout(10)
def test_it_excludes_other_threads() -> None:
    lock, inside, most = EngineLock(), [0], [0]

    def work(_: int) -> None:
        for _ in range(500):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads: List[threading.Thread] = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
