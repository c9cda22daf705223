"""What a user writes; `make type` checks it by mypy --strict against the installed package's annotations."""

from __future__ import annotations

from typing import Any, Coroutine, Dict, List

from typing_extensions import assert_type

from asyncdictsqlite import AsyncDictError, AsyncDictSQLite


class Sessions(AsyncDictSQLite):
    """A subclass that adds and overrides methods."""

    def aget(self, key: str, default: Any = None) -> Coroutine[Any, Any, Any]:
        return super().aget(f"session:{key}", default)

    async def login(self, user: str) -> str:
        await self.aset(f"session:{user}", {"visits": 1})
        return user


async def use(path: str) -> None:
    async with AsyncDictSQLite(path, persist_mode="writethrough", storage_mode="json", capacity=1000) as db:
        assert_type(db, AsyncDictSQLite)
        assert_type(await db.aset("key", {"a": [1, 2]}), None)
        assert_type(await db.adelete("key"), bool)
        assert_type(await db.acontains("key"), bool)
        assert_type(await db.alen(), int)
        assert_type(await db.abatch_get(["a", "b"], default=0), List[Any])
        await db.abatch_set({"a": 1, "b": 2})
        await db.abatch_set([("a", 1), ("b", 2)])
        assert_type(await db.abatch_delete(["a", "b"]), int)
        assert_type([key async for key in db.akeys(prefix="a", reverse=True, limit=10)], List[str])
        async for name, value in db.aitems(start="a", end="b"):
            print(name.upper(), value)
        assert_type(await db.atables(), List[str])
        assert_type(db.stats(), Dict[str, Any])
    async with Sessions(path) as sessions:
        assert_type(sessions, Sessions)
        assert_type(sessions.table("other"), Sessions)
        assert_type(await sessions.login("ann"), str)


def use_without_a_loop(path: str) -> int:
    try:
        with AsyncDictSQLite(path) as db:
            assert_type(db, AsyncDictSQLite)
            db["key"] = 1
            assert_type([*db.keys()], List[str])
            return len(db)
    except AsyncDictError as error:
        assert_type(error.temporary, bool)
        return 0
