"""Sections 1 and 3: the order of calls, and what a read sees before and after an acknowledgement."""

from __future__ import annotations

import asyncio
from typing import List

from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, on_threads, same, until

_HELD = frozenset({Capability.WRITETHROUGH, Capability.SWITCHES})


@check("1.68")
async def order_is_the_order_of_the_calls(bench: Bench) -> None:
    """Mixed calls on one key, none awaited in between, answer as dict would in that order."""
    for db in bench.stores():
        await db.aopen()
        calls = [
            db.asetdefault("k", 1), db.asetdefault("k", 2), db.apop("k"), db.adelete("k"), db.aset("k", 3),
            db.apop("k", 0), db.apop("k", 4), db.abatch_set({"k": 5, "j": 6}), db.abatch_delete(["j", "k", "i"]),
            db.asetdefault("k", 7), db.aclear(), db.asetdefault("k", 8), db.adelete("k"), db.aupdate(k=9),
        ]  # fmt: skip
        wanted = [1, 1, 1, False, None, 3, 4, None, 2, 7, None, 8, True, None]
        equal(await asyncio.gather(*calls), wanted)
        same(await db.aget("k"), 9)
        equal(dict(db.items()), {"k": 9})


@check("1.68", needs=_HELD)
async def order_within_one_commit(bench: Bench) -> None:
    """The calls of one commit see the effect of earlier ones in it, in the order of the calls."""
    db = await bench.open(persist_mode="writethrough").aopen()
    bench.inject(db, commit_after=10)
    before = db.stats()["commits"]
    calls = [
        db.aset("b", 1), db.aset("a", 1), db.asetdefault("a", 2), db.apop("b"), db.adelete("b"), db.asetdefault("b", 3),
        db.aclear(), db.asetdefault("a", 4), db.aset("c", 5), db.apop("c"),
    ]  # fmt: skip
    equal(await asyncio.gather(*calls), [None, None, 1, 1, False, 3, None, 4, None, 5])
    equal(db.stats()["commits"] - before, 1)
    bench.inject(db)
    equal(dict(db.items()), {"a": 4})
    equal([await db.aget(key) for key in "abc"], [4, None, None])


@check("1.69", needs=_HELD)
async def writethrough_shows_what_is_committed(bench: Bench) -> None:
    """Before a write is acknowledged a read returns the committed value, also to its writer; afterwards the new one."""
    db = await bench.open(persist_mode="writethrough").aopen()
    await db.abatch_set({"k": "old", "d": "old"})
    bench.inject(db, commit_after=4)
    writes = [db.aset("k", "new"), db.aset("fresh", "new"), db.adelete("d")]
    for _ in range(3):
        same(
            [await db.aget("k"), db.get("k"), await db.aget("fresh"), await db.acontains("d")],
            ["old", "old", None, True],
        )
        same(await db.abatch_get(["k", "fresh", "d"]), ["old", None, "old"])
        equal([key async for key in db], ["d", "k"])
        await asyncio.sleep(0.01)
    assert not any(write.done() for write in writes), "acknowledged without a commit"  # type: ignore[attr-defined]
    await asyncio.gather(*writes, db.aset("last", 1))
    same(
        [await db.aget("k"), db.get("k"), await db.aget("fresh"), await db.acontains("d")], ["new", "new", "new", False]
    )


@check("1.69", "3.2")
async def lazy_and_memory_show_the_new_value_at_once(bench: Bench) -> None:
    """In lazy and memory a read called after a write returns the new value, before the write is awaited."""
    for mode in bench.persist_modes:
        if mode == "writethrough":
            continue
        db = await bench.open(f"{mode}.db", persist_mode=mode, flush_interval=60.0).aopen()
        await db.abatch_set({"k": "old", "d": 1})
        calls = [db.aset("k", "new"), db.aget("k"), db.adelete("d"), db.aget("d"), db.abatch_get(["k", "d"]), db.alen()]
        equal(await asyncio.gather(*calls), [None, "new", True, None, ["new", None], 1])


