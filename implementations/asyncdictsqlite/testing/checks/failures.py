"""Section 3: failures of the disk and of worker threads, by the engine's switches."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, List, Type

from ... import (
    AsyncDictSQLite,
    CorruptError,
    DiskFullError,
    DurabilityUnknownError,
    LockedError,
    StateError,
    StorageError,
)
from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, faces, raises, same

_FAULTS = frozenset({Capability.WRITETHROUGH, Capability.SWITCHES})
_KINDS: Dict[str, Type[StorageError]] = {
    "full": DiskFullError,
    "locked": LockedError,
    "io": StorageError,
    "corrupt": CorruptError,
}

_WRITES: List[Any] = [
    ("set", ("k", "new")), ("delete", ("gone",)), ("pop", ("k",)), ("setdefault", ("new", 1)), ("clear", ()),
    ("batch_set", ({"k": 1, "new": 1},)), ("batch_delete", (["k"],)),
]  # fmt: skip


async def _store(bench: Bench, name: str = "store.db", **options: Any) -> AsyncDictSQLite:
    db = bench.open(name, persist_mode="writethrough", **options)
    await db.abatch_set({"k": "old", "gone": "old"})
    return db


@check("3.16", "6.2", "6.3", needs=_FAULTS)
async def what_did_not_apply_leaves_the_old_value(bench: Bench) -> None:
    """A write that failed and was not applied says so; the old value stays, in memory and file; the store works."""
    for kind, error in _KINDS.items():
        for capacity in (0, 100):
            db = await _store(bench, f"{kind}{capacity}.db", capacity=capacity)
            for call in faces(db):
                for name, arguments in _WRITES:
                    bench.inject(db, writer_fault=(1, kind))
                    with raises(error, f"{kind}{capacity}.db") as caught:
                        await call(name, *arguments)
                    equal(caught.error.applied, False)
                    same(await db.abatch_get(["k", "gone", "new"]), ["old", "old", None])
            equal(DiskFullError.temporary and LockedError.temporary, True)
            equal(dict(db.items()), {"gone": "old", "k": "old"})
            await db.aset("k", "new")
            same(await db.aget("k"), "new")
            assert db.stats()["last_error"], "stats must hold the last error"


@check("3.16", "3.12", needs=_FAULTS)
async def a_failed_commit_fails_its_whole_group_and_no_other(bench: Bench) -> None:
    """A failed commit fails each of its calls; the calls after it are not touched."""
    db = await _store(bench)
    bench.inject(db, commit_after=5, writer_fault=(1, "full"))
    results = await asyncio.gather(*(db.aset(f"k{i}", i) for i in range(10)), return_exceptions=True)
    bench.inject(db)
    equal([type(one) for one in results], [DiskFullError] * 5 + [type(None)] * 5)
    equal(dict(db.items(prefix="k")), {"k": "old", **{f"k{i}": i for i in range(5, 10)}})
    equal(await db.abatch_get([f"k{i}" for i in range(10)]), [None] * 5 + list(range(5, 10)))


@check("3.17", "6.2", "6.3", needs=_FAULTS)
async def a_failed_sync_stops_the_store(bench: Bench) -> None:
    """A failed sync is a DurabilityUnknownError to every member of the group; the store stops until aopen."""
    db = await _store(bench)
    view = db.table("other")
    await view.aset("v", 1)
    bench.inject(db, commit_after=4, writer_fault=(1, "sync"))
    calls = [db.aset("k", "new"), db.aset("fresh", 1), view.aset("v", 2), db.adelete("gone")]
    for error in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(error, DurabilityUnknownError), f"{error!r} instead of DurabilityUnknownError"
        equal(error.applied, None)
    equal(db.stats()["state"], "stopped")
    for call in (*faces(db), *faces(view)):
        for name, arguments in (
            ("get", ("k",)),
            ("set", ("k", 1)),
            ("contains", ("k",)),
            ("flush", ()),
            ("batch_get", (["k"],)),
        ):
            if name == "contains" and call in (faces(db)[1], faces(view)[1]):
                continue
            with raises(StateError, "aopen"):
                await (db.acontains("k") if name == "contains" else call(name, *arguments))
    assert await db.aopen() is db, "aopen must give the store"
    equal((db.stats()["state"], db.stats()["entries"]), ("open", 0))
    assert await db.aget("k") in ("old", "new"), "the value must be the old or the new one"
    assert await view.aget("v") in (1, 2), "the views of the store must go on"
    await db.aset("k", "works")
    await db.aclose()
    same(await bench.open(persist_mode="writethrough").aget("k"), "works")


@check("3.17", "5.2", "5.6", needs=_FAULTS)
async def a_stopped_store_can_be_closed(bench: Bench) -> None:
    """A store that a failed sync has stopped closes without a hang and opens again."""
    db = await _store(bench)
    bench.inject(db, writer_fault=(1, "sync"))
    with raises(DurabilityUnknownError):
        await db.aset("k", "new")
    await db.aclose()
    await db.aopen()
    assert await db.aget("k") in ("old", "new"), "the value must be the old or the new one"


@check("3.17", needs={Capability.LAZY, Capability.SWITCHES})
async def a_failed_sync_of_a_lazy_flush_stops_the_store(bench: Bench) -> None:
    """lazy: a failed sync in a flush is a DurabilityUnknownError, and the store stops likewise."""
    db = bench.open(persist_mode="lazy", flush_interval=60.0)
    await db.aset("k", "old")
    await db.aflush()
    await db.aset("k", "new")
    bench.inject(db, writer_fault=(1, "sync"))
    with raises(DurabilityUnknownError):
        await db.aflush()
    with raises(StateError, "aopen"):
        await db.aset("k", 1)
    await db.aopen()
    assert await db.aget("k") in ("old", "new"), "the value must be the old or the new one"
    await db.aset("k", "works")
    await db.aflush()
    same(await db.aget("k"), "works")


@check("3.16", "3.22", "6.1", needs=_FAULTS)
async def a_failed_read_fails_its_callers_alone(bench: Bench) -> None:
    """A read that fails on the disk raises its error and leaves the store usable; the next read is right."""
    for kind, error in {**_KINDS, "panic": StorageError}.items():
        db = await _store(bench, f"{kind}.db", capacity=0)
        for call in faces(db):
            for name, arguments in (("get", ("k",)), ("batch_get", (["k", "gone"],))):
                bench.inject(db, reader_fault=(1, kind))
                try:
                    with raises(error):
                        await call(name, *arguments)
                except AssertionError as unexpected:
                    raise AssertionError(f"reader {kind}: {unexpected}") from unexpected
                same(await call("get", "k"), "old")
        await db.aset("k", "new")
        same(await db.aget("k"), "new")


@check("3.22", needs=_FAULTS)
async def a_panic_in_the_writer_fails_who_waits(bench: Bench) -> None:
    """A panic in the writer fails its waiters with a StorageError; nobody hangs; the store works after aopen."""
    for n in (1, 2):
        db = await _store(bench, f"{n}.db")
        bench.inject(db, commit_after=3, writer_fault=(n, "panic"))
        results = await asyncio.gather(*(db.aset(f"n{i}", i) for i in range(3 * n)), return_exceptions=True)
        failed = results[-3:]
        assert all(isinstance(one, (StorageError, StateError)) for one in failed), f"{failed} instead of StorageError"
        equal(results[:-3], [None] * (3 * n - 3))
        if db.stats()["state"] == "open":
            bench.inject(db)
        await db.aopen()
        await asyncio.gather(*(db.aset(f"n{i}", -i) for i in range(5)))
        equal(await db.abatch_get([f"n{i}" for i in range(5)]), [-i for i in range(5)])
        same(await db.aget("k"), "old")


@check("3.16", "4.1", needs=_FAULTS, seconds=20)
async def faults_among_many_writers(bench: Bench) -> None:
    """Faults at random among many writers and readers: who failed left no trace, who did not is there."""
    db = bench.open(persist_mode="writethrough", capacity=5)
    wanted: Dict[str, int] = {}

    async def write(key: str, value: int) -> None:
        try:
            await db.aset(key, value)
        except StorageError as error:
            equal(error.applied, False)
        else:
            wanted[key] = value
        same(await db.aget(key), wanted.get(key))

    for number in range(30):
        if db._engine is not None:
            bench.inject(db, writer_fault=(bench.random.randrange(1, 4), bench.random.choice(["full", "locked", "io"])))
        await asyncio.gather(*(write(f"k{i}", number) for i in range(10)))
    equal(dict(db.items()), dict(sorted(wanted.items())))
