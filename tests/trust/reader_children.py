"""What the children of the long reader's test do: iterate slowly while others commit, and look at the WAL."""

from __future__ import annotations

import asyncio
import os

from asyncdictsqlite import AsyncDictSQLite
from asyncdictsqlite.testing.peer import Servant
from tests.trust.farm import Case, Lines, Say

STABLE = [f"s{number:04d}" for number in range(3000)]  # several pages of an iteration


def iterate(case: Case, _before: Lines, say: Say) -> None:
    """Iterate during the commits; an idle neighbour has the file open, where the store lets it."""
    asyncio.run(_iterate(case, say))


async def _iterate(case: Case, say: Say) -> None:
    modes = {"persist_mode": "writethrough", "synchronous": "normal", "storage_mode": "bytes"}
    db = await AsyncDictSQLite(case["path"], backend=case["backend"], exclusive=case["alone"], **modes).aopen()
    await db.abatch_set(dict.fromkeys(STABLE, b"stable"))
    with Servant(case["backend"]) as neighbour:
        if not case["alone"]:
            neighbour.call(case["path"], "open", exclusive=False, **modes)
            neighbour.call(case["path"], "get", STABLE[0])
        wal = await _commits(case, db, say)
    await db.aclose()
    say(["wal", wal])


async def _commits(case: Case, db: AsyncDictSQLite, say: Say) -> int:
    """Commit, and take a key of the iteration at times; return the most bytes that the WAL had."""
    rows, found, most = db.akeys().__aiter__(), [], 0
    each = max(1, case["commits"] // len(STABLE))
    for number in range(case["commits"]):
        await db.aset(f"w{number % 500}", b"%d" % number + bytes(case["size"]))
        if number % each == 0 and len(found) < len(STABLE):
            found.append(await rows.__anext__())
        if number % 20 == 0:
            most = max(most, os.path.getsize(case["path"] + "-wal"))
    found += [key async for key in rows]
    if [key for key in found if key.startswith("s")] != STABLE:
        say(["bad", "a key that was there throughout was not seen once, in order"])
    return most
