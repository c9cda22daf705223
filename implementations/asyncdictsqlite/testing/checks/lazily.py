"""Section 3: lazy."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Dict, List

from ... import FlushFailedError
from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, faces, raises, same, until

_LAZY = frozenset({Capability.LAZY})
_FAULTS = frozenset({Capability.LAZY, Capability.SWITCHES})


@check("3.2", "1.34", needs=_LAZY)
async def lazy_writes_wait_for_the_flush(bench: Bench) -> None:
    """A lazy write is acknowledged without a commit, counted as unsaved, and saved by a flush."""
    db = await bench.open(persist_mode="lazy", flush_interval=60.0).aopen()
    await db.aset("first", 1)
    await db.aflush()
    before = db.stats()
    await db.abatch_set({f"k{i}": i for i in range(10)})
    await db.aset("k0", "again")
    await db.adelete("k1")
    stats = db.stats()
    assert stats["unsaved"] >= 10 and stats["unsaved_bytes"] > 0, f"{stats['unsaved']} unsaved"
    equal(stats["commits"], before["commits"])
    await db.aflush()
    after = db.stats()
    equal((after["unsaved"], after["unsaved_bytes"], after["commits"] - before["commits"]), (0, 0, 1))
    await db.aflush()
    equal(db.stats()["commits"], after["commits"])


@check("3.11", "3.2", needs=_LAZY)
async def lazy_is_there_after_close_and_reopen(bench: Bench) -> None:
    """Close flushes: everything acknowledged is there after a reopen, deletes and clears included."""
    db = bench.open(persist_mode="lazy", flush_interval=60.0)
    wanted: Dict[str, object] = {}
    for round_ in range(3):
        await db.abatch_set({f"k{i}": (round_, i) for i in range(50)})
        wanted.update({f"k{i}": (round_, i) for i in range(50)})
        equal(await db.abatch_delete(["k1", "k2", "nothing"]), 2)
        same(await db.apop("k3"), (round_, 3))
        for key in ("k1", "k2", "k3"):
            del wanted[key]
        await db.aclose()
        db = bench.open(persist_mode="lazy", flush_interval=60.0)
        equal(dict(db.items()), wanted)
    await db.aclear()
    await db.aset("new", 1)
    await db.aclose()
    equal(dict(bench.open(persist_mode="lazy").items()), {"new": 1})


@check("3.3", needs=_LAZY)
async def lazy_flushes_by_itself(bench: Bench) -> None:
    """A flush starts flush_interval after the first unsaved write, or when max_unsaved or its bytes are reached."""
    limits: List[Dict[str, Any]] = [{"flush_interval": 0.02}, {"max_unsaved": 5}, {"max_unsaved_bytes": 100}]
    for number, limit in enumerate(limits):
        db = bench.open(f"{number}.db", persist_mode="lazy", **{"flush_interval": 60.0, **limit})
        for i in range(6):
            await db.aset(f"k{i}", "x" * 50)
        await until(lambda: db.stats()["unsaved"] < 5 and db.stats()["commits"] > 0)  # noqa: B023


@check("3.19", "3.3", needs=_FAULTS)
async def lazy_waits_at_the_limit(bench: Bench) -> None:
    """At twice max_unsaved (or its bytes) aset waits for a flush; nothing is dropped, and all of them end."""
    for options in ({"max_unsaved": 10}, {"max_unsaved_bytes": 10 * 150}):
        db = bench.open(f"{min(options)}.db", persist_mode="lazy", storage_mode="bytes", flush_interval=60.0, **options)  # type: ignore[arg-type]
        await db.aopen()
        bench.inject(db, writer_delay_s=0.3, seed=bench.seed)
        before = db.stats()["commits"]
        writes = [asyncio.ensure_future(db.aset(f"k{i:03}", b"x" * 140)) for i in range(200)]
        most = 0
        while db.stats()["commits"] == before:
            acknowledged = sum(write.done() for write in writes)
            if db.stats()["commits"] == before:
                most = max(most, acknowledged)
            await asyncio.sleep(0.001)
        assert 0 < most <= 20, f"{most} acknowledged before the first flush"
        bench.inject(db)
        await asyncio.gather(*writes)
        equal(set(await db.abatch_get([f"k{i:03}" for i in range(200)])), {b"x" * 140})
        db.batch_set({f"b{i}": b"" for i in range(100)})
        await db.aclose()
        again = bench.open(f"{min(options)}.db", persist_mode="lazy", storage_mode="bytes")
        equal(await again.alen(), 300)


@check("3.19", "3.18", "3.3", needs=_FAULTS)
async def a_failed_flush_makes_no_room(bench: Bench) -> None:
    """What a failed flush kept still counts at the limit: no write beyond it is acknowledged before a flush applied."""
    db = await bench.open(persist_mode="lazy", flush_interval=60.0, max_unsaved=10).aopen()
    await db.aset("first", 1)
    await db.aflush()
    bench.inject(db, writer_fault=(1, "full"))
    before = db.stats()["commits"]
    writes = [asyncio.ensure_future(db.aset(f"k{i:03}", i)) for i in range(100)]
    most = 0
    while db.stats()["commits"] == before:
        acknowledged = sum(write.done() and write.exception() is None for write in writes)
        if db.stats()["commits"] == before:
            most = max(most, acknowledged)
        await asyncio.sleep(0.001)
    assert 0 < most <= 20, f"{most} acknowledged before a flush applied"
    results = await asyncio.gather(*writes, return_exceptions=True)
    lost = [f"k{i:03}" for i, result in enumerate(results) if result is not None]
    equal({type(result) for result in results} - {type(None)} - {FlushFailedError}, set())
    with contextlib.suppress(FlushFailedError):  # told once, if no write was told
        await db.aflush()
    await db.aflush()
    equal(await db.alen(), 101 - len(lost))


@check("3.19", needs=_LAZY)
async def overwrites_count_at_the_limit(bench: Bench) -> None:
    """One key written again and again stays within the limit of unsaved operations, and the last value wins."""
    db = bench.open(persist_mode="lazy", max_unsaved=5, flush_interval=60.0)
    await db.aset("k", 0)
    before = db.stats()["commits"]
    await asyncio.gather(*(db.aset("k", i) for i in range(100)))
    await until(lambda: db.stats()["commits"] > before)
    for i in range(100):
        db.set("j", i)
    equal(await db.abatch_get(["k", "j"]), [99, 99])
    await db.aclose()
    equal(dict(bench.open(persist_mode="lazy").items()), {"j": 99, "k": 99})


@check("3.19", "3.21", "4.1", needs=_LAZY)
async def unsaved_entries_are_never_evicted(bench: Bench) -> None:
    """With a tiny capacity unsaved values, and unsaved deletes of saved ones, are what reads see."""
    for capacity in (0, 1, 3):
        db = bench.open(f"{capacity}.db", persist_mode="lazy", capacity=capacity, flush_interval=60.0)
        await db.abatch_set({f"k{i}": "saved" for i in range(20)})
        await db.aflush()
        await asyncio.gather(
            *(db.aset(f"k{i}", i) for i in range(10)), db.abatch_delete([f"k{i}" for i in range(10, 15)])
        )
        for _ in range(2):
            for i in bench.random.sample(range(20), 20):
                same(await db.aget(f"k{i}"), i if i < 10 else None if i < 15 else "saved")
        equal(await db.alen(), 15)


@check("3.18", "6.2", "6.3", needs=_FAULTS)
async def a_failed_flush_keeps_and_tells(bench: Bench) -> None:
    """A flush that did not apply keeps its entries and is tried again; aflush raises FlushFailedError once."""
    for kind in ("full", "locked", "io"):
        db = await bench.open(f"{kind}.db", persist_mode="lazy", flush_interval=60.0).aopen()
        await db.aset("k", "saved")
        await db.aflush()
        await db.aset("k", "unsaved")
        bench.inject(db, writer_fault=(1, kind))
        with raises(FlushFailedError) as caught:
            await db.aflush()
        equal((caught.error.applied, caught.error.temporary), (False, True))
        assert db.stats()["last_error"], "stats must hold the error"
        same(await db.aget("k"), "unsaved")
        await db.aflush()
        equal(db.stats()["unsaved"], 0)
        await db.aclose()
        same(await bench.open(f"{kind}.db", persist_mode="lazy").aget("k"), "unsaved")


@check("3.18", needs=_FAULTS)
async def a_failed_flush_of_its_own_is_told_by_the_next_write(bench: Bench) -> None:
    """After a background flush failed the next aset raises FlushFailedError once, not applied; the retry saves."""
    for number, call_ in enumerate(("set", "flush", "close")):
        db = await bench.open(f"{number}.db", persist_mode="lazy", flush_interval=0.01).aopen()
        await db.aset("first", 0)
        await db.aflush()
        bench.inject(db, writer_fault=(1, "full"))
        await db.aset("k", 1)
        await until(lambda: db.stats()["last_error"])  # noqa: B023
        for call in faces(db)[:1]:
            with raises(FlushFailedError):
                await call(call_, *(("other", 2) if call_ == "set" else ()))
        same([await db.aget("k"), await db.aget("other")], [1, None])
        await db.aset("other", 3)
        await until(lambda: db.stats()["unsaved"] == 0)  # noqa: B023
        await db.aclose()
        equal(dict(bench.open(f"{number}.db", persist_mode="lazy").items()), {"first": 0, "k": 1, "other": 3})


@check("3.18", "3.16", needs=_FAULTS)
async def a_failed_flush_at_close_leaves_the_store_open(bench: Bench) -> None:
    """aclose whose flush did not apply raises FlushFailedError; the store and its views stay open and lose nothing."""
    db = await bench.open(persist_mode="lazy", flush_interval=60.0).aopen()
    view = db.table("other")
    await asyncio.gather(db.aset("k", 1), view.aset("k", 2))
    bench.inject(db, writer_fault=(1, "full"))
    with raises(FlushFailedError):
        await db.aclose()
    same([await db.aget("k"), await view.aget("k")], [1, 2])
    await db.aclose()
    again = bench.open(persist_mode="lazy")
    same([await again.aget("k"), await again.table("other").aget("k")], [1, 2])


@check("4.1", "3.19", needs=_FAULTS)
async def a_key_written_during_a_flush_stays_unsaved(bench: Bench) -> None:
    """What is written while a flush runs is saved by the next one, whatever is evicted in between."""
    db = await bench.open(persist_mode="lazy", capacity=1, flush_interval=60.0).aopen()
    bench.inject(db, writer_delay_s=0.02, seed=bench.seed)
    for number in range(15):
        await db.abatch_set({"a": number, "b": number})
        flushing = db.aflush()
        await asyncio.sleep(bench.random.random() * 0.02)
        await db.abatch_set({"b": -number, "c": number})
        await flushing
        for key in ("x", "y"):
            await db.aget(key)
        equal(await db.abatch_get(["a", "b", "c"]), [number, -number, number])
    await db.aclose()
    equal(dict(bench.open(persist_mode="lazy").items()), {"a": 14, "b": -14, "c": 14})


@check("1.72", "1.68", "4.1", needs=_FAULTS)
async def cold_keys_come_home_first(bench: Bench) -> None:
    """pop, setdefault and delete of a cold key wait for it, and later calls on that key come after them."""
    db = await bench.open(persist_mode="lazy", capacity=2, flush_interval=60.0).aopen()
    await db.abatch_set({f"k{i}": i for i in range(30)})
    await db.aflush()
    bench.inject(db, reader_delay_s=0.005, seed=bench.seed)
    for i in range(0, 30, 3):
        key = f"k{i}"
        calls = [
            db.apop(key), db.aset(key, "new"), db.aget(key), db.adelete(key), db.asetdefault(key, "again"),
            db.adelete("no"), db.abatch_delete([key, f"k{i + 1}"]), db.aget(f"k{i + 1}"), db.apop(key, "gone"),
        ]  # fmt: skip
        equal(await asyncio.gather(*calls), [i, None, "new", True, "again", False, 2, None, "gone"])
    equal(sorted(db.values()), list(range(2, 30, 3)))


@check("1.15", "4.1", "1.68", needs=_FAULTS)
async def clear_masks_the_file(bench: Bench) -> None:
    """After aclear, before its flush, what the file still holds is not seen, by any path."""
    db = await bench.open(persist_mode="lazy", capacity=2, flush_interval=60.0).aopen()
    await db.abatch_set({f"k{i}": "old" for i in range(10)})
    await db.aflush()
    bench.inject(db, reader_delay_s=0.003, writer_delay_s=0.01, seed=bench.seed)
    reading = db.aget("k5")
    calls = [
        db.aclear(),
        db.aget("k1"),
        db.apop("k2", "no"),
        db.asetdefault("k3", "new"),
        db.adelete("k4"),
        db.abatch_get(["k3", "k5"]),
    ]
    equal(await asyncio.gather(*calls), [None, None, "no", "new", False, ["new", None]])
    assert await reading in ("old", None), "a read must give an old or a new state"
    equal((dict(db.items()), await db.alen()), ({"k3": "new"}, 1))
    await db.aclose()
    equal(dict(bench.open(persist_mode="lazy").items()), {"k3": "new"})
