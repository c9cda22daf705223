"""What the children of the soak do: one works on and is looked at, one is killed each minute and checked."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import time
from statistics import median
from typing import Any, Dict, List

import psutil

from asyncdictsqlite import AsyncDictSQLite
from tests.trust.farm import Case, Lines, Say, kill_within

TASKS, KEYS = 16, 20_000
FLAT_BYTES, FLAT_SHARE = 4 * 2**20, 0.05  # what memory may grow by, by itself and of what there was


def options(case: Case, mode: str) -> Dict[str, Any]:
    sizes = {"capacity": 5000, "capacity_bytes": 4 * 2**20, "synchronous": "normal"}
    return {"backend": case["backend"], "persist_mode": mode, **sizes}


def steady(case: Case, _before: Lines, say: Say) -> None:
    """Work on two stores, reopen them each period, and demand that nothing grows."""
    ends, samples = time.monotonic() + case["seconds"], []
    while time.monotonic() < ends or len(samples) < 8:
        asyncio.run(_one_period(case, len(samples), case["seconds"] / max(8, case["periods"])))
        gc.collect()
        samples.append(_sample())
    say(["samples", len(samples), samples[len(samples) // 4], samples[-1]])
    quarter = len(samples) // 4
    for at, what in enumerate(("threads", "descriptors", "memory")):
        seen = [sample[at] for sample in samples]
        early, late = median(seen[quarter : 2 * quarter]), median(seen[-quarter:])
        if late > early + (FLAT_BYTES + FLAT_SHARE * early if what == "memory" else 0):
            say(["bad", f"{what}: {seen}"])


def _sample() -> List[int]:
    process = psutil.Process()
    return [threading.active_count() + process.num_threads(), process.num_fds(), process.memory_info().rss]


async def _one_period(case: Case, number: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    for mode in ("writethrough", "lazy"):
        db = await AsyncDictSQLite(f"{case['path']}-{mode}", **options(case, mode)).aopen()
        half = time.monotonic() + (until - time.monotonic()) / (2 if mode == "writethrough" else 1)
        await asyncio.gather(*(_some(db, half, f"{case['seed']}/{number}/{mode}/{task}") for task in range(TASKS)))
        await db.aclose()


async def _some(db: AsyncDictSQLite, until: float, seed: str) -> None:
    drawn = random.Random(seed)

    def key() -> str:
        return f"k{drawn.randrange(KEYS)}"

    calls: List[Any] = [
        lambda: db.aset(key(), {"value": "x" * drawn.randrange(400)}),
        lambda: db.abatch_set({key(): number for number in range(20)}),
        lambda: db.aget(key()),
        lambda: db.abatch_get([key() for _ in range(20)]),
        lambda: db.adelete(key()),
        lambda: db.apop(key(), None),
        lambda: db.asetdefault(key(), 1),
        lambda: asyncio.wait_for(db.aset(key(), 1), drawn.random() * 0.002),
        lambda: _page(db, key()),
        lambda: db.table("other").aset(key(), 1),
    ]
    while time.monotonic() < until:
        try:
            await drawn.choice(calls)()
        except asyncio.TimeoutError:
            pass


async def _page(db: AsyncDictSQLite, start: str) -> List[str]:
    return [key async for key in db.akeys(start=start, limit=50)]


def killed(case: Case, before: Lines, say: Say) -> None:
    """Check what the one before was told; write on until the kill."""
    db = AsyncDictSQLite(case["path"], **options(case, "writethrough")).open()
    told = [line[1] for line in before if line[0] == "told"]
    lost = [number for number in told[-5000:] if db.get(f"n{number}") != number]
    say(["checked", len(told[-5000:]), len(lost)])
    if lost:
        say(["bad", f"{len(lost)} acknowledged rows are lost, {lost[:3]} ..."])
    kill_within(case["seconds"] / case["periods"], len(before), say)
    asyncio.run(_told(db, max(told, default=-1) + 10_000, say))


async def _told(db: AsyncDictSQLite, first: int, say: Say) -> None:
    async def write(number: int) -> None:
        while True:
            await db.aset(f"n{number}", number)
            say(["told", number])
            number += TASKS
            await asyncio.sleep(0.05)

    await asyncio.gather(*(write(first + task) for task in range(TASKS)))
