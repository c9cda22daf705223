"""What the children of the readers' tests do: read while others commit, and look at the WAL and its syncs."""

from __future__ import annotations

import asyncio
import os
import random
import warnings
from typing import Any, AsyncIterator, Awaitable, Callable, Dict, List

from asyncdictsqlite import AsyncDictSQLite, WalResetWarning
from asyncdictsqlite.testing.peer import Servant
from asyncdictsqlite.testing.preload import counts
from tests.trust.farm import Case, Lines, Say
from tests.trust.neighbour import TRUNCATE, Neighbour

STABLE = [f"s{number:04d}" for number in range(3000)]  # several pages of an iteration
MODES: Dict[str, Any] = {"persist_mode": "writethrough", "synchronous": "normal", "storage_mode": "bytes"}


async def opened(case: Case, *, alone: bool = False, **options: Any) -> AsyncDictSQLite:
    """Open a store that neighbours may share, whatever SQLite is in use: none of them writes at the same time."""
    warnings.simplefilter("ignore", WalResetWarning)
    return await AsyncDictSQLite(case["path"], backend=case["backend"], exclusive=alone, **MODES, **options).aopen()


def iterate(case: Case, _before: Lines, say: Say) -> None:
    """Iterate during the commits; an idle neighbour has the file open, where the store lets it."""
    asyncio.run(_iterate(case, say))


async def _iterate(case: Case, say: Say) -> None:
    db = await opened(case, alone=case["alone"])
    await db.abatch_set(dict.fromkeys(STABLE, b"stable"))
    with Servant(case["backend"]) as neighbour:
        if not case["alone"]:
            neighbour.call(case["path"], "open", exclusive=False, **MODES)
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


def read_and_rest(case: Case, _before: Lines, say: Say) -> None:
    """Read in every way; after each, in the next turn of the loop, a neighbour empties the WAL."""
    asyncio.run(_read_and_rest(case, say))


async def _read_and_rest(case: Case, say: Say) -> None:
    db, drawn = await opened(case, capacity=10), random.Random(case["seed"])
    await db.abatch_set(dict.fromkeys(STABLE, bytes(1500)))
    iterations = [_again(db.akeys), _again(db.avalues), _again(lambda: db.aitems(reverse=True))]
    ways: List[Callable[[], Awaitable[Any]]] = [
        *(lambda rows=rows: _taken(rows, drawn.randrange(1, 150)) for rows in iterations),  # type: ignore[misc]
        lambda: db.aget(drawn.choice(STABLE)),
        lambda: asyncio.gather(*(db.aget(key) for key in drawn.sample(STABLE, 20))),
        lambda: db.abatch_get(drawn.sample(STABLE, 200)),
        lambda: db.acontains(drawn.choice(STABLE)),
        lambda: db.apop("none", None),
        db.alen,
        db.atables,
    ]
    held = 0
    with Neighbour(case["path"]) as neighbour:
        for number in range(case["reads"]):
            await db.aset("w", b"%d" % number)  # a WAL that is empty would be nobody's
            await ways[number % len(ways)]()
            await asyncio.sleep(0)
            held += neighbour.run(TRUNCATE)[0][0]
    say(["held", held])
    await db.aclose()


async def _again(iteration: Callable[[], AsyncIterator[Any]]) -> AsyncIterator[Any]:
    while True:
        async for row in iteration():
            yield row


async def _taken(rows: AsyncIterator[Any], number: int) -> None:
    for _ in range(number):
        await rows.__anext__()


def flush_beside_a_reader(case: Case, _before: Lines, say: Say) -> None:
    """Write in NORMAL and flush while a neighbour reads from a WAL that was copied back; count the syncs of the WAL."""
    asyncio.run(_flush_beside_a_reader(case, say))


async def _flush_beside_a_reader(case: Case, say: Say) -> None:
    db = await opened(case)
    with Neighbour(case["path"]) as neighbour:
        for number in range(case["flushes"]):
            await db.aset("k", b"%d" % number)
            _checked(neighbour.run("PRAGMA wal_checkpoint(PASSIVE)"), say)  # without a sync: nothing is safe
            neighbour.run("BEGIN")
            neighbour.run("SELECT count(*) FROM main")
            if number % 2:
                await db.aset("k", b"after the copy")
            before = counts().wal_syncs
            await db.aflush()
            say(["synced", counts().wal_syncs - before])
            neighbour.run("COMMIT")
    await db.aclose()


def _checked(rows: List[Any], say: Say) -> None:
    ((busy, frames, copied),) = rows
    if busy or frames != copied:
        say(["bad", f"the WAL was not copied back: {rows}"])
