"""Cold reads of the Rust backend: those of one turn of the loop share a read transaction, which nobody else notices."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from asyncdictsqlite import AsyncDictSQLite
from tests.stores import child, in_a_loop

pytestmark = pytest.mark.timeout(60)

TRUNCATE = """
import sqlite3, sys
print(sqlite3.connect(sys.argv[1], timeout=0).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
"""
COMMIT = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as connection:
    connection.execute("UPDATE main SET value = ?", (sys.argv[2].encode(),))
"""
COMMIT_MUCH = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
connection.execute("PRAGMA synchronous = OFF")
for i in range(20_000):
    connection.execute("UPDATE main SET value = ? WHERE key = ?", (b"%d" % i, f"k{i % 10}"))
"""


async def opened(folder: Path, **options: Any) -> AsyncDictSQLite[Any]:
    """Open a store that keeps nothing in memory, with ten keys."""
    options = {"persist_mode": "writethrough", "storage_mode": "bytes", "capacity": 0, "exclusive": False, **options}
    db: AsyncDictSQLite[Any] = AsyncDictSQLite(folder / "a.db", backend="rust", **options)
    await db.aopen()
    await db.abatch_set({f"k{i}": b"old" for i in range(10)})
    if db.stats()["nowait"] != "on":
        await db.aclose()
        pytest.skip("this file system cannot tell what is in memory")
    return db


async def gathered(db: AsyncDictSQLite[Any]) -> set[bytes]:
    return set(await asyncio.gather(*[db.aget(f"k{i}") for i in range(10)]))


@in_a_loop
async def test_no_read_transaction_outlives_a_turn_of_the_loop(tmp_path: Path) -> None:
    db = await opened(tmp_path)
    assert [await db.aget("k1"), await db.aget("k2")] == [b"old"] * 2  # finished at the call: no other turn comes
    assert child(TRUNCATE, tmp_path / "a.db").strip() == "1", "within the turn there is one"
    await asyncio.sleep(0)
    assert child(TRUNCATE, tmp_path / "a.db").strip() == "0"
    await db.aclose()


def test_none_outlives_a_loop_that_was_stopped_in_the_middle_of_its_turn(tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    db = loop.run_until_complete(opened(tmp_path))

    def read_and_stop() -> None:
        loop.stop()
        assert [db.get(f"k{i}") for i in range(10)] == [b"old"] * 10

    loop.call_soon(read_and_stop)
    loop.run_forever()
    loop.close()
    assert child(TRUNCATE, tmp_path / "a.db").strip() == "0"
    db.close()


@in_a_loop
async def test_a_read_after_a_foreign_commit_in_the_same_turn_sees_it(tmp_path: Path) -> None:
    db = await opened(tmp_path)
    for value in ("one", "two"):
        assert len(await gathered(db)) == 1
        child(COMMIT, tmp_path / "a.db", value)
        assert await gathered(db) == {value.encode()}
        child(COMMIT, tmp_path / "a.db", value * 2)
        assert await db.abatch_get([f"k{i}" for i in range(10)]) == [value.encode() * 2] * 10
    await db.aclose()


@in_a_loop
async def test_the_wal_of_a_busy_neighbour_stays_short_while_reads_are_gathered(tmp_path: Path) -> None:
    db = await opened(tmp_path)
    neighbour = subprocess.Popen([sys.executable, "-c", COMMIT_MUCH, str(tmp_path / "a.db")])
    longest = 0
    while neighbour.poll() is None:
        await gathered(db)
        await asyncio.sleep(0)
        longest = max(longest, (tmp_path / "a.db-wal").stat().st_size)
    assert neighbour.returncode == 0
    assert longest < 20 * 2**20, "20,000 commits are 80 MB"
    await db.aclose()


MANY = [f"n{i}" for i in range(10_500)]


@pytest.mark.parametrize("change", ["one", "all", "clear"])
@in_a_loop
async def test_a_slow_read_of_many_keys_leaves_newer_values_in_memory(change: str, tmp_path: Path) -> None:
    db = await opened(tmp_path)
    await db.abatch_set(dict.fromkeys(MANY, b"old"))
    await db.aclose()
    db = await opened(tmp_path, capacity=100_000)
    db._engine.inject(reader_delay_s=0.5, seed=472)  # of this seed: hardly a delay before it reads, a long one after
    read = db.abatch_get(MANY)
    await asyncio.sleep(0.1)
    if change == "one":
        await db.aset("n5", b"new")
    elif change == "all":
        await db.abatch_set(dict.fromkeys(MANY, b"new"))
    else:
        await db.aclear()
    assert await read == [b"old"] * len(MANY)
    db._engine.inject()
    expected = {"one": [b"new", b"old"], "all": [b"new", b"new"], "clear": [None, None]}[change]
    assert [await db.aget("n5"), await db.aget("n10499")] == expected
    await db.aclose()
