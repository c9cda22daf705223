"""The Rust backend's awaitable, methods and memory: facts that the conformance suite cannot see."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Awaitable, Callable, Iterator, List

import pytest

from asyncdictsqlite import AsyncDictSQLite, errors
from asyncdictsqlite.codec import make_codec
from asyncdictsqlite.options import EngineOptions
from asyncdictsqlite.protocol import Change, Kind, Opening, Was

_rust: Any = pytest.importorskip("asyncdictsqlite._rust")

pytestmark = pytest.mark.timeout(20)


def options(**given: Any) -> EngineOptions:
    default = dict(
        backend="rust", persist_mode="writethrough", synchronous="normal", exclusive=True, readonly=False,
        capacity=1000, capacity_bytes=2**20, evict=False, buffer_size=100, flush_interval=60.0, max_unsaved=100_000,
        max_unsaved_bytes=2**26, busy_timeout=5.0,
    )  # fmt: skip
    return EngineOptions(**{**default, **given})


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Make an open engine with a bytes table "t"."""
    engines: List[Any] = []

    def make(mode: str = "bytes", **given: Any) -> Any:
        path = tmp_path / f"{len(engines)}.db"
        engine = _rust.Engine(Opening(str(path), options(**given), True, None))
        engine.open().wait()
        engine.commit([Change(Kind.CREATE, "t", value=mode.encode())]).wait()
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        with contextlib.suppress(errors.StateError):
            engine.inject()
        with contextlib.suppress(errors.AsyncDictError):
            engine.close().wait()


@pytest.fixture
def cold(make: Callable[..., Any]) -> Any:
    """An engine whose reads are pending for a while: cold, on the thread, delayed."""
    engine = make(capacity=0)
    engine.commit([Change(Kind.PUT, "t", "k", b"v"), Change(Kind.PUT, "t", "l", b"w")]).wait()
    engine.inject(writer_delay_s=0.01)
    return engine


def pending(engine: Any, key: str = "k", value: bytes = b"v") -> Any:
    """An operation that is still in the writer."""
    operation = engine.commit([Change(Kind.PUT, "t", key, value)], old=True)
    assert not operation.done()
    return operation


def failing(engine: Any) -> Any:
    engine.inject(writer_delay_s=0.005, writer_fault=(1, "full"))
    return pending(engine)


OLD = [Was(True, b"v")]


# ---- the awaitable: coroutine and future in one --------------------------------------------------------------------


def test_it_is_a_coroutine_by_structure(cold: Any) -> None:
    assert isinstance(pending(cold), Coroutine)
    assert inspect.isawaitable(pending(cold))


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda a: asyncio.wait_for(a, 5), id="wait_for"),
        pytest.param(lambda a: asyncio.wait_for(a, None), id="wait_for without a limit"),
        pytest.param(asyncio.shield, id="shield"),
        pytest.param(asyncio.create_task, id="create_task"),
        pytest.param(asyncio.ensure_future, id="ensure_future"),
        pytest.param(asyncio.gather, id="gather"),
        pytest.param(lambda a: asyncio.gather(a, a), id="gather with duplicates"),
        pytest.param(lambda a: next(iter(asyncio.as_completed([a]))), id="as_completed"),
    ],
)
@pytest.mark.parametrize("finished", [False, True], ids=["pending", "finished"])
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_every_way_of_awaiting(cold: Any, use: Callable[[Any], Awaitable[Any]], finished: bool, debug: bool) -> None:
    async def main() -> Any:
        operation = pending(cold)
        if finished:
            operation.wait()
        return await use(operation)

    result = asyncio.run(main(), debug=debug)
    assert result in (OLD, [OLD], [OLD, OLD])


@pytest.mark.skipif(sys.version_info < (3, 11), reason="TaskGroup, timeout")
def test_task_group_and_timeout(cold: Any) -> None:
    async def main() -> Any:
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            task = group.create_task(pending(cold))
        return task.result()

    assert asyncio.run(main()) == OLD


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks")
def test_eager_tasks(cold: Any) -> None:
    async def main() -> Any:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        done = cold.stats and pending(cold)
        done.wait()
        return await asyncio.create_task(done), await asyncio.create_task(pending(cold))

    assert asyncio.run(main()) == (OLD, OLD)


