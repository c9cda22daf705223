"""What a user must not write. mypy tells each line by the code in its comment, and nothing else: see test_misuse.py."""

from __future__ import annotations

from typing import Any, Coroutine

from asyncdictsqlite import AsyncDictSQLite
from asyncdictsqlite.protocol import Engine


async def keys(db: AsyncDictSQLite) -> None:
    await db.aget(1)  # type: ignore[arg-type]
    await db.aset(b"key", 1)  # type: ignore[arg-type]
    await db.aset("key")  # type: ignore[call-arg]
    await db.abatch_get([1, 2])  # type: ignore[list-item]
    await db.abatch_set({1: "one"})  # type: ignore[arg-type]
    db[1] = "one"  # type: ignore[index]


async def forgotten_await(db: AsyncDictSQLite) -> None:
    count: int = db.alen()  # type: ignore[assignment]
    db.aset("key", count)  # type: ignore[unused-coroutine]


async def iteration(db: AsyncDictSQLite) -> None:
    for key in db.akeys():  # type: ignore[attr-defined]
        print(key)
    async for key in db.akeys(limit="ten"):  # type: ignore[arg-type]
        print(key)


def options(path: bytes) -> None:
    AsyncDictSQLite(path)  # type: ignore[arg-type]
    AsyncDictSQLite("app.db", capacity="many")  # type: ignore[arg-type]
    AsyncDictSQLite("app.db", persist="lazy")  # type: ignore[call-arg]
    AsyncDictSQLite("app.db", 1, "lazy", "json", "main", 1, "rust")  # type: ignore[call-arg]


class Narrow(AsyncDictSQLite):
    def aget(self, key: str) -> Coroutine[Any, Any, Any]:  # type: ignore[override]
        return super().aget(key)


class NoEngine:
    def read(self) -> None: ...


def backend() -> Engine:
    return NoEngine()  # type: ignore[return-value]
