"""What the children of the tests of failed syncs and of a full disk do; see `io_children`."""

from __future__ import annotations

import asyncio
import resource
import time
from typing import Any, Callable, List

from asyncdictsqlite import AsyncDictSQLite, StateError
from tests.trust import preload
from tests.trust.farm import Case, Lines, Say
from tests.trust.io_children import options

PAGES = 64 * 1024
OLD, NEW = b"old", b"new"


def fail_a_sync(case: Case, _before: Lines, say: Say) -> None:
    """Fail one sync, of a commit or of a checkpoint; look at the store until it is reopened."""
    asyncio.run(_fail_a_sync(case, say))


async def _fail_a_sync(case: Case, say: Say) -> None:
    db = await AsyncDictSQLite(case["path"], **options(case)).aopen()
    await db.aset("k", OLD)
    await db.aflush()
    if case["where"] == "commit":
        preload.arm(case["path"], 1, case["error"], kinds=preload.SYNC, files=preload.WAL)
        told = await asyncio.gather(*_calls(db, case["mode"]), return_exceptions=True)
    else:
        preload.arm(case["path"], 1, case["error"], kinds=preload.SYNC, files=preload.DATABASE)
        told = await _until_it_checkpoints(db)
    say(["told", *sorted({type(one).__name__ for one in told if isinstance(one, Exception)})])
    say(["failed", preload.disarm().failed])
    for call in (lambda: db.aget("k"), lambda: db.aset("k", b"never"), db.aflush):
        answer = await _outcome(call)
        if not isinstance(answer, StateError) or "aopen" not in str(answer):
            say(["bad", f"after a failed sync: {answer!r}"])
    if db.stats()["state"] != "stopped" or db.stats()["entries"]:
        say(["bad", f"state {db.stats()['state']} with {db.stats()['entries']} entries"])
    await db.aopen()
    value = await db.aget("k")
    allowed = (OLD, NEW) if case["where"] == "commit" else (OLD,)
    if value not in allowed:
        say(["bad", f"k holds {value!r} after the reopening"])
    await db.aset("k", b"works")
    await db.aclose()
    say(["reopened", 1])


def _calls(db: AsyncDictSQLite, mode: str) -> List[Any]:
    calls: List[Any] = [db.aset("k", NEW), db.aset("other", NEW), db.adelete("none")]
    return [*calls, db.aflush()] if mode == "lazy" else calls


async def _until_it_checkpoints(db: AsyncDictSQLite) -> List[Any]:
    """Write more than the WAL may hold until the sync of the database fails; return what was raised."""
    raised: List[Any] = []
    for number in range(200):
        raised.append(await _outcome(lambda: db.aset(f"big{number}", b"x" * PAGES)))  # noqa: B023
        raised.append(await _outcome(db.aflush))
        if db.stats()["state"] == "stopped":
            break
        await asyncio.sleep(0)
    deadline = time.monotonic() + 5
    while db.stats()["state"] == "open" and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    return raised


async def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return await call()
    except Exception as error:
        return error


def check_nothing_is_lost(case: Case, _before: Lines, say: Say) -> None:
    """In a fresh process: the store opens, and holds what it acknowledged last."""
    with AsyncDictSQLite(case["path"], **options(case)) as db:
        if db.get("k") != b"works":
            say(["bad", f"k holds {db.get('k')!r}"])


def fill_the_disk(case: Case, _before: Lines, say: Say) -> None:
    """Write until nothing fits, read, make room, go on."""
    asyncio.run(_fill_the_disk(case, say))


async def _fill_the_disk(case: Case, say: Say) -> None:
    db = await AsyncDictSQLite(case["path"], **options(case)).aopen()
    await db.aset("k", OLD)
    await db.aflush()
    preload.arm(case["path"], 0)
    _limit(case, 300_000)
    kept, refused = {"k": OLD}, 0
    for number in range(20):
        key, value = f"k{number}", b"%d" % number + b"." * 50_000
        try:
            await db.aset(key, value)
            await db.aflush()
            kept[key] = value
        except Exception as error:
            refused += 1
            if case["mode"] == "lazy":
                kept[key] = value  # kept in memory, and tried again
            _judge(case, error, say)
        found = await db.abatch_get(list(kept))
        if found != list(kept.values()):
            say(["bad", "a read is wrong while the disk is full"])
    if db.stats()["state"] != "open":
        say(["bad", f"a full disk left it {db.stats()['state']}"])
    _limit(case, -1)
    while True:  # the first may tell of an earlier flush
        answer = await _outcome(lambda: db.aset("k", b"works"))
        if answer is None and await _outcome(db.aflush) is None:
            break
        if type(answer).__name__ != "FlushFailedError":
            say(["bad", f"with room again: {answer!r}"])
            break
    kept["k"] = b"works"
    if case["mode"] == "writethrough" and {key: value async for key, value in db.aitems()} != kept:
        say(["bad", "what was refused is there, or what was acknowledged is not"])
    say(["refused", refused])
    await db.aclose()


def _limit(case: Case, size_bytes: int) -> None:
    if case["by"] == "ENOSPC":
        preload.limit(size_bytes)
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


def _judge(case: Case, error: Exception, say: Say) -> None:
    name = type(error).__name__
    say(["error", name])
    wanted = ("DiskFullError", "FlushFailedError") if case["mode"] == "lazy" else ("DiskFullError",)
    if name not in wanted or getattr(error, "applied", None) is not False:
        say(["bad", f"a full disk gives {error!r}"])