def test_asyncio_run_takes_it_pending_and_finished(cold: Any) -> None:
    assert asyncio.run(pending(cold)) == OLD
    finished = pending(cold)
    finished.wait()
    assert asyncio.run(finished) == OLD


def test_run_until_complete_on_a_loop_that_does_not_run(cold: Any) -> None:
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(pending(cold)) == OLD
    loop.close()


def test_run_coroutine_threadsafe(cold: Any) -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    assert asyncio.run_coroutine_threadsafe(pending(cold), loop).result(5) == OLD
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_pending_one_awaited_by_two_tasks(cold: Any) -> None:
    async def main() -> Any:
        operation = pending(cold)

        async def wait() -> Any:
            return await operation

        return await asyncio.gather(wait(), wait())

    assert asyncio.run(main()) == [OLD, OLD]


def test_a_finished_one_is_awaited_again_and_from_other_loops(cold: Any) -> None:
    async def gathered(operation: Any) -> Any:
        return await asyncio.gather(operation, operation, asyncio.sleep(0))

    operation = pending(cold)
    for _ in range(3):
        assert asyncio.run(gathered(operation)) == [OLD, OLD, None]


def test_a_pending_one_belongs_to_the_loop_that_first_awaited_it(cold: Any) -> None:
    cold.inject(commit_after=2)
    operation = pending(cold)

    def elsewhere() -> Any:
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(operation)
        except RuntimeError as error:
            return error
        finally:
            loop.close()

    async def main() -> Any:
        assert operation.get_loop() is asyncio.get_running_loop()
        return await asyncio.get_running_loop().run_in_executor(None, elsewhere)

    assert isinstance(asyncio.run(main()), RuntimeError)
    cold.inject()
    assert operation.wait() == OLD


def test_a_pending_one_raises_without_a_loop(cold: Any) -> None:
    operation = pending(cold)
    with pytest.raises(RuntimeError, match="no running event loop"):
        operation.send(None)
    assert operation._asyncio_future_blocking is None


def test_cancel_gives_up_the_waiting_not_the_work(cold: Any) -> None:
    async def main() -> None:
        cold.inject(writer_delay_s=0.05, seed=1)
        operation = pending(cold, "k", b"new")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(operation, 0.0001)
        assert operation.cancelled()
        assert await cold.read("t", ["k"]) in ([b"v"], [b"new"])
        await cold.flush()
        assert await cold.read("t", ["k"]) == [b"new"]

    asyncio.run(main())


def test_cancelling_a_task_tells_its_message(cold: Any) -> None:
    async def main() -> None:
        task = asyncio.create_task(pending(cold))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_failure_is_raised_each_time_it_is_awaited(cold: Any) -> None:
    async def main() -> None:
        operation = failing(cold)
        for _ in range(3):
            with pytest.raises(errors.DiskFullError) as caught:
                await operation
        assert len(list(_traceback(caught.value))) <= 3

    asyncio.run(main())


class _SlowToBind(asyncio.SelectorEventLoop):
    """Takes a new descriptor only when an operation is done."""

    operation: Any = None

    def add_reader(self, *given: Any) -> Any:
        while self.operation is not None and not self.operation.done():
            time.sleep(0.001)
        return super().add_reader(*given)


def test_one_that_is_finished_while_it_is_bound_belongs_to_the_running_loop(cold: Any) -> None:
    loop = _SlowToBind()

    async def main() -> None:
        loop.operation = operation = pending(cold)
        assert operation.get_loop() is loop

    with contextlib.closing(loop):
        loop.run_until_complete(main())


def _traceback(error: BaseException) -> Iterator[Any]:
    step = error.__traceback__
    while step is not None:
        yield step
        step = step.tb_next


