"""Sections 3 and 5: cancelled callers, loops that end, threads that end."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Dict, List

from ... import AsyncDictSQLite, ClosedError
from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, faces, on_threads, raises, same, until


@check("3.15", needs={Capability.WRITETHROUGH, Capability.SWITCHES})
async def a_timeout_withdraws_nothing(bench: Bench) -> None:
    """A write whose caller timed out or was cancelled is applied, and later calls come after it."""
    db = await bench.open(persist_mode="writethrough").aopen()
    for number in range(5):
        bench.inject(db, commit_after=2)
        with raises(asyncio.TimeoutError):
            await asyncio.wait_for(db.aset("k", ("late", number)), 0.005)
        same(await db.adelete("no"), False)  # the second call of the commit
        bench.inject(db)
        same(await db.aget("k"), ("late", number))
        bench.inject(db, commit_after=2)
        task = asyncio.ensure_future(db.abatch_set({"a": number, "b": number}))
        await asyncio.sleep(0)
        task.cancel()
        with raises(asyncio.CancelledError):
            await task
        same(await db.apop("a"), number)
        bench.inject(db)
        same(await db.abatch_get(["a", "b"]), [None, number])


@check("3.15")
async def cancelled_at_once(bench: Bench) -> None:
    """A task that is cancelled before its first step, or a coroutine that is closed, withdraws nothing."""
    for db in bench.stores():
        await db.aopen()
        for number in range(10):
            task = asyncio.ensure_future(db.aset("k", number))
            task.cancel()
            db.aset("j", number).close()
            await asyncio.gather(task, return_exceptions=True)
            same(await db.asetdefault("k", "lost"), number)
            same(await db.asetdefault("j", "lost"), number)


@check("3.15", "4.1", "5.1", seconds=25)
async def a_storm_of_cancellations(bench: Bench) -> None:
    """Half of all calls cancelled at random points: nothing hangs, no batch is half applied, no task is left."""
    for mode in bench.persist_modes:
        options: Dict[str, Any] = {"persist_mode": mode, "flush_interval": 0.01}
        if mode != "memory":
            options["capacity"] = 4
        db = await bench.open(f"{mode}.db", **options).aopen()
        if mode != "memory" and Capability.SWITCHES in bench.capabilities:
            bench.inject(db, seed=bench.seed, reader_delay_s=0.002, writer_delay_s=0.002)
        tasks_before = len(asyncio.all_tasks())
        for _ in range(4):
            await asyncio.gather(*(_one_call(bench, db) for _ in range(80)))
        await until(lambda: len(asyncio.all_tasks()) <= tasks_before)  # noqa: B023
        await _pairs_are_whole(db)
        if mode != "memory":
            await db.aclose()
            await _pairs_are_whole(bench.open(f"{mode}.db", **options))


async def _one_call(bench: Bench, db: AsyncDictSQLite) -> None:
    number = bench.random.randrange(5)
    pair = [f"a{number}", f"b{number}"]
    value = bench.random.random()
    calls: List[Any] = [
        lambda: db.abatch_set(dict.fromkeys(pair, value)),
        lambda: db.abatch_delete(pair),
        lambda: db.abatch_get(pair),
        lambda: db.aset("single", value),
        lambda: db.aget("single"),
        lambda: db.apop("single", None),
        db.aflush,
    ]
    call = bench.random.choice(calls)()
    how = bench.random.randrange(4)
    if how == 0:
        task = asyncio.ensure_future(call)
        await asyncio.sleep(bench.random.random() * 0.003)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    elif how == 1:
        await asyncio.gather(asyncio.wait_for(call, bench.random.random() * 0.005), return_exceptions=True)
    else:
        await call


async def _pairs_are_whole(db: AsyncDictSQLite) -> None:
    for number in range(5):
        one, two = await db.abatch_get([f"a{number}", f"b{number}"])
        assert one == two, f"half a batch: {one} and {two}"
    items = dict(db.items())
    equal([items.get(f"a{i}") for i in range(5)], [items.get(f"b{i}") for i in range(5)])


@check("1.58", "1.68", needs={Capability.SEVERAL_LOOPS})
async def several_loops_at_once(bench: Bench) -> None:
    """One store serves several loops on several threads at once; each gets its own answers."""
    for db in bench.stores(capacity=20):

        async def work(number: int, db: AsyncDictSQLite = db) -> List[Any]:
            await asyncio.gather(*(db.aset(f"k{number}-{i}", (number, i)) for i in range(40)))
            found = await asyncio.gather(*(db.aget(f"k{number}-{i}") for i in range(40)))
            equal(
                [key async for key in db.akeys(prefix=f"k{number}-", limit=3)], [f"k{number}-{i}" for i in (0, 1, 10)]
            )
            return list(found)

        others = asyncio.ensure_future(on_threads(4, lambda number: asyncio.run(work(number))))
        mine = await work(9)
        equal([*await others, mine], [[(number, i) for i in range(40)] for number in (0, 1, 2, 3, 9)])


_USES = """
import asyncio, os, sys, threading, time
from asyncdictsqlite import AsyncDictSQLite
path, backend, mode = sys.argv[1:]
options = dict(backend=backend, persist_mode=mode)
db = AsyncDictSQLite(path, **options)

def descriptors():
    return len(os.listdir("/dev/fd"))

async def use(number):
    await asyncio.gather(*(db.aset(f"k{i}", number) for i in range(3)))
    return await db.aget("k1")
"""

_ENDS_EARLY = (
    _USES
    + """
async def leave(number):
    pending = [db.aset(f"n{i}", number) for i in range(20)]
    tasks = [asyncio.ensure_future(db.aset(f"t{i}", number)) for i in range(20)]
    await asyncio.sleep(0)

