"""What the children of the linearizability test do: many tasks on few keys."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

from asyncdictsqlite import AsyncDictSQLite
from tests.trust.farm import Case, Lines, Say, kill_within
from tests.trust.recorded import Mix, Recorder

TASKS = 64
KEYS = [f"k{number}" for number in range(8)]


def race(case: Case, before: Lines, say: Say) -> None:
    """Read, write and cancel; for so many calls, or until the process is killed."""
    asyncio.run(_race(case, before, say))


async def _race(case: Case, before: Lines, say: Say) -> None:
    modes = {"persist_mode": case["mode"], "storage_mode": "json", "flush_interval": 0.01}
    small = {} if case["mode"] == "memory" else {"capacity": 3}
    db = await AsyncDictSQLite(case["path"], backend=case["backend"], **modes, **small).aopen()
    say(["stage", time.monotonic()])
    seed = f"{case['seed']}/{len(before)}"
    if case["mode"] != "memory":
        engine: Any = db._engine
        engine.inject(seed=case["seed"], reader_delay_s=0.001, writer_delay_s=0.001)
    if case["kill"]:
        kill_within(0.4, case["seed"] + len(before), say)
    recorder, mix = Recorder(db, say, "race"), Mix(KEYS)
    calls = [itertools.count() if case["kill"] else range(case["calls"]) for _ in range(TASKS)]
    await asyncio.gather(*(recorder.some(mix, f"{seed}/{task}", calls[task]) for task in range(TASKS)))
    await db.aclose()


def look(case: Case, _before: Lines, say: Say) -> None:
    """In a fresh process: read every key."""
    asyncio.run(_look(case, say))


async def _look(case: Case, say: Say) -> None:
    options = {"backend": case["backend"], "persist_mode": "writethrough", "storage_mode": "json"}
    async with AsyncDictSQLite(case["path"], **options) as db:
        say(["stage", time.monotonic()])
        for key in KEYS:
            await Recorder(db, say, "look").read([key])
