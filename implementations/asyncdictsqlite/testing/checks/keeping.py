"""Sections 2 and 3: what memory keeps, and its bounds."""

from __future__ import annotations

import asyncio

from ... import CapacityExceededError
from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, faces, raises, same

_MEMORY = frozenset({Capability.MEMORY})


@check("3.21", "4.1")
async def capacity_bounds_the_entries(bench: Bench) -> None:
    """Memory keeps at most capacity entries; every read is right all the same."""
    for mode in bench.file_modes:
        for capacity in (0, 1, 10):
            db = bench.open(f"{mode}{capacity}.db", persist_mode=mode, capacity=capacity)
            for start in range(0, 100, 20):
                await asyncio.gather(*(db.aset(f"k{i}", i) for i in range(start, start + 20)))
            await db.aflush()
            for i in bench.random.sample(range(100), 100):
                same(await db.aget(f"k{i}"), i)
                assert db.stats()["entries"] <= capacity, f"{db.stats()['entries']} entries with capacity={capacity}"
            equal(await db.abatch_get([f"k{i}" for i in range(100)]), list(range(100)))
            assert db.stats()["entries"] <= capacity, "a batch went above the capacity"
            if capacity:
                assert db.stats()["evictions"] > 0, "nothing was evicted"


@check("3.21")
async def capacity_bytes_bounds_the_bytes(bench: Bench) -> None:
    """Memory keeps at most capacity_bytes: encoded length + key length + 120 per entry."""
    for mode in bench.file_modes:
        db = bench.open(f"{mode}.db", persist_mode=mode, storage_mode="bytes", capacity_bytes=10_000)
        await db.abatch_set({f"k{i:02}": bytes([i]) * 877 for i in range(50)})
        await db.aset("huge", b"x" * 20_000)
        await db.aflush()
        for i in bench.random.sample(range(50), 50):
            same(await db.aget(f"k{i:02}"), bytes([i]) * 877)
            stats = db.stats()
            assert stats["bytes"] <= 10_000 and stats["entries"] <= 10, (
                f"{stats['bytes']} bytes, {stats['entries']} entries"
            )
        same(await db.aget("huge"), b"x" * 20_000)
        assert db.stats()["bytes"] <= 10_000, "a value larger than the bound was kept"


@check("3.21", "1.22")
async def hot_entries_are_hits(bench: Bench) -> None:
    """What was read or written a moment ago is read from memory; bytes counts key, value and 120 per entry."""
    for db in bench.stores(storage_mode="bytes", capacity=100):
        await db.aset("key", b"12345")
        await db.aflush()
        before = db.stats()
        equal(before["bytes"], len("key") + 5 + 120)
        for _ in range(10):
            await db.aget("key")
        equal((db.stats()["hits"] - before["hits"], db.stats()["misses"] - before["misses"]), (10, 0))


@check("3.13", "6.2", "6.3", needs=_MEMORY)
async def a_full_memory_store_refuses(bench: Bench) -> None:
    """Memory mode at capacity: CapacityExceededError, nothing of the call applied; room comes by deleting."""
    db = bench.open(persist_mode="memory", capacity=3)
    await db.abatch_set({"a": 1, "b": 2})
    for call in faces(db):
        with raises(CapacityExceededError, "capacity=3") as caught:
            await call("batch_set", {"c": 3, "d": 4, "a": 9})
        assert issubclass(CapacityExceededError, MemoryError), "a CapacityExceededError is a MemoryError"
        equal((caught.error.applied, dict(db.items())), (False, {"a": 1, "b": 2}))
    await db.aset("c", 3)
    for call in faces(db):
        for name, arguments in (("set", ("d", 4)), ("setdefault", ("d", 4)), ("update", ({"d": 4},))):
            with raises(CapacityExceededError):
                await call(name, *arguments)
    await db.aset("a", 5)
    same(await db.asetdefault("b", 7), 2)
    await db.adelete("b")
    await db.aset("d", 4)
    equal(dict(db.items()), {"a": 5, "c": 3, "d": 4})
    with raises(CapacityExceededError):
        await db.table("other").aset("x", 1)


@check("3.13", "3.21", needs=_MEMORY)
async def memory_counts_bytes(bench: Bench) -> None:
    """Memory mode refuses by bytes as well, and a larger value for a key that is there counts its difference."""
    db = bench.open(persist_mode="memory", storage_mode="bytes", capacity_bytes=1000)
    await db.aset("a", b"x" * 500)
    with raises(CapacityExceededError):
        await db.aset("b", b"x" * 500)
    with raises(CapacityExceededError):
        await db.aset("a", b"x" * 2000)
    same(await db.aget("a"), b"x" * 500)
    await db.aset("a", b"")
    await db.aset("b", b"x" * 500)
    equal(await db.alen(), 2)


@check("3.13", needs=_MEMORY)
async def evict_forgets_the_coldest(bench: Bench) -> None:
    """evict=True never refuses, stays within capacity, and keeps what is read again and again."""
    db = bench.open(persist_mode="memory", capacity=10, evict=True)
    await db.abatch_set({"hot": "h"})
    for i in range(200):
        await db.aset(f"k{i}", i)
        same(await db.aget("hot"), "h")
        assert db.stats()["entries"] <= 10, f"{db.stats()['entries']} entries"
    same(await db.aget("k199"), 199)
    assert 1 < await db.alen() <= 10, "len must count what is kept"
    equal([key for key in db if await db.aget(key) is None], [])