def test_the_future_face(cold: Any) -> None:
    async def main() -> None:
        operation = pending(cold)
        assert operation.get_loop() is asyncio.get_running_loop()
        with pytest.raises(asyncio.InvalidStateError):
            operation.result()
        with pytest.raises(asyncio.InvalidStateError):
            operation.exception()
        called: List[Any] = []
        operation.add_done_callback(called.append)
        operation.add_done_callback(print)
        assert operation.remove_done_callback(print) == 1
        assert await operation == OLD
        await asyncio.sleep(0)
        assert called == [operation]
        assert operation.result() == OLD
        assert operation.exception() is None
        assert not operation.cancel()
        late: List[Any] = []
        operation.add_done_callback(late.append)
        assert late == []
        await asyncio.sleep(0)
        assert late == [operation]

    asyncio.run(main())


def test_callbacks_run_in_their_context(cold: Any) -> None:
    import contextvars

    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)

    async def main() -> None:
        seen: List[int] = []
        operation = pending(cold)
        variable.set(1)
        operation.add_done_callback(lambda _: seen.append(variable.get()))
        variable.set(2)
        await operation
        assert seen == [1]

    asyncio.run(main())


def test_an_exception_in_a_callback_reaches_the_handler_of_the_loop(cold: Any) -> None:
    async def main() -> None:
        told: List[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
        operation = pending(cold)
        operation.add_done_callback(lambda _: 1 // 0)
        await operation
        await asyncio.sleep(0)
        assert [type(error) for error in told] == [ZeroDivisionError]

    asyncio.run(main())


def test_a_failure_nobody_awaited_is_told_to_the_loop(cold: Any) -> None:
    async def main() -> List[Any]:
        told: List[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
        operation = failing(cold)
        operation.get_loop()
        while not operation.done():
            await asyncio.sleep(0.001)
        del operation
        gc.collect()
        return told

    assert [type(error) for error in asyncio.run(main())] == [errors.DiskFullError]


def test_a_failure_nobody_awaited_is_logged_without_a_loop(cold: Any, caplog: pytest.LogCaptureFixture) -> None:
    operation = failing(cold)
    while not operation.done():
        time.sleep(0.001)
    with caplog.at_level(logging.ERROR, "asyncio"):
        del operation
        gc.collect()
    assert "never retrieved" in caplog.text


def test_a_failure_that_was_awaited_is_not_told_again(cold: Any, caplog: pytest.LogCaptureFixture) -> None:
    operation = failing(cold)
    with pytest.raises(errors.DiskFullError):
        operation.wait()
    with caplog.at_level(logging.ERROR, "asyncio"):
        del operation
        gc.collect()
    assert caplog.text == ""


def test_throw_and_close_leave_the_work_alone(cold: Any) -> None:
    operation = pending(cold, "k", b"new")
    with pytest.raises(ZeroDivisionError):
        operation.throw(ZeroDivisionError("x"))
    with pytest.raises(ZeroDivisionError):
        operation.throw(ZeroDivisionError)
    operation.close()
    assert operation.wait() == OLD
    assert cold.read("t", ["k"]).wait() == [b"new"]


def test_only_a_pending_one_is_tracked_by_the_collector(cold: Any) -> None:
    operation = pending(cold)
    assert gc.is_tracked(operation)
    operation.wait()
    assert not gc.is_tracked(operation)


def test_no_result_is_retained() -> None:
    class Value:
        pass

    async def main() -> weakref.ref[Value]:
        db = AsyncDictSQLite("memory", persist_mode="memory", storage_mode="bytes", backend="rust")
        await db.aopen()
        default = Value()
        reference = weakref.ref(default)
        for _ in range(3):
            assert await db.aget("missing", default) is default
            assert (await asyncio.gather(db.aget("missing", default)))[0] is default
        del default
        gc.collect()
        await db.aclose()
        return reference

    assert asyncio.run(main())() is None


def test_a_task_that_waits_for_ever_can_be_collected(cold: Any) -> None:
    cold.inject(commit_after=2)

    async def waiter() -> None:
        await cold.commit([Change(Kind.PUT, "t", "k", b"v")])

    async def main() -> None:
        task = asyncio.create_task(waiter())
        await asyncio.sleep(0.001)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())
    cold.inject()
    cold.flush().wait()


# ---- wait ----------------------------------------------------------------------------------------------------------


def test_wait_works_on_the_thread_of_a_running_loop(cold: Any) -> None:
    async def main() -> Any:
        return pending(cold).wait()

    assert asyncio.run(main()) == OLD


def test_wait_lets_other_threads_run(cold: Any) -> None:
    cold.inject(commit_after=2)
    first = pending(cold)
    threading.Timer(0.02, lambda: cold.commit([Change(Kind.PUT, "t", "l", b"w")])).start()
    assert first.wait() == OLD


def test_many_threads_wait(cold: Any) -> None:
    results: List[Any] = []
    threads = [threading.Thread(target=lambda: results.append(pending(cold).wait())) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [OLD] * 16


def test_wait_is_interrupted_by_a_signal(cold: Any) -> None:
    cold.inject(commit_after=2)
    operation = pending(cold)
    threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        operation.wait()


def test_done_needs_no_loop(cold: Any) -> None:
    operation = pending(cold)
    while not operation.done():
        time.sleep(0.001)
    assert operation.wait() == OLD


# ---- loops ---------------------------------------------------------------------------------------------------------


def test_loops_leave_no_descriptor(cold: Any) -> None:
    cold.inject()

    async def main() -> None:
        await cold.commit([Change(Kind.PUT, "t", "k", b"v")])

    asyncio.run(main())
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        asyncio.run(main())
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_loop_that_closed_early_loses_no_write(cold: Any) -> None:
    async def leave() -> None:
        waiting = asyncio.ensure_future(pending(cold, "late", b"1"))
        await asyncio.sleep(0)
        assert not waiting.done()

    asyncio.run(leave())
    cold.flush().wait()
    assert cold.read("t", ["late"]).wait() == [b"1"]


def test_several_loops_at_once(cold: Any) -> None:
    cold.inject(writer_delay_s=0.001)

    async def main(name: str) -> int:
        done = 0
        for number in range(20):
            key = f"{name}{number}"
            await asyncio.gather(*(cold.commit([Change(Kind.PUT, "t", key, b"v")]) for _ in range(4)))
            done += (await cold.read("t", [key])) == [b"v"]
        return done

    results: List[int] = []
    threads = [threading.Thread(target=lambda n=n: results.append(asyncio.run(main(n)))) for n in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [20, 20, 20]


def test_an_interrupt_in_a_callback_reaches_the_loop(cold: Any) -> None:
    def interrupt(_: Any) -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        operation = pending(cold)
        operation.add_done_callback(interrupt)
        await asyncio.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())


# ---- the methods ---------------------------------------------------------------------------------------------------


@pytest.fixture
def db() -> Iterator[AsyncDictSQLite]:
    with AsyncDictSQLite("memory", persist_mode="memory", backend="rust") as store:
        yield store


def test_bound_methods_are_coroutine_functions(db: AsyncDictSQLite) -> None:
    for method in (db.aget, db.aset, type(db).aget):
        assert asyncio.iscoroutinefunction(method)
        if sys.version_info >= (3, 12):
            assert inspect.iscoroutinefunction(method)
    for twin in (db.get, db.set):
        assert not asyncio.iscoroutinefunction(twin)
        assert not inspect.iscoroutinefunction(twin)


def test_bound_methods_are_routines(db: AsyncDictSQLite) -> None:
    """Frameworks ask that before they ask for the mark."""
    assert inspect.isroutine(db.aget)
    assert inspect.isroutine(type(db).aget)


def test_bound_methods_tell_who_they_are(db: AsyncDictSQLite) -> None:
    assert str(inspect.signature(db.aget)) == "(key, default=None)"
    assert str(inspect.signature(db.aset)) == "(key, value)"
    assert str(inspect.signature(type(db).get)) == "(self, key, default=None)"
    assert db.aget.__name__ == "aget"
    assert db.aget.__self__ is db  # type: ignore[attr-defined]
    assert db.aget.__doc__ and db.aset.__doc__


def test_bound_methods_are_equal_as_pythons_are(db: AsyncDictSQLite) -> None:
    assert db.aget == db.aget
    assert hash(db.aget) == hash(db.aget)
    assert db.aget != db.get
    with AsyncDictSQLite("other", persist_mode="memory", backend="rust") as other:
        assert db.aget != other.aget


def test_a_bound_method_works_after_its_store_was_looked_up(db: AsyncDictSQLite) -> None:
    get, put = db.get, db.set
    put("k", 1)
    assert get("k") == get(key="k") == type(db).get(db, "k") == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda db: db.aget(),
        lambda db: db.aget("k", 1, 2),
        lambda db: db.aget("k", other=1),
        lambda db: db.aget("k", key="k"),
        lambda db: db.aset("k"),
        lambda db: db.aget(1),
        lambda db: db.aset(b"k", 1),
        lambda db: type(db).aget(1, "k"),
        lambda db: type(db).aget(),
    ],
)
def test_wrong_arguments_are_told_at_the_call(db: AsyncDictSQLite, call: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        call(db)


def test_a_subclass_may_override_and_call_super(db: AsyncDictSQLite) -> None:
    class Shouting(AsyncDictSQLite):
        async def aget(self, key: str, default: Any = None) -> Any:
            return str(await super().aget(key, default)).upper()

    async def main() -> Any:
        async with Shouting("sub", persist_mode="memory", backend="rust") as store:
            await store.aset("k", "v")
            return await store.aget("k")

    assert asyncio.run(main()) == "V"


# ---- memory --------------------------------------------------------------------------------------------------------

ATOMS: List[Any] = [
    None, True, False, 0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**39, -(2**39),
    2**40, 2**63 - 1, -(2**63), 2**63, 2**100, -(2**100), 0.0, -0.0, 1.5, float("inf"), b"", b"x", b"x" * 255,
    b"x" * 256, b"x" * 65535, b"x" * 65536, b"x" * 70000, "", "x", "\u00e9", "x" * 255, "x" * 256, "\u20ac" * 30000,
    "x" * 65536, "\ud800", (), (1, "x", (None,)),
]  # fmt: skip


@pytest.mark.parametrize("value", ATOMS, ids=lambda value: f"{value!r:.12}")
def test_what_is_kept_of_an_atom_is_what_pickle_writes(make: Callable[..., Any], value: Any) -> None:
    engine = make("pickle")
    store = _rust.Store()
    store._bind(engine, "t", make_codec("pickle"))
    store.set("k", value)
    assert engine.read("t", ["k"]).wait() == [pickle.dumps(value, 5)]
    found = store.get("k")
    assert type(found) is type(value)
    assert found == value


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65535, 65536])
@pytest.mark.parametrize("mode", ["pickle", "bytes"])
def test_a_value_counts_alike_new_and_replaced(tmp_path: Path, mode: str, size: int) -> None:
    engine = _rust.Engine(Opening(str(tmp_path), options(persist_mode="memory"), True, None))
    engine.open().wait()
    store, codec = _rust.Store(), make_codec(mode)
    store._bind(engine, "t", codec)
    for value in (b"x" * size, "x" * size)[: 1 if mode == "bytes" else 2]:
        store.set("k", value)
        assert engine.stats()["bytes"] == len(codec.encode(value)) + 1 + 120
        store.set("k", b"")
        store.set("k", value)
        assert engine.stats()["bytes"] == len(codec.encode(value)) + 1 + 120


