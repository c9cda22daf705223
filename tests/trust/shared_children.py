"""What the children of the test of many processes do: read or write one file, and be killed at times."""

from __future__ import annotations

import asyncio
import time

from asyncdictsqlite import AsyncDictSQLite, LockedError
from tests.trust.farm import Case, Lines, Say, kill_within
from tests.trust.recorded import Mix, Recorder

KEYS = [f"k{number}" for number in range(16)]


def share(case: Case, before: Lines, say: Say) -> None:
    """Read or write until a moment that all agree on, or until killed."""
    if time.monotonic() >= case["until"]:
        return
    if case["kill"] and not before:
        kill_within(case["seconds"], case["seed"], say)
    asyncio.run(_share(case, say))


async def _share(case: Case, say: Say) -> None:
    modes = {"persist_mode": "writethrough", "synchronous": "normal", "storage_mode": "json", "busy_timeout": 20.0}
    db = AsyncDictSQLite(case["path"], backend=case["backend"], exclusive=False, capacity=8, **modes)
    try:
        await db.aopen()
    except LockedError as error:
        say(["locked", str(error)])
        return
    say(["stage", time.monotonic()])
    recorder, number = Recorder(db, say, case["name"]), 0
    mix = Mix(KEYS, writing=1.0 if case["writes"] else 0.0, cancelled=0.0)
    while time.monotonic() < case["until"]:
        number += 1
        if case["writes"] and case["group"] > 64:
            start = time.monotonic()
            await db.abatch_set({f"{case['name']}-{number}-{at}": at for at in range(case["group"])})
            say(["waited", time.monotonic() - start])
            say(["rows", number])
        await asyncio.gather(*(recorder.some(mix, f"{case['seed']}/{number}/{task}", range(2)) for task in range(16)))
        if case["writes"]:
            start = time.monotonic()
            await asyncio.gather(*(db.aset(f"{case['name']}-{number}/{at}", at) for at in range(64)))
            say(["waited", time.monotonic() - start])
            say(["tasks", number])
    await db.aclose()


def count(case: Case, before: Lines, say: Say) -> None:
    """In a fresh process, once all have ended: every acknowledged row is there."""
    time.sleep(max(0.0, case["until"] - time.monotonic()))
    with AsyncDictSQLite(case["path"], backend=case["backend"], storage_mode="json", exclusive=False,
                         persist_mode="writethrough", synchronous="normal", busy_timeout=20.0) as db:  # fmt: skip
        wanted = [f"{case['name']}-{line[1]}-{at}" for line in before if line[0] == "rows"
                  for at in range(case["group"])]  # fmt: skip
        wanted += [f"{case['name']}-{line[1]}/{at}" for line in before if line[0] == "tasks" for at in range(64)]
        lost = sum(value is None for value in db.batch_get(wanted))
        say(["counted", len(wanted), lost])
        if lost:
            say(["bad", f"{lost} of {len(wanted)} acknowledged rows are lost"])
        say(["stage", time.monotonic()])
        asyncio.run(_last(Recorder(db, say, case["name"])))


async def _last(recorder: Recorder) -> None:
    for key in KEYS:
        await recorder.read([key])
