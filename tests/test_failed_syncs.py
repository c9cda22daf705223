"""After a sync that failed: who is told, what stops, and how a store opens again."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any, List, Tuple

import pytest

from asyncdictsqlite import AsyncDictSQLite, DiskFullError, DurabilityUnknownError, StateError
from tests.stores import every_backend, in_a_loop, outcome

pytestmark = pytest.mark.timeout(20)

OUTCOMES_OF_A_STOP = (DurabilityUnknownError, StateError)


async def open_store(path: Path, backend: str, **options: Any) -> AsyncDictSQLite:
    """Open a store that holds k = 1, saved."""
    db = await AsyncDictSQLite(path, backend=backend, **options).aopen()
    await db.aset("k", 1)
    await db.aflush()
    return db


async def stopped_store(path: Path, backend: str) -> AsyncDictSQLite:
    db = await open_store(path, backend, persist_mode="writethrough")
    db._engine.inject(writer_fault=(1, "sync"))
    assert isinstance(await outcome(db.aset("k", 2)), DurabilityUnknownError)
    return db


@every_backend
@pytest.mark.parametrize(
    "options", [{"persist_mode": "lazy"}, {"persist_mode": "writethrough", "synchronous": "normal"}], ids=str
)
@in_a_loop
async def test_a_flush_behind_a_failed_sync_fails_too(backend: str, options: Any, tmp_path: Path) -> None:
    db = await open_store(tmp_path / "a.db", backend, **options)
    await db.aset("k", 2)
    db._engine.inject(writer_fault=(1, "sync"))
    first, second = db.aflush(), db.aflush()
    assert isinstance(await outcome(first), DurabilityUnknownError)
    assert isinstance(await outcome(second), OUTCOMES_OF_A_STOP)
    await db.aclose()


async def stopped_while_a_pop_waits(path: Path, backend: str) -> Tuple[AsyncDictSQLite, Any]:
    """Stop a lazy store while a pop waits for its cold key; return both."""
    db = await open_store(path, backend, capacity=0, flush_interval=0.02)
    db._engine.inject(reader_delay_s=0.4, writer_fault=(1, "sync"), seed=3)
    await db.aset("other", 1)
    pop: Any = db.apop("k")
    while db.stats()["state"] == "open":
        await asyncio.sleep(0.01)
    assert not pop.done()
    return db, pop


@every_backend
@in_a_loop
async def test_a_call_that_waits_for_a_cold_key_fails_once_the_engine_has_stopped(backend: str, tmp_path: Path) -> None:
    db, pop = await stopped_while_a_pop_waits(tmp_path / "a.db", backend)
    assert isinstance(await outcome(pop), OUTCOMES_OF_A_STOP)
    await db.aclose()


@every_backend
@in_a_loop
async def test_a_store_that_stopped_while_a_cold_call_waited_opens_again(backend: str, tmp_path: Path) -> None:
    db, pop = await stopped_while_a_pop_waits(tmp_path / "a.db", backend)
    await outcome(pop)
    await asyncio.sleep(0.1)  # the writer goes on to what the pop may have queued
    assert await outcome(db.aopen()) is db
    assert await outcome(db.aget("k")) == 1
    await db.aclose()


@every_backend
@in_a_loop
async def test_a_failed_sync_stops_the_engine_also_when_a_table_is_created(backend: str, tmp_path: Path) -> None:
    db = await open_store(tmp_path / "a.db", backend)
    db._engine.inject(writer_fault=(1, "sync"))
    assert isinstance(await outcome(db.table("x").aset("a", 1)), DurabilityUnknownError)
    assert db.stats()["state"] == "stopped"
    await db.aclose()


@every_backend
@in_a_loop
async def test_a_failed_sync_stops_the_engine_also_when_a_table_is_dropped(backend: str, tmp_path: Path) -> None:
    db = await open_store(tmp_path / "a.db", backend)
    await db.table("x").aset("a", 1)
    await db.aflush()
    db._engine.inject(writer_fault=(1, "sync"))
    assert isinstance(await outcome(db.adrop_table("x")), DurabilityUnknownError)
    assert db.stats()["state"] == "stopped"
    await db.aclose()


@every_backend
@in_a_loop
async def test_a_reopening_that_failed_can_be_tried_again(backend: str, tmp_path: Path) -> None:
    db = await stopped_store(tmp_path / "a.db", backend)
    file: Any = db._source.file
    factory = file.factory

    def broken(opening: Any) -> Any:
        raise OSError("not now")

    file.factory = broken
    assert isinstance(await outcome(db.aopen()), OSError)
    file.factory = factory
    assert await outcome(db.aopen()) is db
    assert await outcome(db.aget("k")) in (1, 2)
    await db.aclose()


@every_backend
@in_a_loop
async def test_many_reopenings_at_once_make_one_engine_and_all_wait_for_it(backend: str, tmp_path: Path) -> None:
    db = await stopped_store(tmp_path / "a.db", backend)
    file: Any = db._source.file
    factory, made = file.factory, []

    def slow(opening: Any) -> Any:
        made.append(opening)
        time.sleep(0.1)
        return factory(opening)

    file.factory = slow

    async def reopen_and_read() -> Any:
        await db.aopen()
        return await outcome(db.aget("k"))

    assert set(await asyncio.gather(*(reopen_and_read() for _ in range(4)))) <= {1, 2}
    assert len(made) == 1
    await db.aclose()


@every_backend
@in_a_loop
async def test_a_view_that_was_not_open_opens_a_stopped_store_again(backend: str, tmp_path: Path) -> None:
    db = await stopped_store(tmp_path / "a.db", backend)
    view = db.table("x")
    assert await outcome(view.aopen()) is view
    assert await outcome(view.aset("a", 1)) is None
    assert await outcome(db.aset("k", 3)) is None
    await db.aclose()


@every_backend
@in_a_loop
async def test_each_call_of_a_group_that_failed_has_an_exception_of_its_own(backend: str, tmp_path: Path) -> None:
    db = await open_store(tmp_path / "a.db", backend, persist_mode="writethrough")
    db._engine.inject(writer_fault=(1, "full"), commit_after=3)
    errors = await asyncio.gather(*(outcome(db.aset("k", i)) for i in range(3)))
    db._engine.inject()
    assert {type(error) for error in errors} == {DiskFullError}
    assert len({id(error) for error in errors}) == 3
    await db.aclose()


@every_backend
@in_a_loop
async def test_a_close_whose_sync_failed_leaves_no_descriptor(backend: str, tmp_path: Path) -> None:
    db = await open_store(tmp_path / "failing.db", backend)
    await db.aset("k", 2)
    db._engine.inject(writer_fault=(1, "sync"))
    assert isinstance(await outcome(db.aclose()), DurabilityUnknownError)
    assert open_descriptors("failing.db") == []


def open_descriptors(name: str) -> List[str]:
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except FileNotFoundError:  # that of the listing
            continue
    return [path for path in found if name in path]


@every_backend
@in_a_loop
async def test_a_refusal_does_not_collect_the_frames_of_all_who_were_refused(backend: str, tmp_path: Path) -> None:
    db = await stopped_store(tmp_path / "a.db", backend)
    lengths = []
    for _ in range(3):
        error, frames = await outcome(db.aget("k")), 0
        traceback = error.__traceback__
        while traceback is not None:
            frames, traceback = frames + 1, traceback.tb_next
        lengths.append(frames)
    assert len(set(lengths)) == 1
    await db.aclose()
