"""Section 1: the constructor, and the first use."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import pathlib
import threading
from typing import Iterator, Optional

from ... import AsyncDictSQLite, ConfigError, UnknownBackendError, registry
from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, on_threads, raises, same


@check("1.1", "5.6")
async def the_constructor_does_no_io(bench: Bench) -> None:
    """The constructor and table() touch no file and start no thread; a path that cannot be opened is no error yet."""
    threads = threading.active_count()
    for db in bench.stores():
        db.table("other")
        equal(db.stats()["state"], "unopened")
    bench.open("missing/folder/x.db")
    equal(list(bench.directory.iterdir()), [])
    equal(threading.active_count(), threads)


@check("1.1")
async def every_first_use_opens(bench: Bench) -> None:
    """The store opens by any first use: aopen, open, async with, with, or any call."""
    for mode in bench.persist_modes:
        db = [bench.open(f"{mode}{number}.db", persist_mode=mode) for number in range(12)]
        await db[0].aopen()
        db[1].open()
        async with db[2] as entered:
            equal(entered.stats()["state"], "open")
        with db[3] as entered:
            equal(entered.stats()["state"], "open")
        same(await db[4].aget("k"), None)
        db[5].set("k", 1)
        equal([key async for key in db[6]], [])
        equal(len(db[7]), 0)
        same("k" in db[8], False)
        await db[9].aflush()
        equal(await db[10].atables(), ["main"])
        equal(await db[11].abatch_get(["a"]), [None])
        equal({db[number].stats()["state"] for number in (0, 1, 4, 5, 6, 7, 8, 9, 10, 11)}, {"open"})


@check("1.1", "5.2")
async def close_without_use(bench: Bench) -> None:
    """A store that was never used closes without making a file."""
    for db in bench.stores():
        await db.aclose()
        db.close()
    equal(list(bench.directory.iterdir()), [])


@check("1.2")
async def path_types(bench: Bench) -> None:
    """The path is a str or an os.PathLike of str; anything else is a TypeError."""
    for wrong in (1, None, b"x.db", pathlib.PurePath):
        with raises(TypeError):
            AsyncDictSQLite(wrong, backend=bench.backend)  # type: ignore[arg-type]
    for mode in bench.persist_modes:
        options = {"persist_mode": mode, "backend": bench.backend}
        async with AsyncDictSQLite(pathlib.Path(bench.path(f"{mode}.db")), **options) as db:  # type: ignore[arg-type]
            await db.aset("k", 1)


@check("1.3")
async def defaults(bench: Bench) -> None:
    """The options, their order and their defaults are those of the contract."""
    parameters = list(inspect.signature(AsyncDictSQLite.__init__).parameters.values())[1:]
    equal(parameters[0].name, "db_path")
    positional = [(one.name, one.default) for one in parameters[1:] if one.kind is one.POSITIONAL_OR_KEYWORD]
    keyword_only = {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}
    equal(positional, [
        ("capacity", 1_000_000), ("persist_mode", "lazy"), ("storage_mode", "pickle"), ("table_name", "main"),
        ("buffer_size", 100)])  # fmt: skip
    equal(keyword_only, {
        "backend": "auto", "capacity_bytes": 256 * 2**20, "evict": False, "synchronous": "full", "flush_interval": 1.0,
        "max_unsaved": 100_000, "max_unsaved_bytes": 64 * 2**20, "busy_timeout": 5.0, "exclusive": None,
        "readonly": False, "pickle_allow": (), "max_value_bytes": 64 * 2**20})  # fmt: skip
    equal(bench.open().backend, bench.backend)


@check("1.4", "1.5")
async def auto_and_its_override(bench: Bench) -> None:
    """ADSQ_BACKEND overrides "auto", and only it; without it a backend is chosen that can be loaded."""
    path = bench.path()
    with _environment(bench.backend):
        db = AsyncDictSQLite(path, persist_mode=bench.persist_modes[-1])
        equal((db.backend, db.stats()["backend"]), (bench.backend, bench.backend))
        await db.aset("k", 1)
        equal(db.stats()["backend"], bench.backend)
        await db.aclose()
    with _environment("nosuch"):
        with raises(UnknownBackendError, "nosuch"):
            AsyncDictSQLite(path)
        equal(AsyncDictSQLite(path, backend=bench.backend, persist_mode=bench.persist_modes[0]).backend, bench.backend)
    with _environment(None):
        chosen = AsyncDictSQLite(path).backend
        assert chosen in registry.names() and chosen != "auto", f"auto chose {chosen!r}"


@contextlib.contextmanager
def _environment(backend: Optional[str]) -> Iterator[None]:
    before = os.environ.pop("ADSQ_BACKEND", None)
    if backend is not None:
        os.environ["ADSQ_BACKEND"] = backend
    try:
        yield
    finally:
        os.environ.pop("ADSQ_BACKEND", None)
        if before is not None:
            os.environ["ADSQ_BACKEND"] = before


@check("1.5", "6.3")
async def unknown_backends(bench: Bench) -> None:
    """An unknown backend is an UnknownBackendError that names the known ones."""
    with raises(UnknownBackendError, "nosuch", bench.backend if bench.backend in registry.names() else "rust"):
        AsyncDictSQLite(bench.path(), backend="nosuch")
    for wrong in (None, 1, ""):
        with raises(ConfigError):
            AsyncDictSQLite(bench.path(), backend=wrong)  # type: ignore[arg-type]


@check("1.71", "6.3")
async def names_that_are_no_file(bench: Bench) -> None:
    """ ":memory:" and "" are ConfigErrors that name persist_mode='memory'; capacity=0 in memory mode likewise."""
    for mode in bench.persist_modes:
        for name in (":memory:", ""):
            with raises(ConfigError, "persist_mode='memory'"):
                AsyncDictSQLite(name, persist_mode=mode, backend=bench.backend)
    with raises(ConfigError, "capacity"):
        AsyncDictSQLite("x", capacity=0, persist_mode="memory", backend=bench.backend)


@check("1.70", "3.1", needs={Capability.MEMORY})
async def memory_touches_no_file(bench: Bench) -> None:
    """Memory mode makes no file, whatever is done with it, and its path may be any name."""
    db = bench.open("no/such/folder/x.db", persist_mode="memory")
    await db.aset("k", 1)
    await db.table("other").abatch_set({"a": 1, "b": 2})
    await db.aflush()
    equal((list(db.table("other").items()), await db.atables()), ([("a", 1), ("b", 2)], ["main", "other"]))
    with raises(ConfigError, "memory"):
        await db.abackup(bench.path("copy.db"))
    await db.aclose()
    equal(list(bench.directory.iterdir()), [])
    again = bench.open("no/such/folder/x.db", persist_mode="memory")
    same(await again.aget("k"), None)


@check("1.66", "1.51", "1.68")
async def many_first_callers_keep_their_order(bench: Bench) -> None:
    """Calls on an unopened store are handed over in their order, and the loop does not wait for the open."""
    for db in bench.stores():
        calls = [db.asetdefault("first", i) for i in range(50)]
        calls += [db.aset("last", i) for i in range(50)]
        assert not calls[0].done() or db.stats()["persist_mode"] == "memory", "the call waited for the open"  # type: ignore[attr-defined]
        equal((await asyncio.gather(*calls))[:50], [0] * 50)
        equal((await db.aget("last"), await db.aget("first")), (49, 0))


@check("1.66", "1.58")
async def many_first_callers_on_many_threads(bench: Bench) -> None:
    """Threads and loops may all be the first to use a store: one opens it, all are served."""
    for db in bench.stores():

        def use(number: int, db: AsyncDictSQLite = db) -> object:
            if number % 2:
                db.set(f"k{number}", number)
            else:
                asyncio.run(db.aset(f"k{number}", number))  # type: ignore[arg-type]
            return db.get(f"k{number}")

        equal(await on_threads(8, use), list(range(8)))
        equal(await db.alen(), 8)


@check("1.67", "6.11", needs={Capability.WRITETHROUGH})
async def a_failed_open_fails_all_and_is_tried_again(bench: Bench) -> None:
    """A failed open fails every call that waited for it; the next use tries again."""
    db = bench.open("later/x.db")
    calls = [db.aset("k", 1), db.aget("k"), db.apop("k"), db.aopen(), db.alen(), db.aflush()]
    for error in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(error, FileNotFoundError), f"{error!r} instead of FileNotFoundError"
    with raises(FileNotFoundError, "later"):
        db.get("k")
    with raises(FileNotFoundError):
        async for _ in db:
            pass
    (bench.directory / "later").mkdir()
    await db.aset("k", 2)
    equal(db["k"], 2)


@check("1.74")
async def subclasses(bench: Bench) -> None:
    """A subclass that overrides a method works, also its super() and its table views."""

    class Counting(AsyncDictSQLite):
        asked = 0

        async def aget(self, key: str, default: object = None) -> object:
            self.asked += 1
            return await super().aget(key, default)

        def double(self, key: str) -> object:
            return self.get(key) * 2

    for mode in bench.persist_modes:
        async with Counting(bench.path(f"{mode}.db"), backend=bench.backend, persist_mode=mode) as db:
            await db.aset("k", 21)
            equal((await db.aget("k"), db.double("k"), db.asked), (21, 42, 1))
            equal(isinstance(db.table("other"), Counting), True)


@check("1.59")
async def typed(bench: Bench) -> None:
    """The package has py.typed, and its public names are all there."""
    import asyncdictsqlite

    assert (pathlib.Path(asyncdictsqlite.__file__).parent / "py.typed").exists(), "py.typed is missing"
    for name in asyncdictsqlite.__all__:
        assert hasattr(asyncdictsqlite, name), name
