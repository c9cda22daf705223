"""A tour in one file: python examples/async_await_example.py."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from asyncdictsqlite import AsyncDictSQLite


async def one_key(db: AsyncDictSQLite) -> None:
    await db.aset("user:1", {"name": "Ada", "languages": ["en", "fr"]})  # on disk when it returns
    print("one key:", await db.aget("user:1"))
    print("a missing one:", await db.aget("user:9", "nobody"))
    print("it was there:", await db.adelete("user:1"))


async def many_at_once(db: AsyncDictSQLite) -> None:
    """Run many tasks: writers that wait at the same time share a commit."""
    await asyncio.gather(*(db.aset(f"task:{number:03}", number) for number in range(500)))
    stats = db.stats()
    print(f"many at once: {stats['writes']} writes in {stats['commits']} commits")


async def batches(db: AsyncDictSQLite) -> None:
    await db.abatch_set({"a": 1, "b": 2, "c": 3})  # all or nothing
    print("a batch:", await db.abatch_get(["c", "missing", "a"]))
    print("deleted:", await db.abatch_delete(["a", "b", "c", "missing"]))


async def in_key_order(db: AsyncDictSQLite) -> None:
    print("in key order:", [key async for key in db.akeys(prefix="task:", limit=3)])
    print("from the end:", [item async for item in db.aitems(reverse=True, limit=1)])


async def another_table(db: AsyncDictSQLite) -> None:
    sessions = db.table("sessions", storage_mode="json")
    await sessions.aset("s1", {"user": 1})
    print("tables:", await db.atables())


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncDictSQLite(Path(folder) / "tour.db", persist_mode="writethrough") as db:
            await one_key(db)
            await many_at_once(db)
            await batches(db)
            await in_key_order(db)
            await another_table(db)


if __name__ == "__main__":
    asyncio.run(main())
