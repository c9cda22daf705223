"""The aiosqlite backend: which reads go through aiosqlite, and what happens when their loop cannot go on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

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
