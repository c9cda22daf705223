"""Every way in which asyncio takes an awaitable, on every backend; ``python tests/test_async_awaitable.py`` runs it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Awaitable, Callable, List

from asyncdictsqlite import AsyncDictSQLite, UnknownBackendError, ValueEncodingError, registry

Test = Callable[[str, Path], None]


def backends() -> List[str]:
    """Name the built-in backends that can be loaded here."""
    found = []
    for name in ("rust", "threads", "aiosqlite"):
        with contextlib.suppress(UnknownBackendError):
            registry.load(name)
            found.append(name)
    return found


def pytest_generate_tests(metafunc: Any) -> None:
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", backends())


def on_a_store(body: Callable[[AsyncDictSQLite], Awaitable[None]]) -> Test:
    """Make a test of a coroutine function: it runs on a new store, in a loop of its own."""

    def test(backend: str, tmp_path: Path) -> None:
        async def main() -> None:
            async with AsyncDictSQLite(tmp_path / "test.db", persist_mode="writethrough", backend=backend) as db:
                await db.aset("a", 1)
                await body(db)

        asyncio.run(main())

    test.__name__, test.__doc__ = body.__name__, body.__doc__
    return test


@on_a_store
async def test_await(db: AsyncDictSQLite) -> None:
    assert await db.aset("b", 2) is None
    assert await db.aget("b") == 2


@on_a_store
async def test_await_of_a_missing_key(db: AsyncDictSQLite) -> None:
    assert await db.aget("missing") is None
    assert await db.aget("missing", "default") == "default"


@on_a_store
async def test_gather(db: AsyncDictSQLite) -> None:
    await asyncio.gather(*(db.aset(f"key:{number}", number) for number in range(100)))
    assert await asyncio.gather(*(db.aget(f"key:{number}") for number in range(100))) == list(range(100))


@on_a_store
async def test_gather_of_one_result_twice(db: AsyncDictSQLite) -> None:
    result = db.aget("a")
    assert await asyncio.gather(result, result) == [1, 1]


@on_a_store
async def test_a_finished_result_may_be_awaited_again(db: AsyncDictSQLite) -> None:
    result = db.aget("a")
    assert (await result, await result) == (1, 1)


@on_a_store
async def test_create_task(db: AsyncDictSQLite) -> None:
    assert await asyncio.create_task(db.aget("a")) == 1


@on_a_store
async def test_task_group(db: AsyncDictSQLite) -> None:
    if sys.version_info >= (3, 11):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(db.aset(f"key:{number}", number)) for number in range(10)]
        assert all(task.result() is None for task in tasks)
        assert await db.aget("key:9") == 9


@on_a_store
async def test_wait_for(db: AsyncDictSQLite) -> None:
    assert await asyncio.wait_for(db.aget("a"), timeout=10) == 1


@on_a_store
async def test_shield(db: AsyncDictSQLite) -> None:
    await asyncio.shield(db.aset("b", 2))
    assert await db.aget("b") == 2


@on_a_store
async def test_as_completed(db: AsyncDictSQLite) -> None:
    await db.aset("b", 2)
    assert sorted([await result for result in asyncio.as_completed([db.aget("a"), db.aget("b")])]) == [1, 2]


@on_a_store
async def test_wait_of_tasks(db: AsyncDictSQLite) -> None:
    done, pending = await asyncio.wait({asyncio.create_task(db.aget("a"))})
    assert [task.result() for task in done] == [1]
    assert not pending


@on_a_store
async def test_the_operation_is_handed_over_at_the_call(db: AsyncDictSQLite) -> None:
    later = db.aset("a", 2)
    await db.aset("b", 1)  # calls keep their order, so the first one is done, too
    assert await db.aget("a") == 2
    await later


@on_a_store
async def test_a_timed_out_write_is_not_withdrawn(db: AsyncDictSQLite) -> None:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(db.aset("a", 2), timeout=0)
    await db.aset("b", 1)
    assert await db.aget("a") == 2


@on_a_store
async def test_an_argument_error_is_raised_at_the_call(db: AsyncDictSQLite) -> None:
    with contextlib.suppress(ValueEncodingError):
        db.aset("a", lambda: None)
        raise AssertionError("no error")
    assert await db.aget("a") == 1


@on_a_store
async def test_the_result_is_a_coroutine(db: AsyncDictSQLite) -> None:
    result = db.aget("a")
    assert isinstance(result, Coroutine)
    assert await result == 1


@on_a_store
async def test_bound_methods_are_coroutine_functions(db: AsyncDictSQLite) -> None:
    if sys.version_info < (3, 14):  # there asyncio's question is deprecated
        assert asyncio.iscoroutinefunction(db.aget)
        assert asyncio.iscoroutinefunction(db.aset)


@on_a_store
async def test_async_iteration(db: AsyncDictSQLite) -> None:
    await db.abatch_set({"c": 3, "b": 2})
    assert [key async for key in db] == ["a", "b", "c"]
    assert [item async for item in db.aitems(start="b")] == [("b", 2), ("c", 3)]


@on_a_store
async def test_batches(db: AsyncDictSQLite) -> None:
    await db.abatch_set([("b", 2), ("c", 3)])
    assert await db.abatch_get(["c", "missing", "a"]) == [3, None, 1]
    assert await db.abatch_delete(["b", "c", "missing"]) == 2


@on_a_store
async def test_another_thread_with_a_loop_of_its_own(db: AsyncDictSQLite) -> None:
    found: List[Any] = []

    async def read() -> None:
        await db.aset("b", 2)
        found.append(await db.aget("a"))

    thread = threading.Thread(target=lambda: asyncio.run(read()))
    thread.start()
    await asyncio.get_running_loop().run_in_executor(None, thread.join)
    assert found == [1]
    assert await db.aget("b") == 2


@on_a_store
async def test_sync_twins_on_the_thread_of_the_loop(db: AsyncDictSQLite) -> None:
    db["b"] = 2
    assert db.get("b") == 2
    assert len(db) == 2


def test_asyncio_run_of_one_call(backend: str, tmp_path: Path) -> None:
    with AsyncDictSQLite(tmp_path / "test.db", persist_mode="writethrough", backend=backend) as db:
        asyncio.run(db.aset("a", 1))
        assert asyncio.run(db.aget("a")) == 1


def test_debug_mode_of_asyncio(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncDictSQLite(tmp_path / "test.db", persist_mode="writethrough", backend=backend) as db:
            await asyncio.gather(*(db.aset(f"key:{number}", number) for number in range(10)))
            assert await db.alen() == 10

    asyncio.run(main(), debug=True)


def main() -> None:
    """Run every test of this file on every backend, without pytest."""
    tests = {name: test for name, test in globals().items() if name.startswith("test_")}
    for backend in backends():
        for name, test in tests.items():
            with tempfile.TemporaryDirectory() as folder:
                test(backend, Path(folder))
            print(f"ok {backend} {name}")
    print(f"{len(tests)} tests passed on: {', '.join(backends())}")


if __name__ == "__main__":
    main()