@check("3.14", "1.69", needs=_HELD)
async def nobody_learns_of_a_commit_before_it_shows(bench: Bench) -> None:
    """Whoever sees that a write is done, by done(), await or wait on any thread, reads its value."""
    db = await bench.open(persist_mode="writethrough").aopen()
    bench.inject(db, writer_delay_s=0.003, seed=bench.seed)
    for number in range(25):
        write = db.aset("k", number)
        seen: List[object] = []

        def poll(_: int, write: object = write, seen: List[object] = seen) -> object:
            while not write.done():  # type: ignore[attr-defined]
                seen.append(db.get("k"))
            return db.get("k")

        equal(await on_threads(2, poll), [number, number])
        same(await db.aget("k"), number)
        assert set(seen) <= {None, number - 1, number}, f"{set(seen)} while {number} was written"


@check("1.68", "1.58", needs={Capability.SEVERAL_LOOPS})
async def each_thread_keeps_its_order(bench: Bench) -> None:
    """Calls of one thread keep their order whatever other threads do."""
    for db in bench.stores():

        def use(number: int) -> None:
            calls = [db.aset(f"k{number}", i) for i in range(50)]  # noqa: B023
            for call in calls:
                call.wait()  # type: ignore[attr-defined]

        await on_threads(5, use)
        equal([db.get(f"k{number}") for number in range(5)], [49] * 5)


@check("3.12", needs={Capability.WRITETHROUGH, Capability.GROUP_COMMIT, Capability.SWITCHES})
async def waiting_writes_share_a_commit(bench: Bench) -> None:
    """commit_after=k: one commit carries exactly k waiting calls; a batch counts as one."""
    db = await bench.open(persist_mode="writethrough").aopen()
    bench.inject(db, commit_after=4)
    before = db.stats()
    await asyncio.gather(*(db.aset(f"k{i}", i) for i in range(11)), db.abatch_set({f"b{i}": i for i in range(50)}))
    after = db.stats()
    equal(after["commits"] - before["commits"], 3)
    bench.inject(db)
    equal(await db.alen(), 61)


@check("3.12", needs={Capability.WRITETHROUGH, Capability.GROUP_COMMIT, Capability.SWITCHES})
async def buffer_size_bounds_a_commit(bench: Bench) -> None:
    """At most buffer_size calls share one commit; buffer_size=1 gives each call a commit of its own."""
    for buffer_size, commits in ((1, 20), (5, 4)):
        db = await bench.open(f"{buffer_size}.db", persist_mode="writethrough", buffer_size=buffer_size).aopen()
        bench.inject(db, writer_delay_s=0.01, seed=bench.seed)
        before = db.stats()["commits"]
        await asyncio.gather(*(db.aset(f"k{i}", i) for i in range(20)))
        assert db.stats()["commits"] - before >= commits, f"{db.stats()['commits'] - before} commits"
        before = db.stats()["commits"]
        await db.abatch_set({f"k{i}": 1 for i in range(50)})
        equal(db.stats()["commits"] - before, 1)


@check("3.12", needs={Capability.WRITETHROUGH, Capability.GROUP_COMMIT})
async def sixty_four_writers_share_commits(bench: Bench) -> None:
    """64 concurrent writers need fewer commits than writes."""
    db = await bench.open(persist_mode="writethrough").aopen()
    before = db.stats()["commits"]
    for number in range(4):
        await asyncio.gather(*(db.aset(f"k{i}", number) for i in range(64)))
    commits = db.stats()["commits"] - before
    assert commits <= 128, f"{commits} commits for 256 concurrent writes"
    equal(set(await db.abatch_get([f"k{i}" for i in range(64)])), {3})


@check("1.69", needs=_HELD)
async def an_unacknowledged_write_is_not_iterated(bench: Bench) -> None:
    """len and iteration see what a read would see."""
    db = await bench.open(persist_mode="writethrough").aopen()
    await db.aset("a", 1)
    bench.inject(db, commit_after=2)
    first = db.aset("b", 2)
    equal((list(db), len(db)), (["a"], 1))
    await asyncio.gather(first, db.aset("c", 3))
    equal((list(db), len(db)), (["a", "b", "c"], 3))
    await until(lambda: db.stats()["commits"] >= 2)
