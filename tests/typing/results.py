"""What each call gives, as a user's type checker sees it; `make type` checks this file by mypy --strict."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, AsyncIterator, Coroutine, Dict, Iterator, List, Tuple

from typing_extensions import assert_type

from asyncdictsqlite import AsyncDictSQLite, DurabilityUnknownError, LockedError, StorageError, ValueTooLargeError
from asyncdictsqlite.protocol import Change, Engine, Kind, Op, Was


async def one_key(db: AsyncDictSQLite) -> None:
    pending = assert_type(db.aget("key"), Coroutine[Any, Any, Any])
    assert_type(await pending, Any)
    assert_type(await db.aget("key", 0), Any)
    assert_type(await db.aset("key", 1), None)
    assert_type(await db.apop("key"), Any)
    assert_type(await db.apop("key", None), Any)
    assert_type(await db.asetdefault("key", []), Any)
    assert_type(await db.adelete("key"), bool)
    assert_type(await db.acontains("key"), bool)
    assert_type(await db.get_async("key"), Any)


async def many_keys(db: AsyncDictSQLite) -> None:
    assert_type(await db.abatch_get(["a", "b"]), List[Any])
    assert_type(await db.abatch_get(key for key in "ab"), List[Any])
    assert_type(await db.abatch_set({"a": 1}), None)
    assert_type(await db.abatch_set(("a", n) for n in range(3)), None)
    assert_type(await db.aupdate({"a": 1}, b=2), None)
    assert_type(await db.abatch_delete({"a", "b"}), int)
    assert_type(await db.alen(), int)
    assert_type(await db.aclear(), None)


async def iteration(db: AsyncDictSQLite) -> None:
    assert_type(db.akeys(prefix="user:", limit=10), AsyncIterator[str])
    assert_type(db.avalues(start="a", end="b"), AsyncIterator[Any])
    assert_type(db.aitems(reverse=True), AsyncIterator[Tuple[str, Any]])
    assert_type({key: value async for key, value in db.aitems()}, Dict[str, Any])
    async for key in db:
        assert_type(key, str)
    for key in db:
        assert_type(key, str)
    assert_type(db.keys(), Iterator[str])
    assert_type(list(db.items()), List[Tuple[str, Any]])


async def asyncio_takes_them(db: AsyncDictSQLite) -> None:
    assert_type(asyncio.create_task(db.adelete("key")), "asyncio.Task[bool]")
    assert_type(await asyncio.wait_for(db.alen(), timeout=1), int)
    assert_type(await asyncio.shield(db.acontains("key")), bool)
    assert_type(await asyncio.gather(db.alen(), db.adelete("key")), Tuple[int, bool])
    assert_type(await asyncio.gather(*(db.adelete(key) for key in "ab")), List[bool])


async def opened_and_closed(path: os.PathLike[str]) -> None:
    async with AsyncDictSQLite(path) as db:
        assert_type(db, AsyncDictSQLite)
    with AsyncDictSQLite(Path("app.db"), backend="threads") as db:
        assert_type(db, AsyncDictSQLite)
    assert_type(await db.aopen(), AsyncDictSQLite)
    assert_type(db.open(), AsyncDictSQLite)
    assert_type(await db.aclose(), None)
    assert_type(db.backend, str)
    assert_type(db.stats(), Dict[str, Any])


async def tables(db: AsyncDictSQLite) -> None:
    assert_type(db.table("users", storage_mode="json"), AsyncDictSQLite)
    assert_type(await db.atables(), List[str])
    assert_type(await db.adrop_table("users"), bool)
    assert_type(await db.abackup(Path("copy.db")), None)


def sync_twins(db: AsyncDictSQLite) -> None:
    assert_type(db.get("key", 0), Any)
    assert_type(db.delete("key"), bool)
    assert_type(db.pop("key", None), Any)
    assert_type(db.setdefault("key", 0), Any)
    assert_type(db.batch_get(["a"]), List[Any])
    assert_type(db.batch_delete(["a"]), int)
    assert_type("key" in db, bool)
    assert_type(len(db), int)
    assert_type(db["key"], Any)
    db["key"] = 1
    del db["key"]


class Users(AsyncDictSQLite):
    """A subclass may override by a coroutine function and call the method of its base."""

    async def aget(self, key: str, default: Any = None) -> Any:
        assert_type(await super().aget(key, default), Any)
        return await super().aget(f"user:{key}", default)


async def subclass(path: str) -> None:
    async with Users(path, persist_mode="writethrough") as users:
        assert_type(users, Users)
        assert_type(users.table("others"), Users)
        assert_type(await users.aopen(), Users)
        assert_type(await users.aget("ann"), Any)


async def errors(db: AsyncDictSQLite) -> None:
    try:
        await db.aset("key", 1)
    except (LockedError, DurabilityUnknownError) as error:
        assert_type(error.applied, "bool | None")
        assert_type(error.temporary, bool)
        as_oserror: OSError = error
        print(as_oserror.errno)
    except ValueTooLargeError as error:
        as_value_error: ValueError = error
        print(as_value_error)
    raise StorageError("written by a backend", applied=True)


def seam(engine: Engine) -> None:
    assert_type(engine.read("main", ["a"]), "Op[list[bytes | None]]")
    assert_type(engine.commit([Change(Kind.DELETE, "main", "a")], old=True).wait(), List[Was])
    assert_type(engine.commit([]).wait()[0].there, bool)
    done: Op[int] = engine.count("main")
    assert_type(done.done(), bool)
