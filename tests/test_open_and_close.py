"""Opening and closing: what races them, what fails them, and what they leave behind."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any, Iterator, Tuple

import pytest

from asyncdictsqlite import (
    AsyncDictSQLite,
    ClosedError,
    DiskFullError,
    FlushFailedError,
    NotADatabaseError,
    StorageModeMismatchError,
    opening,
    sidelock,
)
from tests.stores import child, every_backend, in_a_loop, on_the_python_core, outcome

pytestmark = [pytest.mark.timeout(20), pytest.mark.filterwarnings("ignore::asyncdictsqlite.WalResetWarning")]


async def assert_nobody_has_it_open(path: Path, backend: str) -> None:
    """Open it with options that no store of these tests has: a store that still holds the file would refuse."""
    db = AsyncDictSQLite(path, backend=backend, capacity=77)
    assert await outcome(db.aopen()) is db
    await db.aclose()


# ---- opening --------------------------------------------------------------------------------------------


@every_backend
@in_a_loop
async def test_a_store_whose_open_failed_holds_no_file(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with AsyncDictSQLite(path, backend=backend) as db:
        await db.aset("k", 1)
    failed = AsyncDictSQLite(path, backend=backend, storage_mode="json")
    with pytest.raises(StorageModeMismatchError):
        await failed.aopen()
    await assert_nobody_has_it_open(path, backend)


@every_backend
@in_a_loop
async def test_opening_garbage_leaves_no_thread(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"garbage " * 1024)
    before = set(threading.enumerate())
    for _ in range(3):
        assert isinstance(await outcome(AsyncDictSQLite(path, backend=backend).aget("k")), NotADatabaseError)
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert set(threading.enumerate()) <= before


@every_backend
@in_a_loop
async def test_a_batch_during_which_its_view_opens_is_written(backend: str, tmp_path: Path) -> None:
    async with AsyncDictSQLite(tmp_path / "a.db", backend=backend) as db:
        view = db.table("x")
        first = view.aget("a")

        def items() -> Iterator[Tuple[str, int]]:
            yield "a", 1
            first.wait()  # type: ignore[attr-defined]
            yield "b", 2

        assert await outcome(view.abatch_set(items())) is None
        assert await view.abatch_get(["a", "b"]) == [1, 2]


@every_backend
@in_a_loop
async def test_a_symbolic_link_is_locked_as_what_it_points_to(backend: str, tmp_path: Path) -> None:
    (tmp_path / "real.db").touch()
    os.symlink(tmp_path / "real.db", tmp_path / "link.db")
    async with AsyncDictSQLite(tmp_path / "link.db", backend=backend) as db:
        await db.aset("k", 1)
        assert sorted(path.name for path in tmp_path.glob("*-adsq")) == ["real.db-adsq"]


@on_the_python_core
@in_a_loop
async def test_nobody_opens_a_file_that_another_opener_is_still_creating(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    created, go_on, fstat = threading.Event(), threading.Event(), os.fstat

    def held(descriptor: int) -> os.stat_result:
        if threading.current_thread().name == "asyncdictsqlite-opener" and not created.is_set():
            created.set()
            go_on.wait(5)
        return fstat(descriptor)

    monkeypatch.setattr(os, "fstat", held)
    one, two = (AsyncDictSQLite(tmp_path / "a.db", backend=backend) for _ in range(2))
    first = one.aset("one", 1)
    created.wait(5)
    second: Any = two.aset("two", 2)
    await asyncio.sleep(0.3)
    early = second.done()  # its connection would lose its locks when the first descriptor is closed
    go_on.set()
    await first
    await second
    assert not early
    await one.aclose()
    await two.aclose()


@on_the_python_core
@in_a_loop
async def test_a_reader_that_locked_nobody_out_sees_what_others_commit(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    options = {"backend": backend, "persist_mode": "writethrough", "storage_mode": "bytes", "exclusive": True}
    async with AsyncDictSQLite(path, **options) as db:
        await db.aset("k", b"1")
    monkeypatch.setattr(sidelock, "_open_side_file", lambda path: None)
    async with AsyncDictSQLite(path, readonly=True, **options) as db:
        assert await db.aget("k") == b"1"
        child("import sqlite3, sys; sqlite3.connect(sys.argv[1], isolation_level=None).execute("
              "\"UPDATE main SET value = x'32'\")", path)  # fmt: skip
        assert await db.aget("k") == b"2"


@every_backend
@in_a_loop
async def test_dropping_its_own_table_as_the_first_use_closes_a_view(backend: str, tmp_path: Path) -> None:
    async with AsyncDictSQLite(tmp_path / "a.db", backend=backend) as db:
        await db.aset("k", 1)
    db = AsyncDictSQLite(tmp_path / "a.db", backend=backend)
    assert await outcome(db.adrop_table("main")) is True
    with pytest.raises(ClosedError, match="dropped"):
        await db.aget("k")
    await db.aclose()


# ---- closing --------------------------------------------------------------------------------------------


@every_backend
@in_a_loop
async def test_a_store_whose_own_table_was_dropped_still_closes_its_file(backend: str, tmp_path: Path) -> None:
    db = AsyncDictSQLite(tmp_path / "a.db", backend=backend)
    await db.aset("k", 1)
    await db.table("t").aset("k", 1)
    await db.adrop_table("main")
    await db.aclose()
    await assert_nobody_has_it_open(tmp_path / "a.db", backend)


@every_backend
@pytest.mark.parametrize("opened", [False, True])
@in_a_loop
async def test_a_close_while_a_view_opens_makes_its_calls_and_holds_no_file(
    backend: str, opened: bool, tmp_path: Path
) -> None:
    db = AsyncDictSQLite(tmp_path / "a.db", backend=backend)
    if opened:
        await db.aopen()
    write = db.table("x").aset("a", 1)
    await db.aclose()
    assert await outcome(write) is None
    await assert_nobody_has_it_open(tmp_path / "a.db", backend)
    async with AsyncDictSQLite(tmp_path / "a.db", backend=backend, table_name="x") as db:
        assert await db.aget("a") == 1


@every_backend
@in_a_loop
async def test_a_store_that_cannot_open_closes(backend: str, tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"garbage " * 1024)
    db = AsyncDictSQLite(tmp_path / "a.db", backend=backend)
    read, close = db.aget("k"), db.aclose()
    assert isinstance(await outcome(read), NotADatabaseError)
    assert await outcome(close) is None


@every_backend
@in_a_loop
async def test_a_view_that_was_never_opened_works_after_a_close_that_failed(backend: str, tmp_path: Path) -> None:
    db = AsyncDictSQLite(tmp_path / "a.db", backend=backend)
    await db.aset("k", 1)
    view = db.table("fresh")
    db._engine.inject(writer_fault=(1, "full"))
    assert isinstance(await outcome(db.aclose()), FlushFailedError)
    assert await outcome(view.aset("a", 1)) is None
    await db.aclose()
    async with AsyncDictSQLite(tmp_path / "a.db", backend=backend, table_name="fresh") as db:
        assert await db.aget("a") == 1


@every_backend
@in_a_loop
async def test_a_store_that_opens_during_a_close_that_fails_shares_the_file(backend: str, tmp_path: Path) -> None:
    db, other = (AsyncDictSQLite(tmp_path / "a.db", backend=backend) for _ in range(2))
    await db.aset("k", 1)
    db._engine.inject(writer_fault=(1, "full"), writer_delay_s=0.3)
    close = db.aclose()
    await asyncio.sleep(0.05)
    read = other.aget("k")
    assert isinstance(await outcome(close), FlushFailedError)
    assert await outcome(read) == 1
    db._engine.inject()
    await db.aclose()
    await other.aclose()


@every_backend
@in_a_loop
async def test_opening_again_during_a_close_that_waits_for_the_first_open_opens_once_it_has_ended(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, acquire = threading.Event(), opening.acquire

    def held(*arguments: Any) -> Any:
        go_on.wait(5)
        return acquire(*arguments)

    monkeypatch.setattr(opening, "acquire", held)
    db = AsyncDictSQLite(tmp_path / "a.db", backend=backend)
    calls = [db.aset("k", 1), db.aclose(), db.aopen()]
    go_on.set()
    assert [await outcome(call) for call in calls] == [None, None, db]
    await asyncio.sleep(0.1)
    assert await outcome(db.aget("k")) == 1
    await db.aclose()


@every_backend
@in_a_loop
async def test_the_views_of_a_table_whose_drop_failed_go_on(backend: str, tmp_path: Path) -> None:
    async with AsyncDictSQLite(tmp_path / "a.db", backend=backend) as db:
        view = db.table("x")
        await view.aset("a", 1)
        await db.aflush()
        db._engine.inject(writer_fault=(1, "full"))
        assert isinstance(await outcome(db.adrop_table("x")), DiskFullError)
        assert await outcome(view.aget("a")) == 1
        assert await outcome(view.aset("b", 2)) is None


# ---- fork -----------------------------------------------------------------------------------------------

FORK_WHILE_IT_OPENS = """
import asyncio, os, signal, sys, threading
from asyncdictsqlite import AsyncDictSQLite, ForkedError, opening

opens, go_on, acquire = threading.Event(), threading.Event(), opening.acquire

def held(*arguments):
    opens.set()
    go_on.wait(5)
    return acquire(*arguments)

opening.acquire = held
db = AsyncDictSQLite(sys.argv[1], backend=sys.argv[2])
view = db.table("t")

async def main():
    db.aset("k", 1)
    opens.wait(5)

asyncio.run(main())
pid = os.fork()
if pid == 0:
    signal.alarm(5)
    refused = 0
    for store in (db, view):
        try:
            store.get("k")
        except ForkedError:
            refused += 1
    os._exit(refused)
go_on.set()
print("refused", os.WEXITSTATUS(os.waitpid(pid, 0)[1]))
print("parent", db.get("k"))
db.close()
"""


@every_backend
def test_a_child_forked_while_a_store_opens_is_refused_and_the_parent_goes_on(backend: str, tmp_path: Path) -> None:
    assert child(FORK_WHILE_IT_OPENS, tmp_path / "a.db", backend).split() == ["refused", "2", "parent", "1"]
