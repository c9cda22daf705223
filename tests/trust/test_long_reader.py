"""Row 16: an iteration stays open during many commits, an idle neighbour has the file open: the WAL stays short."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from asyncdictsqlite.promise import has_wal_reset_bug
from tests.stores import every_backend
from tests.trust.farm import problems, spread
from tests.trust.figures import Figures
from tests.trust.reader_children import iterate

pytestmark = pytest.mark.timeout(600)
MOST_WAL_BYTES = 8 * 2**20


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