def test_mutable_values_are_decoded_anew(make: Callable[..., Any]) -> None:
    store = _rust.Store()
    store._bind(make("pickle"), "t", make_codec("pickle"))
    value = [1]
    store.set("k", value)
    value.append(2)
    store.get("k").append(3)
    assert store.get("k") == [1]
    assert store.get("k") is not store.get("k")


def test_atoms_are_not_copied(make: Callable[..., Any]) -> None:
    store = _rust.Store()
    store._bind(make(), "t", make_codec("bytes"))
    value = b"x" * 1000
    store.set("k", value)
    assert store.get("k") is value


def test_entries_stay_within_both_limits(make: Callable[..., Any]) -> None:
    engine = make(capacity=10, capacity_bytes=2000)
    engine.commit([Change(Kind.PUT, "t", f"k{i}", b"x" * 10) for i in range(100)]).wait()
    assert engine.stats()["entries"] == 10
    engine.commit([Change(Kind.PUT, "t", f"b{i}", b"x" * 500) for i in range(100)]).wait()
    assert engine.stats()["bytes"] <= 2000
    assert engine.stats()["entries"] >= 2


def test_what_is_read_again_and_again_stays(make: Callable[..., Any]) -> None:
    engine = make(capacity=10)
    engine.commit([Change(Kind.PUT, "t", "hot", b"")]).wait()
    for number in range(100):
        engine.commit([Change(Kind.PUT, "t", f"k{number}", b"")]).wait()
        engine.read("t", ["hot"]).wait()
    assert engine.stats()["misses"] == 0


