"""Rows 16 and 20b: iterations and neighbours that read: the WAL stays short, and is synced by each flush."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from asyncdictsqlite.promise import has_wal_reset_bug
from asyncdictsqlite.testing.preload import build
from tests.stores import every_backend
from tests.trust.farm import problems, spread
from tests.trust.figures import Figures
from tests.trust.reader_children import flush_beside_a_reader, iterate, read_and_rest

pytestmark = pytest.mark.timeout(600)
MOST_WAL_BYTES = 8 * 2**20
SEED = 16


@every_backend
def test_an_open_iteration_keeps_no_wal_long(tmp_path: Path, figures: Figures, long: bool, backend: str) -> None:
    alone = backend != "rust" and has_wal_reset_bug(sqlite3.sqlite_version_info)
    commits, size = (20_000, 4096) if long else (3000, 8192)
    case = dict(backend=backend, alone=alone, commits=commits, size=size, path=str(tmp_path / "store.db"))
    outcomes = spread([iterate], [case], timeout_s=300)
    (wal,) = [line[1] for line in outcomes[0].lines if line[0] == "wal"] or [-1]
    figures.add("16", "iteration open, neighbour idle", backend, 0, commits=commits, written_bytes=commits * size,
                neighbour=not alone, longest_wal_bytes=wal, broken=len(problems(outcomes)))  # fmt: skip
    assert problems(outcomes) == []
    assert 0 < wal < MOST_WAL_BYTES


@every_backend
def test_no_read_transaction_outlives_a_turn_of_the_loop(
    tmp_path: Path, figures: Figures, long: bool, backend: str
) -> None:
    reads = 3000 if long else 300
    case = dict(backend=backend, reads=reads, seed=SEED, path=str(tmp_path / "store.db"))
    outcomes = spread([read_and_rest], [case], timeout_s=120)
    (held,) = [line[1] for line in outcomes[0].lines if line[0] == "held"] or [-1]
    figures.add("16", "read transactions after a turn of the loop", backend, SEED, reads=reads, held=held,
                broken=len(problems(outcomes)))  # fmt: skip
    assert problems(outcomes) == []
    assert held == 0


@every_backend
def test_a_flush_syncs_a_wal_that_was_copied_back(tmp_path: Path, figures: Figures, backend: str) -> None:
    flushes = 100
    case = dict(backend=backend, flushes=flushes, path=str(tmp_path / "store.db"))
    outcomes = spread([flush_beside_a_reader], [case], build(tmp_path))
    synced = [line[1] for line in outcomes[0].lines if line[0] == "synced"]
    figures.add("20b", "flushes in NORMAL beside a reader of a copied WAL", backend, 0, flushes=len(synced),
                without_a_sync=synced.count(0), broken=len(problems(outcomes)))  # fmt: skip
    assert problems(outcomes) == []
    assert len(synced) == flushes
    assert all(synced)
