"""Section 1: the methods on one key, each async and sync."""

from __future__ import annotations

import warnings

from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, faces, raises, same


@check("1.10", "1.11", "1.15")
async def get_and_set(bench: Bench) -> None:
    """get returns the value or the default and never raises KeyError; set returns None."""
    for db in bench.stores():
        for number, call in enumerate(faces(db)):
            key = f"k{number}"
            same(await call("get", key), None)
            same(await call("get", key, 7), 7)
            same(await call("get", key, default="x"), "x")
            same(await call("set", key, [1, "two"]), None)
            same(await call("get", key, 7), [1, "two"])
            await call("set", key, None)
            same(await call("get", key, 7), None)
            await call("set", key=key, value=3)
            same(await call("get", key=key), 3)


@check("1.12")
async def delete_tells(bench: Bench) -> None:
    """delete returns True if the key was there, also where its value is None."""
    for db in bench.stores():
        for call in faces(db):
            same(await call("delete", "k"), False)
            await call("set", "k", None)
            same(await call("delete", "k"), True)
            same(await call("delete", "k"), False)
            same(await call("get", "k", 0), 0)


@check("1.13")
async def pop_takes(bench: Bench) -> None:
    """pop removes the key and returns its value, or the default; KeyError without one."""
    for db in bench.stores():
        for call in faces(db):
            await call("set", "k", {"a": 1})
            same(await call("pop", "k"), {"a": 1})
            same(await call("get", "k"), None)
            same(await call("pop", "k", 5), 5)
            same(await call("pop", "k", None), None)
            with raises(KeyError) as caught:
                await call("pop", "k")
            equal(caught.error.args, ("k",))
            await call("set", "k", None)
            same(await call("pop", "k", 5), None)


@check("1.14")
async def contains_tells(bench: Bench) -> None:
    """acontains and `in` tell whether a key is there, also where its value is None."""
    for db in bench.stores():
        same(await db.acontains("k"), False)
        same("k" in db, False)
        await db.aset("k", None)
        same(await db.acontains("k"), True)
        same("k" in db, True)


@check("1.15")
async def setdefault_as_dict(bench: Bench) -> None:
    """setdefault returns what is there, else sets the default and returns it."""
    for db in bench.stores():
        for number, call in enumerate(faces(db)):
            key = f"k{number}"
            same(await call("setdefault", key, [1]), [1])
            same(await call("setdefault", key, [2]), [1])
            same(await call("setdefault", key + "none"), None)
            same(await call("setdefault", key + "none", 3), None)
            same(await call("get", key), [1])


@check("1.15")
async def update_as_dict(bench: Bench) -> None:
    """update takes a mapping, pairs, keywords, or nothing, as dict.update does."""
    for db in bench.stores():
        for call in faces(db):
            await call("clear")
            same(await call("update", {"a": 1, "b": 1}), None)
            await call("update", [("b", 2), ("c", 2)])
            await call("update", {"c": 3}, d=4)
            await call("update", (pair for pair in [("e", 5)]))
            await call("update", items=6, self=7)
            await call("update")
            wanted = {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "items": 6, "self": 7}
            equal(dict(db.items()), wanted)


@check("1.15", "1.35")
async def clear_and_len(bench: Bench) -> None:
    """len counts the keys and clear removes them all."""
    for db in bench.stores():
        for call in faces(db):
            await db.abatch_set({f"k{i}": i for i in range(1500)})
            equal((await db.alen(), len(db)), (1500, 1500))
            same(await call("clear"), None)
            equal((await db.alen(), len(db)), (0, 0))
            same(await call("get", "k7"), None)
            equal(list(db), [])
            await call("set", "k7", 1)
            equal((await db.alen(), len(db)), (1, 1))


@check("1.20")
async def operators_as_dict(bench: Bench) -> None:
    """db[key], db[key] = v and del db[key] work, with KeyError as dict has it."""
    for db in bench.stores():
        with raises(KeyError) as caught:
            db["k"]
        equal(caught.error.args, ("k",))
        with raises(KeyError) as caught:
            del db["k"]
        equal(caught.error.args, ("k",))
        db["k"] = (1, 2)
        same(db["k"], (1, 2))
        del db["k"]
        assert "k" not in db
        db["k"] = None
        same(db["k"], None)