def test_unsaved_entries_are_not_evicted(make: Callable[..., Any]) -> None:
    engine = make(persist_mode="lazy", capacity=3)
    engine.commit([Change(Kind.PUT, "t", f"k{i}", b"") for i in range(10)]).wait()
    assert engine.stats()["entries"] == 10
    engine.flush().wait()
    assert engine.stats()["entries"] == 3


def test_a_slow_read_does_not_overwrite_a_newer_value(make: Callable[..., Any]) -> None:
    engine = make()
    for number in range(30):
        engine.inject(seed=number, reader_delay_s=0.004, writer_delay_s=0.002)
        keys = [f"{number}.{i}" for i in range(20)]  # more than are read inline
        read = engine.read("t", keys)
        engine.commit([Change(Kind.PUT, "t", key, b"new") for key in keys]).wait()
        read.wait()
        assert engine.read("t", keys).wait() == [b"new"] * 20


# ---- batches -------------------------------------------------------------------------------------------------------


def test_a_batch_of_hits_gives_the_very_objects(db: AsyncDictSQLite) -> None:
    items = {f"k{number}": f"v{number}" for number in range(10)}
    db.batch_set(items)
    hits = db.stats()["hits"]
    found = db.batch_get([*items, "k0"])
    assert found == [*items.values(), "v0"]
    assert all(one is other for one, other in zip(found, items.values()))
    assert db.stats()["hits"] == hits + 11


