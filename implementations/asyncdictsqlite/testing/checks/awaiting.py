"""Section 1: every way of awaiting."""

from __future__ import annotations

import asyncio
import collections.abc
import gc
import inspect
import sys
from typing import Any, Dict, List, get_type_hints

from ... import AsyncDictSQLite, KeyEncodingError
from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, on_threads, raises, same

_ASYNC_METHODS = (
    "aget", "aset", "adelete", "apop", "acontains", "asetdefault", "aupdate", "aclear", "alen", "abatch_get",
    "abatch_set", "abatch_delete", "aflush", "aclose", "aopen", "atables", "adrop_table", "abackup",
)  # fmt: skip


@check("1.50", "1.52")
async def every_way_of_awaiting(bench: Bench) -> None:
    """await, gather, create_task, TaskGroup, wait_for, shield, wait, as_completed, also of hits and in debug mode."""
    loop = asyncio.get_running_loop()
    for db in bench.stores(capacity=2):
        for debug in (False, True):
            loop.set_debug(debug)
            await db.abatch_set({f"k{i}": i for i in range(5)})
            for key, wanted in (("k0", 0), ("k4", 4), ("no", None)):
                await _await_all_ways(db, key, wanted)
        loop.set_debug(False)


async def _await_all_ways(db: AsyncDictSQLite, key: str, wanted: object) -> None:
    same(await db.aget(key), wanted)
    same(await asyncio.gather(db.aget(key), db.aget(key), db.aset("x", 1)), [wanted, wanted, None])
    same(await asyncio.create_task(db.aget(key), name="read"), wanted)
    same(await asyncio.ensure_future(db.aget(key)), wanted)
    same(await asyncio.wait_for(db.aget(key), 5), wanted)
    same(await asyncio.wait_for(db.aget(key), None), wanted)
    same(await asyncio.shield(db.aget(key)), wanted)
    same([await one for one in asyncio.as_completed([db.aget(key), db.aget(key)])], [wanted, wanted])
    tasks = [asyncio.create_task(call) for call in (db.aget(key), db.aset("x", 2))]
    done, pending = await asyncio.wait(tasks, timeout=5)
    equal((len(done), pending), (2, set()))
    group: Any = getattr(asyncio, "TaskGroup", None)  # Python 3.11
    if group is not None:
        async with group() as members:
            reading, writing = members.create_task(db.aget(key)), members.create_task(db.aset("x", 3))
        same((reading.result(), writing.result()), (wanted, None))


@check("1.50", "1.57", "1.58", needs={Capability.SEVERAL_LOOPS})
async def asyncio_run_takes_a_call(bench: Bench) -> None:
    """asyncio.run(db.aget(key)) and run_until_complete work, again and again, hits and misses."""

    def run(number: int) -> List[object]:
        found: List[object] = []
        for db in stores:
            asyncio.run(db.aset(f"k{number}", number))  # type: ignore[arg-type]
            found.append(asyncio.run(db.aget(f"k{number}")))  # type: ignore[arg-type]
            loop = asyncio.new_event_loop()
            found.append(loop.run_until_complete(db.aget("no", number)))
            loop.close()
        return found

    stores = list(bench.stores(capacity=1))
    for number in range(3):
        equal(await on_threads(1, lambda _, number=number: run(number)), [[number, number] * len(stores)])  # type: ignore[misc]


@check("1.52")
async def results_are_coroutines(bench: Bench) -> None:
    """Every async method returns a Coroutine; nothing of it runs at the await, and close withdraws nothing."""
    for db in bench.stores():
        calls = [
            db.aset("k", 1), db.aget("k"), db.acontains("k"), db.alen(), db.asetdefault("j", 2), db.abatch_get(["k"]),
            db.abatch_set({"a": 1}), db.abatch_delete(["a"]), db.adelete("j"), db.aupdate(b=1), db.atables(),
            db.aflush(), db.aopen(), db.apop("b", None), db.aclear(),
        ]  # fmt: skip
        for call in calls:
            assert isinstance(call, collections.abc.Coroutine), f"{type(call).__name__} is no Coroutine"
            assert asyncio.iscoroutine(call), f"{type(call).__name__} is no coroutine for asyncio"
            assert inspect.isawaitable(call), f"{type(call).__name__} is not awaitable"
        await asyncio.gather(*calls)
        writing = db.aset("k", "kept")
        writing.close()
        del writing
        same(await db.asetdefault("k", "lost"), "kept")


@check("1.52")
async def a_finished_result_is_awaited_again(bench: Bench) -> None:
    """A finished result may be awaited again, also by gather with duplicates, and a failed one fails again."""
    for db in bench.stores():
        await db.aset("k", [1])
        hit, miss, count = db.aget("k"), db.aget("no", 5), db.alen()
        for _ in range(3):
            same([await hit, await miss, await count], [[1], 5, 1])
        same(await asyncio.gather(hit, hit, miss, hit), [[1], [1], 5, [1]])
        writing = db.aset("k", 2)
        same(await asyncio.gather(writing, writing, writing), [None, None, None])
        same(await writing, None)
        taking = db.apop("k")
        same([await taking, await taking], [2, 2])
        failing = db.apop("k")
        for _ in range(2):
            with raises(KeyError):
                await failing