@check("1.20")
async def an_empty_store_is_still_a_store(bench: Bench) -> None:
    """Truth and equality of a store ask nothing that a user of dict would not expect."""
    for db in bench.stores():
        assert (db == db) and not (db != db), "a store must equal itself"  # noqa: PLR0124
        assert hash(db) == hash(db), "a store must be hashable: frameworks keep it in sets"
        equal(bool(db), False)
        db["k"] = 1
        equal(bool(db), True)


@check("1.21")
async def old_names(bench: Bench) -> None:
    """set_async and get_async work, with a DeprecationWarning."""
    for db in bench.stores():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            await db.set_async("k", 1)
            same(await db.get_async("k"), 1)
            same(await db.get_async("missing", 2), 2)
        caught = [one for one in caught if issubclass(one.category, DeprecationWarning)]
        equal(len(caught), 3)
        assert "aset" in str(caught[0].message), "the warning must name aset"
        assert all(one.filename == __file__ for one in caught), "the warning must point at the caller"


@check("1.23")
async def contexts(bench: Bench) -> None:
    """async with and with open the store, give it, and close it; an exception passes through."""
    for db in bench.stores():
        async with db as entered:
            assert entered is db, "async with must give the store"
            await db.aset("k", 1)
        with db as entered:
            assert entered is db, "with must give the store"
            db["k"] = 2
        with raises(ZeroDivisionError):
            async with db:
                raise ZeroDivisionError
        equal(db.stats()["state"], "closed")


@check("1.23")
async def open_flush_close(bench: Bench) -> None:
    """aopen, aflush, aclose and their twins may be called at any time, more than once."""
    for db in bench.stores():
        for call in faces(db):
            assert await call("open") is db, "open must give the store"
            assert await call("open") is db, "a second open must give the store"
            await call("set", "k", 1)
            same(await call("flush"), None)
            same(await call("flush"), None)
            same(await call("close"), None)
            same(await call("close"), None)


@check("1.22")
async def stats_counts(bench: Bench) -> None:
    """stats tells hits, misses, entries, bytes, unsaved, commits, writes per commit and the last error."""
    for db in bench.stores():
        await db.aset("k", "v")
        await db.aflush()
        before = db.stats()
        names = {
            "hits",
            "misses",
            "entries",
            "bytes",
            "unsaved",
            "commits",
            "writes_per_commit",
            "last_error",
            "backend",
        }
        equal(names - before.keys(), set())
        await db.aget("k")
        db.get("k")
        await db.aget("missing")
        after = db.stats()
        equal(after["hits"] - before["hits"], 2)
        assert after["misses"] > before["misses"], "a missing key must count as a miss"
        equal((after["entries"], after["unsaved"], after["last_error"]), (1, 0, None))
        assert after["bytes"] >= len("k") + len("v"), "bytes must count keys and values"
        equal(after["persist_mode"] + ".db", db._source.path.rpartition("/")[2])


@check("1.24", "1.25", needs={Capability.BACKUP})
async def backup_is_a_store(bench: Bench) -> None:
    """A backup holds all that was acknowledged before it; a path that is there already is refused."""
    for mode in bench.file_modes:
        db = bench.open(f"{mode}.db", persist_mode=mode)
        await db.abatch_set({f"k{i}": i for i in range(100)})
        await db.table("other").aset("o", 1)
        for number, call in enumerate(faces(db)):
            target = f"{mode}-copy{number}.db"
            same(await call("backup", bench.path(target)), None)
            await db.aset(f"after{number}", 1)
            with raises(FileExistsError):
                await call("backup", bench.path(target))
            copy = bench.open(target, persist_mode=mode)
            wanted = {f"k{i}": i for i in range(100)}
            wanted.update({f"after{i}": 1 for i in range(number)})
            equal(dict(copy.items()), wanted)
            equal(await copy.table("other").aget("o"), 1)
            equal((bench.directory / target).stat().st_mode & 0o777, 0o600)
    with raises(FileNotFoundError):
        await db.abackup(bench.path("missing/copy.db"))
