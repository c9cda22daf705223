"""Row 20: no callback of the loop waits, also while another process holds the write lock for two seconds."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from asyncdictsqlite.promise import has_wal_reset_bug
from tests.stores import every_backend
from tests.trust.blocking_children import hold_the_loop
from tests.trust.farm import problems, spread
from tests.trust.figures import Figures
from tests.trust.preload import build, compiler
from tests.trust.waits import KINDS

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RUSAGE_THREAD is needed"),
]
SEED, HELD_S = 20, 2.0


ALL, FEW = 1_000_000, 2000  # keys in memory


@every_backend
@pytest.mark.parametrize(
    ("what", "mode", "capacity", "held_s"),
    [
        ("hits and writes", "writethrough", ALL, 0.0),
        ("hits and writes", "lazy", ALL, 0.0),
        ("hits and writes, the file locked", "writethrough", ALL, HELD_S),
        ("cold reads and writes", "writethrough", FEW, 0.0),
    ],
)
def test_no_callback_waits(
    tmp_path: Path, figures: Figures, long: bool, backend: str, what: str, mode: str, capacity: int, held_s: float
) -> None:
    alone = backend != "rust" and has_wal_reset_bug(sqlite3.sqlite_version_info)
    if held_s and alone:
        pytest.skip("no other process can lock the file: it is open exclusively, as this SQLite has the WAL-reset bug")
    path, seconds = str(tmp_path / "store.db"), held_s + (8.0 if long else 0.7)
    case = dict(backend=backend, mode=mode, capacity=capacity, held_s=held_s, alone=alone, seconds=seconds, seed=SEED,
                path=path)  # fmt: skip
    environment = {}
    if backend == "rust":
        if not compiler():
            pytest.skip("needs a C compiler for the library that counts what is waited for")
        environment = build(tmp_path, "waits.c")
    outcomes = spread([hold_the_loop], [case], environment, timeout_s=120)
    bad = problems(outcomes)
    said = next((line[1:] for line in outcomes[0].lines if line[0] == "callbacks"), (0, {}, 0, 0.0, 0))
    callbacks, waits, switches, longest_us, made = said
    waited = {f"waits_{kind}": count for kind, count in waits.items()}
    figures.add("20", f"{what}, {mode}", backend, SEED, callbacks=callbacks, calls=made, voluntary_switches=switches,
                longest_us=round(longest_us), broken=len(bad), **waited)  # fmt: skip
    assert bad == []
    assert callbacks > 100
    if backend == "rust":  # elsewhere other threads share the GIL: who waits for that waits for a lock
        assert waits == dict.fromkeys(KINDS, 0)
