"""The aiosqlite backend: which reads go through aiosqlite, and what happens when their loop cannot go on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from asyncdictsqlite import AsyncDictSQLite, UnknownBackendError, registry


def filled(path: Path) -> str:
    with AsyncDictSQLite(path, backend="aiosqlite", persist_mode="writethrough") as db:
        db.batch_set({f"k{i}": i for i in range(100)})
    return str(path)


def test_each_cold_awaited_read_is_a_job_of_aiosqlite(tmp_path: Path) -> None:
    async def main(path: str) -> None:
        async with AsyncDictSQLite(path, backend="aiosqlite", capacity=0) as db:
            for i in range(20):
                assert await db.aget(f"k{i}") == i
            assert db.stats()["cold_aiosqlite"] == 20

    asyncio.run(main(filled(tmp_path / "a.db")))


def test_a_read_without_a_loop_uses_the_plain_connection(tmp_path: Path) -> None:
    with AsyncDictSQLite(filled(tmp_path / "a.db"), backend="aiosqlite", capacity=0) as db:
        assert db["k1"] == 1
        assert (db.stats()["cold_aiosqlite"], db.stats()["cold_plain"]) == (0, 1)


@pytest.mark.timeout(10)
def test_a_sync_read_on_the_thread_of_the_running_loop_does_not_wait_for_that_loop(tmp_path: Path) -> None:
    async def main(path: str) -> int:
        async with AsyncDictSQLite(path, backend="aiosqlite", capacity=0) as db:
            return db.get("k5") + len(db)

    assert asyncio.run(main(filled(tmp_path / "a.db"))) == 105


@pytest.mark.timeout(20)
def test_a_loop_that_ends_during_a_read_leaves_the_connection_usable_and_says_nothing(tmp_path: Path) -> None:
    program = f"""
import asyncio
from asyncdictsqlite import AsyncDictSQLite
db = AsyncDictSQLite({filled(tmp_path / "a.db")!r}, backend="aiosqlite", capacity=0)
async def early():
    await db.aopen()
    db._engine.inject(reader_delay_s=0.01)
    for i in range(30):
        db.aget(f"k{{i}}")
    await asyncio.sleep(0.003)
for _ in range(5):
    asyncio.run(early())
db._engine.inject()
async def late():
    return await db.aget("k7")
print(asyncio.run(late()))
db.close()
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=15, check=False)
    assert (answer.stdout, answer.stderr) == ("7\n", "")


def test_without_the_package_one_sentence_names_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiosqlite", None)
    monkeypatch.delitem(sys.modules, "asyncdictsqlite.backends.aiosqlite", raising=False)
    with pytest.raises(UnknownBackendError, match=r"pip install 'asyncdictsqlite\[aiosqlite\]'"):
        registry.load("aiosqlite")


@pytest.mark.timeout(10)
def test_a_page_that_is_being_fetched_holds_up_no_newer_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetchmany = aiosqlite.Cursor.fetchmany

    async def main(path: str) -> None:
        fetching, go_on = asyncio.Event(), asyncio.Event()

        async def held(cursor: Any, size: Any = None) -> Any:
            rows = await fetchmany(cursor, size)
            fetching.set()
            await go_on.wait()
            return rows

        monkeypatch.setattr(aiosqlite.Cursor, "fetchmany", held)
        async with AsyncDictSQLite(path, backend="aiosqlite", persist_mode="writethrough", capacity=0) as db:
            page = asyncio.ensure_future(anext_key(db))
            page.add_done_callback(lambda page: fetching.set())
            await fetching.wait()
            await db.aset("k0", "new")
            value = await db.aget("k0")
            go_on.set()
            assert (value, await page) == ("new", "k0")

    asyncio.run(main(filled(tmp_path / "a.db")))


async def anext_key(db: AsyncDictSQLite) -> str:
    async for key in db.akeys():
        return key
    return ""


@pytest.mark.timeout(10)
def test_a_read_under_way_when_its_store_closes_is_answered(tmp_path: Path) -> None:
    async def main(path: str) -> Any:
        db = await AsyncDictSQLite(path, backend="aiosqlite", capacity=0).aopen()
        db._engine.inject(reader_delay_s=0.2, seed=1)
        read = db.aget("k7")
        await db.aclose()
        return await asyncio.wait_for(read, 5)

    assert asyncio.run(main(filled(tmp_path / "a.db"))) == 7