class Key(str):
    __slots__ = ()


SHAPES: List[Callable[[Any], Any]] = [
    dict, lambda pairs: pairs, iter, tuple, lambda pairs: {Key(key): value for key, value in pairs},
]  # fmt: skip


@pytest.mark.parametrize("mode", ["memory", "lazy", "writethrough"])
@pytest.mark.parametrize("shape", SHAPES, ids=["dict", "list", "iterator", "tuple", "subclasses"])
@pytest.mark.parametrize("values", [[b"a", "b", 3], [[1], {"a": 1}, None]], ids=["atoms", "containers"])
def test_a_batch_of_any_shape(tmp_path: Path, mode: str, shape: Callable[[Any], Any], values: List[Any]) -> None:
    pairs = [("k", values[0]), ("\u20ac", values[1]), ("l", values[2])]
    with AsyncDictSQLite(tmp_path / "x.db", persist_mode=mode, backend="rust") as store:
        store.batch_set(shape(pairs))
        assert store.batch_get(("k", "\u20ac", "l")) == values
        assert store.batch_get(iter(["l", "missing", Key("k")]), 7) == [values[2], 7, values[0]]


@pytest.mark.parametrize("mode", ["memory", "lazy", "writethrough"])
@pytest.mark.parametrize(
    "bad", [{"k": 1, 2: 3}, {"k": 1, "l": lambda: 0}, {"k": 1, "\ud800": 2}, {"k": 1, "l": b"x" * 99}]
)
def test_a_batch_with_one_bad_item_changes_nothing(tmp_path: Path, mode: str, bad: Any) -> None:
    path = tmp_path / "x.db"
    with AsyncDictSQLite(path, persist_mode=mode, backend="rust", max_value_bytes=50) as store:
        store.set("k", 0)
        with pytest.raises((TypeError, ValueError)):
            store.batch_set(bad)
        assert dict(store.items()) == {"k": 0}


def test_a_batch_that_does_not_fit_changes_nothing() -> None:
    with AsyncDictSQLite("full", persist_mode="memory", backend="rust", capacity=2) as store:
        store.batch_set({"a": 1, "b": 2})
        with pytest.raises(errors.CapacityExceededError):
            store.batch_set({"a": 3, "c": 4})
        assert store.batch_get(["a", "b", "c"]) == [1, 2, None]


def test_one_str_is_no_batch(db: AsyncDictSQLite) -> None:
    with pytest.raises(TypeError):
        db.batch_get("keys")


