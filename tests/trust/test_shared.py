"""Row 15: four writers and four readers on one file, some killed: nothing stale, nothing lost, nobody locked out."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from asyncdictsqlite import AsyncDictSQLite
from asyncdictsqlite.promise import has_wal_reset_bug
from tests.stores import every_backend
from tests.trust.farm import problems, spread
from tests.trust.figures import Figures
from tests.trust.history import violations
from tests.trust.recorded import calls_of
from tests.trust.shared_children import count, share

pytestmark = pytest.mark.timeout(600)
SEED, STARTING_S = 15, 2.0


@every_backend
@pytest.mark.parametrize("group", [64, 2000])
def test_many_processes_share_a_file(tmp_path: Path, figures: Figures, long: bool, backend: str, group: int) -> None:
    path = str(tmp_path / "store.db")
    if backend != "rust" and has_wal_reset_bug(sqlite3.sqlite_version_info):
        _is_refused(path, backend)
        version = sqlite3.sqlite_version
        figures.add("15", f"refused: SQLite {version} has the WAL-reset bug", backend, SEED, refused=1)
        return
    with AsyncDictSQLite(path, backend=backend, storage_mode="json", persist_mode="writethrough",
                         synchronous="normal", exclusive=False, busy_timeout=20.0) as db:  # fmt: skip
        db["made"] = 1
    seconds = 20.0 if long else 1.5
    until = time.monotonic() + STARTING_S + seconds
    cases = [
        dict(backend=backend, path=path, group=group, name=f"p{at}", writes=at % 2 == 0, kill=at >= 4, seed=SEED + at,
             seconds=STARTING_S + seconds, until=until)
        for at in range(8)
    ]  # fmt: skip
    outcomes = spread([share, share, count], cases, processes=8, timeout_s=seconds + 60)
    bad = problems(outcomes)
    said = [line for outcome in outcomes for line in outcome.lines]
    calls = [call for outcome in outcomes for call in calls_of(outcome.lines)]
    found = list(violations(calls))
    figures.add(
        "15", f"4 writers, 4 readers, groups of {group}", backend, SEED,
        calls=len(calls),
        rows=sum(line[1] for line in said if line[0] == "counted"),
        lost=sum(line[2] for line in said if line[0] == "counted"),
        stale=len(found),
        kills=said.count(["kill"]),
        locked=sum("LockedError" in one for one in bad) + sum(line[0] == "locked" for line in said),
        longest_wait_s=round(max(line[1] for line in said if line[0] == "waited"), 3),
        hangs=sum(outcome.hung for outcome in outcomes),
        broken=len(bad),
    )  # fmt: skip
    assert bad == []
    assert found == []
    assert not any(line[0] == "locked" for line in said)
    assert len(calls) > 1000


def _is_refused(path: str, backend: str) -> None:
    with AsyncDictSQLite(path, backend=backend, persist_mode="writethrough") as db:
        db["a"] = 1
        assert db.stats()["exclusive"]
        outcomes = spread([share], [dict(backend=backend, path=path, kill=False, until=time.monotonic() + 60)])
    (line,) = outcomes[0].lines
    assert line[0] == "locked"
    assert "exclusive=True" in line[1]