@check("1.52", "1.50")
async def a_pending_result_has_many_waiters(bench: Bench) -> None:
    """Several tasks may await one pending result; cancelling one of them leaves the others."""
    for db in bench.stores():
        writing = db.aset("k", 1)

        async def wait(writing: Any = writing) -> object:
            return await writing

        tasks = [asyncio.create_task(wait()) for _ in range(5)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        equal(results[:2] + results[3:], [None] * 4)
        assert results[2] is None or isinstance(results[2], asyncio.CancelledError), repr(results[2])
        same(await db.aget("k"), 1)


@check("1.53", "1.56")
async def methods_are_coroutine_functions(bench: Bench) -> None:
    """asyncio.iscoroutinefunction is true of every async method, inspect's from 3.12 on; signatures are known."""
    for db in bench.stores():
        for name in _ASYNC_METHODS:
            method, twin = getattr(db, name), getattr(db, "in" if name == "acontains" else name[1:], None)
            assert asyncio.iscoroutinefunction(method), f"asyncio.iscoroutinefunction(db.{name})"
            if sys.version_info >= (3, 12):
                assert inspect.iscoroutinefunction(method), f"inspect.iscoroutinefunction(db.{name})"
            if twin is not None:
                assert not asyncio.iscoroutinefunction(twin), f"db.{name[1:]} must be none"
        for name in (*_ASYNC_METHODS, "get", "set", "pop", "batch_get"):
            assert isinstance(inspect.signature(getattr(db, name)), inspect.Signature), name
        for method in (db.aget, db.get):
            equal(list(inspect.signature(method).parameters), ["key", "default"])
            equal(inspect.signature(method).parameters["default"].default, None)
        for method in (db.aset, db.set):
            equal(list(inspect.signature(method).parameters), ["key", "value"])


@check("1.53")
async def methods_have_docstrings_and_names(bench: Bench) -> None:
    """Every public method has a docstring, its own name, and resolvable type hints."""
    for db in bench.stores():
        for name in dir(AsyncDictSQLite):
            method = getattr(db, name)
            if not name.startswith("_") and callable(method):
                assert method.__doc__, f"db.{name} has no docstring"
                equal(method.__name__, name)
                get_type_hints(getattr(AsyncDictSQLite, name))


@check("1.51")
async def handed_over_at_the_call(bench: Bench) -> None:
    """The operation happens without an await, in the order of the calls."""
    for db in bench.stores():
        await db.aopen()
        late = db.aset("k", "late")
        del late
        for number in range(20):
            db.aset("n", number)
        db.aset("gone", 1)
        db.adelete("gone")
        await db.aset("done", True)
        same(await db.abatch_get(["k", "n", "gone"]), ["late", 19, None])


@check("1.51", "6.20")
async def bad_arguments_fail_at_the_call(bench: Bench) -> None:
    """A bad key or value raises at the call, before anything is awaited."""
    for db in bench.stores(storage_mode="bytes"):
        for opened in (False, True):
            if opened:
                await db.aopen()
            for wrong in (lambda: db.aget(1), lambda: db.aset(None, b""), lambda: db.abatch_get(["a", 2])):  # type: ignore[arg-type, list-item] # noqa: B023
                with raises(TypeError):
                    wrong()
            with raises(KeyEncodingError):
                db.aget("\ud800")
            with raises(TypeError):
                db.aset("k", "str")
            for call in (db.aget, db.aset, db.adelete):
                with raises(TypeError):
                    call()  # type: ignore[operator]
            with raises(TypeError):
                db.aget("k", None, None)  # type: ignore[call-arg]
            with raises(TypeError):
                db.aset("k", value=b"", wrong=1)  # type: ignore[call-arg]


@check("1.55", needs={Capability.WRITETHROUGH})
async def a_failure_nobody_awaits_is_reported(bench: Bench) -> None:
    """A failed result that nobody awaited reaches the loop's exception handler once; an awaited one does not."""
    reported: List[Dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
    db = bench.open("missing/x.db")
    forgotten, awaited = db.aset("k", 1), db.aset("k", 2)
    with raises(FileNotFoundError):
        await awaited
    del awaited
    gc.collect()
    await asyncio.sleep(0.01)
    equal(reported, [])
    del forgotten
    gc.collect()
    await asyncio.sleep(0.01)
    equal([type(context.get("exception")) for context in reported], [FileNotFoundError])


@check("1.57", "1.68")
async def sync_calls_on_the_loop_while_it_runs(bench: Bench) -> None:
    """Sync twins work on the loop's own thread while async calls are under way, and in its callbacks."""
    for db in bench.stores(capacity=3):
        pending = [db.aset(f"k{i}", i) for i in range(20)]
        db["x"] = 1
        same(db["x"], 1)
        equal(len(db), 21)
        reading = asyncio.ensure_future(db.aget("k3"))
        same(db.get("k3"), 3)
        equal(list(db.keys(prefix="k1", limit=2)), ["k1", "k10"])
        db.flush()
        same(await reading, 3)
        await asyncio.gather(*pending)
        answered = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lambda: answered.set_result(db.pop("k5")))  # noqa: B023
        same(await answered, 5)
        db.table("other")["a"] = 1
        with db.table("other") as view:
            same(view["a"], 1)
        db.close()


@check("1.57", "1.58", needs={Capability.SEVERAL_LOOPS})
async def sync_calls_need_no_loop(bench: Bench) -> None:
    """Sync twins work on threads without a loop, many at once, with the loop blocked or not."""

    def use(number: int) -> object:
        for i in range(30):
            db.set(f"k{number}-{i}", i)
            db.setdefault("shared", number)
        return sum(db.batch_get([f"k{number}-{i}" for i in range(30)]))

    for db in bench.stores(capacity=10):
        equal(await on_threads(6, use), [sum(range(30))] * 6)
        equal(len(db), 181)
