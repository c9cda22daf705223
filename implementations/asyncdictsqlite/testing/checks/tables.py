"""Section 1: several tables in one file."""

from __future__ import annotations

import asyncio

from ... import AsyncDictSQLite
from ...errors import ClosedError, InvalidTableNameError, InvalidValueError, StorageModeMismatchError
from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, faces, raises, same

_TABLES = frozenset({Capability.TABLES})


@check("1.40", "2.4", needs=_TABLES)
async def tables_are_independent(bench: Bench) -> None:
    """A view has the same surface over another table, independent of the first."""
    for db in bench.stores():
        other = db.table("other")
        assert isinstance(other, AsyncDictSQLite), "a view must be a store"
        await asyncio.gather(db.aset("k", "main"), other.aset("k", "other"))
        same((await db.aget("k"), other.get("k")), ("main", "other"))
        await other.abatch_set({"a": 1, "b": 2})
        equal((len(db), len(other), list(other)), (1, 3, ["a", "b", "k"]))
        await other.aclear()
        equal((await other.aget("k"), await db.aget("k")), (None, "main"))
        again = db.table("other")
        await again.aset("k", 3)
        equal(await other.aget("k"), 3)
        equal(await other.table("third").asetdefault("k", 4), 4)


@check("1.41", needs=_TABLES)
async def tables_are_named(bench: Bench) -> None:
    """tables names them in order; drop_table drops one with its keys and tells whether it was there."""
    for db in bench.stores():
        await db.aset("k", 1)
        for name in ("zoo", "Apple", "_x"):
            await db.table(name).aset("k", name)
        equal(await db.atables(), sorted(["main", "zoo", "Apple", "_x"]))
        equal(db.tables(), await db.atables())
        for call, name in zip(faces(db), ("zoo", "Apple")):
            same(await call("drop_table", name), True)
            same(await call("drop_table", name), False)
            equal(await db.table(name).aget("k"), None)
        equal(await db.aget("k"), 1)
        with raises(InvalidTableNameError):
            await db.adrop_table("sqlite_x")


@check("1.44", needs=_TABLES)
async def views_of_a_dropped_table_are_closed(bench: Bench) -> None:
    """After a table is dropped its views raise ClosedError; a new view is a new table."""
    for db in bench.stores():
        old = db.table("t", storage_mode="json")
        await old.aset("k", 1)
        await db.adrop_table("t")
        with raises(ClosedError, "drop"):
            await old.aget("k")
        with raises(ClosedError, "drop"):
            old.set("k", 1)
        new = db.table("t", storage_mode="bytes")
        await new.aset("k", b"2")
        equal((await new.aget("k"), await new.alen()), (b"2", 1))


@check("1.42", "2.15", needs=_TABLES)
async def a_table_keeps_its_mode(bench: Bench) -> None:
    """A view takes the mode in the file, or the parent's for a new table; another one is a mismatch."""
    for mode in bench.persist_modes:
        db = bench.open(f"{mode}.db", persist_mode=mode, storage_mode="json")
        await db.table("raw", storage_mode="bytes").aset("k", b"raw")
        await db.table("heir").aset("k", (1, 2))
        same(await db.table("heir").aget("k"), [1, 2])
        same(await db.table("raw").aget("k"), b"raw")
        with raises(StorageModeMismatchError, "raw", "bytes", "json"):
            await db.table("raw", storage_mode="json").aget("k")
        with raises(StorageModeMismatchError):
            db.table("raw", storage_mode="pickle").set("k", 1)


@check("1.42", needs=_TABLES)
async def the_file_tells_the_mode_of_a_first_write(bench: Bench) -> None:
    """The first use of a view may be a write: its value is kept in the mode that the file has."""
    for mode in bench.file_modes:
        db = bench.open(f"{mode}.db", persist_mode=mode, storage_mode="json")
        await db.table("raw", storage_mode="bytes").aset("k", b"raw")
        await db.table("any", storage_mode="pickle").aset("k", (1, {2}))
        await db.aclose()
        for opened in (True, False):
            first = bench.open(f"{mode}.db", persist_mode=mode, storage_mode="json")
            if opened:
                await first.aopen()
            raw = first.table("raw")
            await raw.aset("new", b"x")
            same((await raw.aget("k"), await raw.aget("new")), (b"raw", b"x"))
            equal(raw.stats()["storage_mode"], "bytes")
            await first.table("any").aset("new", (3, {4}))
            same(await first.table("any").aget("new"), (3, {4}))
            with raises(InvalidValueError):
                await first.table("raw").aset("k", [1])
            await first.aclose()


@check("1.43", needs=_TABLES)
async def a_closed_view_is_closed_for_itself(bench: Bench) -> None:
    """Closing a view closes neither its store nor another view of the table."""
    for db in bench.stores():
        one, two = db.table("t"), db.table("t")
        await one.aset("k", 1)
        equal(await two.aget("k"), 1)
        await one.aclose()
        await one.aclose()
        with raises(ClosedError):
            await one.aget("k")
        equal((await two.aget("k"), await db.aget("k")), (1, None))
        async with db.table("t") as three:
            equal(await three.aget("k"), 1)
        equal(await two.aget("k"), 1)


@check("6.10", needs=_TABLES)
async def table_names_that_differ_in_case(bench: Bench) -> None:
    """A table name that equals an existing one but for case is refused; the table stays."""
    for db in bench.stores():
        await db.table("Users").aset("k", 1)
        with raises(InvalidTableNameError, "users", "case"):
            await db.table("users").aget("k")
        equal((await db.table("Users").aget("k"), await db.atables()), (1, ["Users", "main"]))


@check("1.40", "1.66", needs=_TABLES)
async def many_tables_at_once(bench: Bench) -> None:
    """Many views opened and written at once each keep their own keys."""
    for db in bench.stores():
        views = [db.table(f"t{i}") for i in range(20)]
        await asyncio.gather(*(view.aset(f"k{j}", (i, j)) for j in range(5) for i, view in enumerate(views)))
        for i, view in enumerate(views):
            equal(dict(view.items()), {f"k{j}": (i, j) for j in range(5)})
        equal(len(await db.atables()), 21)
