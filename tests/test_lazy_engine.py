"""Lazy mode: writes that race cold reads, and flushes that cannot be written."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path
from random import Random
from typing import Dict

import pytest

from asyncdictsqlite import AsyncDictSQLite, SchemaMismatchError
from tests.stores import child, every_backend, in_a_loop, outcome

pytestmark = [pytest.mark.timeout(20), pytest.mark.filterwarnings("ignore::asyncdictsqlite.WalResetWarning")]

DROP_TABLE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("DELETE FROM adsq_meta WHERE table_name = 't'")
connection.execute("DROP TABLE t")
connection.commit()
"""
ROWS = "import sqlite3, sys; print(dict(sqlite3.connect(sys.argv[1]).execute('SELECT key, value FROM main')))"


@every_backend
@in_a_loop
async def test_of_two_pops_of_a_cold_key_one_gets_it(backend: str, tmp_path: Path) -> None:
    async with AsyncDictSQLite(tmp_path / "a.db", capacity=0, flush_interval=0.001, backend=backend) as db:
        await db.abatch_set({f"k{i}": 1 for i in range(30)})
        await db.aflush()
        db._engine.inject(reader_delay_s=0.02, seed=1)
        got = await asyncio.gather(*(db.apop(f"k{i}", 0) for i in range(30) for _ in range(2)))
        db._engine.inject()
    assert [sum(got[i : i + 2]) for i in range(0, 60, 2)] == [1] * 30


@every_backend
@in_a_loop
async def test_a_pop_after_a_clear_finds_nothing(backend: str, tmp_path: Path) -> None:
    async with AsyncDictSQLite(tmp_path / "a.db", capacity=0, flush_interval=0.001, backend=backend) as db:
        views = [db.table(f"t{i}") for i in range(8)]
        for seed in range(2):
            for view in views:
                await view.aset("k", 1)
            await db.aflush()
            db._engine.inject(reader_delay_s=0.03, writer_delay_s=0.01, seed=seed)
            calls = [call for view in views for call in (view.adelete("k"), view.aclear(), view.apop("k", None))]
            assert (await asyncio.gather(*calls))[2::3] == [None] * 8
            db._engine.inject()


@every_backend
@in_a_loop
async def test_a_write_that_a_failed_flush_refuses_was_not_applied(backend: str, tmp_path: Path) -> None:
    async with AsyncDictSQLite(tmp_path / "a.db", max_unsaved=5, flush_interval=60, backend=backend) as db:
        await db.aopen()
        db._engine.inject(writer_fault=(1, "full"), writer_delay_s=0.1)
        writes = [outcome(db.aset(f"k{i}", i)) for i in range(30)]
        refused = [i for i, answer in enumerate(await asyncio.gather(*writes)) if answer is not None]
        assert [i for i in range(30) if await db.aget(f"k{i}") != i] == refused
        db._engine.inject()
        await outcome(db.aflush())  # may tell of the failure


@every_backend
@in_a_loop
async def test_a_table_that_another_process_dropped_holds_up_no_flush(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with AsyncDictSQLite(path, exclusive=False, flush_interval=60, backend=backend) as db:
        dropped = db.table("t")
        for value in (1, 2):
            await db.aset("k", value)
            await dropped.aset("k", value)
            if value == 1:
                await db.aflush()
                child(DROP_TABLE, path)
        await db.aflush()
    async with AsyncDictSQLite(path, exclusive=False, backend=backend) as db:
        assert await db.aget("k") == 2


@every_backend
@in_a_loop
async def test_a_write_to_a_table_found_to_be_dropped_is_refused(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with AsyncDictSQLite(path, exclusive=False, flush_interval=60, backend=backend) as db:
        dropped = db.table("t")
        await dropped.aset("k", 1)
        await db.aflush()
        child(DROP_TABLE, path)
        await dropped.aset("k", 2)
        await db.aflush()
        assert isinstance(await outcome(dropped.aset("k", 3)), SchemaMismatchError)


@every_backend
@pytest.mark.parametrize("seed", range(4))
@in_a_loop
async def test_the_file_holds_the_last_write_of_each_key(backend: str, seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    expected: Dict[str, bytes] = {}
    options = {"storage_mode": "bytes", "flush_interval": 0.002, "exclusive": False, "backend": backend}
    async with AsyncDictSQLite(tmp_path / "a.db", **options) as db:
        await db.aopen()
        db._engine.inject(writer_delay_s=0.004, seed=seed)
        for i in range(3000):
            key, value = f"k{random.randrange(8)}", str(i).encode()
            kind = random.random()
            if kind < 0.9:
                await db.aset(key, value)
                expected[key] = value
            elif kind < 0.95:
                await db.adelete(key)
                expected.pop(key, None)
            elif kind < 0.98:
                batch = {key: value, "k3": value + b"b"}
                await db.abatch_set(batch)
                expected.update(batch)
            elif kind < 0.99:
                await db.aclear()
                expected.clear()
            else:
                await asyncio.sleep(0.003)
        db._engine.inject()
        await db.aflush()
        assert ast.literal_eval(child(ROWS, tmp_path / "a.db")) == expected
        assert db.stats()["unsaved"] == 0


@every_backend
@in_a_loop
async def test_each_write_of_a_key_that_waits_counts_as_one(backend: str, tmp_path: Path) -> None:
    options = {"flush_interval": 60, "max_unsaved": 100, "backend": backend}
    async with AsyncDictSQLite(tmp_path / "a.db", **options) as db:
        await db.aopen()
        before = db.stats()["commits"]
        for i in range(99):
            await db.aset(f"k{i % 3}", i)
        await asyncio.sleep(0.05)
        assert db.stats()["commits"] == before
        await db.aset("k0", -1)
        while db.stats()["commits"] == before:
            await asyncio.sleep(0.001)
        await db.aflush()
        assert (db.stats()["unsaved"], db.stats()["unsaved_bytes"]) == (0, 0)