def test_a_lazy_key_overwritten_while_it_is_flushed_stays_unsaved(make: Callable[..., Any]) -> None:
    engine = make(persist_mode="lazy")
    store = _rust.Store()
    store._bind(engine, "t", make_codec("bytes"))
    store.set("k", b"1")
    engine.inject(writer_delay_s=0.05)
    flushed = engine.flush()
    store.set("k", b"2")
    flushed.wait()
    engine.inject()
    assert store.get("k") == b"2"
    engine.flush().wait()
    assert engine.stats()["unsaved"] == 0
    assert engine.scan("t", start="", end=None, reverse=False, rows=9, size_bytes=999, values=True).wait()[0][1] == b"2"


# ---- lazy: strict order per key ------------------------------------------------------------------------------------


def lazy_with_cold_keys(make: Callable[..., Any]) -> Any:
    engine = make(persist_mode="lazy", capacity=0)
    engine.commit([Change(Kind.PUT, "t", f"k{i}", b"0") for i in range(40)]).wait()
    engine.flush().wait()
    engine.inject(reader_delay_s=0.01)
    return engine


def test_calls_on_a_gated_key_keep_their_order(make: Callable[..., Any]) -> None:
    engine = lazy_with_cold_keys(make)
    pop = engine.commit([Change(Kind.DELETE, "t", "k1")], old=True)
    assert not pop.done()
    seen = engine.read("t", ["k1"])
    put = engine.commit([Change(Kind.PUT, "t", "k1", b"1")])
    after = engine.read("t", ["k1"])
    assert [pop.wait(), seen.wait(), after.wait()] == [[Was(True, b"0")], [None], [b"1"]]
    put.wait()


def test_calls_on_other_keys_pass(make: Callable[..., Any]) -> None:
    engine = lazy_with_cold_keys(make)
    pop = engine.commit([Change(Kind.DELETE, "t", "k1")], old=True)
    assert engine.commit([Change(Kind.PUT, "t", "k2", b"1")]).done()
    assert engine.read("t", ["k2"]).wait() == [b"1"]
    pop.wait()


def test_a_call_with_several_gated_keys(make: Callable[..., Any]) -> None:
    engine = lazy_with_cold_keys(make)
    first = engine.commit([Change(Kind.DELETE, "t", "k1")], old=True)
    second = engine.commit([Change(Kind.DELETE, "t", "k2")], old=True)
    both = engine.commit([Change(Kind.DELETE, "t", "k1"), Change(Kind.DELETE, "t", "k2")], old=True)
    assert both.wait() == [Was(False), Was(False)]
    assert first.done() and second.done()


def test_what_concerns_a_table_waits_for_gated_calls(make: Callable[..., Any]) -> None:
    engine = lazy_with_cold_keys(make)
    pops = [engine.commit([Change(Kind.DELETE, "t", f"k{i}")], old=True) for i in range(10)]
    count = engine.count("t")
    behind = engine.commit([Change(Kind.PUT, "t", "new", b"")])
    assert not behind.done()
    assert count.wait() in (30, 31)  # with or without the one that was called while it went on
    assert behind.done()
    assert [pop.wait() for pop in pops] == [[Was(True, b"0")]] * 10


def test_a_clear_waits_for_gated_calls(make: Callable[..., Any]) -> None:
    engine = lazy_with_cold_keys(make)
    pop = engine.commit([Change(Kind.DELETE, "t", "k1")], old=True)
    cleared = engine.commit([Change(Kind.CLEAR, "t")])
    behind = engine.commit([Change(Kind.PUT_IF_ABSENT, "t", "k2", b"1")])
    assert [pop.wait(), behind.wait()] == [[Was(True, b"0")], [Was(False)]]
    assert cleared.done()
    assert engine.count("t").wait() == 1


def test_a_cleared_table_is_empty_before_the_flush(make: Callable[..., Any]) -> None:
    engine = lazy_with_cold_keys(make)
    engine.commit([Change(Kind.CLEAR, "t")]).wait()
    assert engine.read("t", ["k1"]).wait() == [None]
    engine.commit([Change(Kind.PUT_IF_ABSENT, "t", "k1", b"1")]).wait()
    engine.flush().wait()
    assert engine.read("t", ["k1", "k2"]).wait() == [b"1", None]