for number in range(10):
    asyncio.run(leave(number))
    loop = asyncio.new_event_loop()
    loop.call_soon(loop.stop)
    late = loop.create_task(db.aset("late", number))
    loop.run_forever()
    late.cancel()
    loop.run_until_complete(asyncio.gather(late, return_exceptions=True))
    loop.close()
    assert asyncio.run(db.asetdefault("late", None)) == number
    assert asyncio.run(db.abatch_get([f"{c}{i}" for c in "nt" for i in range(20)])) == [number] * 40
db.close()
print("whole")
"""
)

_AGAIN_AND_AGAIN = (
    _USES
    + """
before = descriptors(), threading.active_count()
for number in range(10):
    assert asyncio.run(use(number)) == number
warm = descriptors(), threading.active_count()
for number in range(300):
    assert asyncio.run(use(number)) == number
print("grown", max(descriptors() - warm[0], 0), threading.active_count() - warm[1])
db.close()
deadline = time.monotonic() + 5
while threading.active_count() > before[1] and time.monotonic() < deadline:
    time.sleep(0.01)
print("left", max(descriptors() - before[0], 0), threading.active_count() - before[1])
"""
)


@check("5.4", "3.15", seconds=30)
async def a_loop_that_ends_early(bench: Bench) -> None:
    """A loop that closes with calls in flight loses none of them and makes no noise; a second loop goes on."""
    for mode in bench.persist_modes:
        child = bench.child(_ENDS_EARLY, bench.path(f"{mode}.db"), bench.backend, mode)
        equal((child.returncode, child.stdout, child.stderr), (0, "whole\n", ""))


@check("5.6", "5.4", "1.58", seconds=60)
async def loops_again_and_again_leak_nothing(bench: Bench) -> None:
    """300 runs of asyncio.run leave no descriptor and no thread behind, and neither does close."""
    for mode in bench.persist_modes:
        child = bench.child(_AGAIN_AND_AGAIN, bench.path(f"{mode}.db"), bench.backend, mode, timeout=40)
        equal((child.returncode, child.stdout.splitlines(), child.stderr), (0, ["grown 0 0", "left 0 0"], ""))


@check("5.3", "6.3")
async def use_after_close(bench: Bench) -> None:
    """Every use after close is a ClosedError that names the file, for the store and its views."""
    for db in bench.stores():
        await db.aset("k", 1)
        view = db.table("other")
        await view.aset("k", 1)
        unused = db.table("unused")
        await db.aclose()
        for store in (db, view, unused, db.table("late")):
            for call in faces(store):
                for name, arguments in _USES_OF_A_STORE:
                    with raises(ClosedError, ".db"):
                        await call(name, *arguments)
            for use in (lambda: store["k"], lambda: len(store), lambda: "k" in store, lambda: list(store)):  # noqa: B023
                with raises(ClosedError):
                    use()
            with raises(ClosedError):
                await store.acontains("k")
            with raises(ClosedError):
                [key async for key in store]
            with raises(ClosedError):
                store["k"] = 1
        equal(db.stats()["state"], "closed")


_USES_OF_A_STORE: List[Any] = [
    ("get", ("k", )), ("set", ("k", 1)), ("delete", ("k", )), ("pop", ("k", 1)), ("setdefault", ("k", 1)), ("update",
    ({"k": 1}, )), ("clear", ()), ("batch_get", (["k"], )), ("batch_set", ({"k": 1}, )), ("batch_delete", (["k"], )),
    ("flush", ()), ("tables", ()),
]  # fmt: skip


@check("5.2", "5.6", "3.7")
async def closing_twice_and_at_once(bench: Bench) -> None:
    """Closing twice, at once, from several threads, or with calls in flight is fine, and loses nothing."""
    for mode in bench.persist_modes:
        db = bench.open(f"{mode}.db", persist_mode=mode)
        writes = [db.aset(f"k{i}", i) for i in range(50)]
        closes = [db.aclose() for _ in range(3)]
        equal(await asyncio.gather(*writes, *closes), [None] * 53)
        await on_threads(3, lambda _: db.close())  # noqa: B023
        await db.aclose()
        if mode != "memory":
            equal(
                await bench.open(f"{mode}.db", persist_mode=mode).abatch_get([f"k{i}" for i in range(50)]),
                list(range(50)),
            )


@check("5.6")
async def close_ends_the_threads(bench: Bench) -> None:
    """After aclose no thread of the store is left."""
    before = threading.active_count()
    for db in bench.stores(capacity=0):
        await asyncio.gather(*(db.aset(f"k{i}", i) for i in range(20)))
        await asyncio.gather(*(db.aget(f"k{i}") for i in range(20)))
        await db.aclose()
        await until(lambda: threading.active_count() <= before)


@check("5.1", needs={Capability.WRITETHROUGH, Capability.SWITCHES})
async def calls_wait_for_nothing(bench: Bench) -> None:
    """While the writer or a reader is stuck, calls return at once, the loop turns and hits are served."""
    db = bench.open(persist_mode="writethrough", capacity=2)
    await db.abatch_set({"hot": 1, "cold": 2})
    await db.aset("hot", 1)
    bench.inject(db, commit_after=100)
    writes = [db.aset(f"k{i}", i) for i in range(99)]
    closing = [db.aget("hot"), db.alen(), db.atables()]
    equal(await asyncio.gather(*closing), [1, 2, ["main"]])
    assert not any(write.done() for write in writes), "a write was acknowledged without its commit"  # type: ignore[attr-defined]
    await asyncio.gather(*writes, db.aset("last", 1))
    equal(await db.alen(), 102)