def test_a_big_flush_is_taken_in_bit_by_bit(make: Callable[..., Any]) -> None:
    engine = make(persist_mode="lazy", flush_interval=0.001, capacity=1000)
    for number in range(1000):
        engine.commit([Change(Kind.PUT, "t", f"k{number}", b"")])
    deadline = time.monotonic() + 10
    while engine.stats()["unsaved"] and time.monotonic() < deadline:
        time.sleep(0.001)
    engine.flush().wait()
    assert engine.read("t", ["k0", "k999"]).wait() == [b"", b""]


def test_one_popper_wins_a_cold_key(make: Callable[..., Any]) -> None:
    engine = lazy_with_cold_keys(make)
    pops = [engine.commit([Change(Kind.DELETE, "t", f"k{i}")], old=True) for i in range(40) for _ in range(3)]
    assert sum(pop.wait()[0].there for pop in pops) == 40


def test_a_failed_read_fails_only_the_call_that_asked(make: Callable[..., Any]) -> None:
    engine = lazy_with_cold_keys(make)
    engine.inject(reader_delay_s=0.01, reader_fault=(1, "io"))
    pop = engine.commit([Change(Kind.DELETE, "t", "k1")], old=True)
    again = engine.commit([Change(Kind.DELETE, "t", "k1")], old=True)
    with pytest.raises(errors.StorageError):
        pop.wait()
    assert again.wait() == [Was(True, b"0")]


# ---- the end -------------------------------------------------------------------------------------------------------


def test_a_store_dropped_while_open_does_not_block(tmp_path: Path) -> None:
    source = """
import sys, gc
from asyncdictsqlite import _rust
from asyncdictsqlite.protocol import *
from asyncdictsqlite.options import EngineOptions
given = EngineOptions("rust", "writethrough", "full", True, False, 10, 10**6, False, 100, 1.0, 100, 10**6, 5.0)
engine = _rust.Engine(Opening(sys.argv[1], given, True, None))
engine.open().wait()
engine.commit([Change(Kind.CREATE, "t", value=b"bytes")]).wait()
left = engine.commit([Change(Kind.PUT, "t", "k", b"v")])
del engine, left
gc.collect()
print("end")
"""
    ended = subprocess.run(
        [sys.executable, "-c", source, str(tmp_path / "x.db")], capture_output=True, text=True, timeout=10, check=False
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("end\n", "", 0)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_in_a_child_forked_by_a_task_no_loop_runs(tmp_path: Path) -> None:
    async def main() -> int:
        await asyncio.sleep(0)
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException), AsyncDictSQLite(tmp_path / "store.db", backend="rust") as store:
                store["key"] = "value"
                asyncio.new_event_loop().run_until_complete(store.aget("key"))
                os._exit(0)
            os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    with AsyncDictSQLite(tmp_path / "parent.db", backend="rust") as parent:
        asyncio.run(parent.aset("key", "value"))  # so that the way to find the loop was gone before
        assert asyncio.run(main()) == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_an_operation_of_the_parent_fails_in_a_forked_child(cold: Any) -> None:
    cold.inject(commit_after=2)
    operation = pending(cold)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            cold.abandon()
            try:
                operation.wait()
            except errors.ForkedError:
                code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    cold.inject()
    assert operation.wait() == OLD


def test_a_store_keeps_its_fields_in_slots(tmp_path: Path) -> None:
    with AsyncDictSQLite(tmp_path / "a.db", backend="rust") as db:
        table = db.table("t")
        db["k"] = table["k"] = 1
        assert (vars(db), vars(table)) == ({}, {}), "with a __dict__ of its own no method is found at once"


def test_a_store_takes_attributes_of_others(tmp_path: Path) -> None:
    class Mine(AsyncDictSQLite):
        pass

    for made in (AsyncDictSQLite, Mine):
        db: Any = made(tmp_path / "a.db", backend="rust")
        db.name = "x"
        assert db.name == "x"
    assert db.table("t").name == "x", "a view of a subclass has its fields"
