"""What the children of the cancellation storm do: calls in pairs of keys, half of them cancelled."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import threading
import time
from typing import Any, Dict, List

from asyncdictsqlite import AsyncDictSQLite
from tests.trust.farm import Case, Lines, Say

AT_ONCE = 100
PAIRS = 5


def storm(case: Case, _before: Lines, say: Say) -> None:
    """Call, cancel, and look for what was half applied, what is stuck, and what was left behind."""
    storm = Storm(case, say)
    before = left_behind()
    asyncio.run(storm.all())
    time.sleep(0.01)
    if left_behind() != before:
        say(["bad", f"threads and descriptors: {before} before, {left_behind()} after"])
    say(["calls", storm.calls, storm.cancelled])


def left_behind() -> List[int]:
    """Count the threads and the descriptors of this process."""
    return [threading.active_count(), len(os.listdir("/dev/fd"))]


class Storm:
    """One storm."""

    def __init__(self, case: Case, say: Say) -> None:
        self.case, self.say, self.random = case, say, random.Random(case["seed"])
        self.calls = self.cancelled = 0
        self.db = self.store()

    def store(self) -> AsyncDictSQLite:
        modes = {"backend": self.case["backend"], "persist_mode": self.case["mode"], "flush_interval": 0.01}
        small: Dict[str, Any] = {} if self.case["mode"] == "memory" else {"capacity": 4}
        return AsyncDictSQLite(self.case["path"], **modes, **small)

    async def all(self) -> None:
        await self.db.aopen()
        for _ in range(self.case["rounds"]):
            self.calls += AT_ONCE
            await asyncio.wait_for(asyncio.gather(*(self.one() for _ in range(AT_ONCE))), 15)
            if sys.version_info >= (3, 11):
                await asyncio.wait_for(self.task_group(), 15)
        await self.db.aset("single", 0)  # all that was cancelled comes before it
        await self.whole(self.db)
        await self.db.aclose()
        if self.case["mode"] != "memory":
            async with self.store() as again:
                await self.whole(again)
        await asyncio.sleep(0)
        left = len(asyncio.all_tasks()) - 1
        if left:
            self.say(["bad", f"{left} tasks are left"])

    async def one(self) -> None:
        """Make one call; cancel it, let it time out, or await it."""
        how = self.random.randrange(4)
        self.cancelled += how < 2
        if how == 0:
            task = asyncio.ensure_future(self.call())
            await asyncio.sleep(self.random.random() * 0.003)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        elif how == 1:
            ended = await asyncio.gather(
                asyncio.wait_for(self.call(), self.random.random() * 0.005), return_exceptions=True
            )
            self.expect(ended[0], asyncio.TimeoutError)
        else:
            await self.call()

    async def task_group(self) -> None:
        """Let one member of a group fail: the others are cancelled."""
        group: Any = asyncio.TaskGroup()  # type: ignore[attr-defined, unused-ignore]
        self.calls += 10
        self.cancelled += 10
        try:
            async with group:
                for _ in range(10):
                    group.create_task(self.awaited())
                await asyncio.sleep(self.random.random() * 0.002)
                raise ZeroDivisionError
        except BaseException as error:
            for one in getattr(error, "exceptions", [error]):
                self.expect(one, ZeroDivisionError)

    async def awaited(self) -> None:
        await self.call()

    def expect(self, result: Any, *kinds: Any) -> None:
        if isinstance(result, BaseException) and not isinstance(result, kinds):
            self.say(["bad", f"a cancelled call ends in {result!r}"])

    def call(self) -> Any:
        number, value = self.random.randrange(PAIRS), self.random.random()
        pair = [f"a{number}", f"b{number}"]
        calls: List[Any] = [
            lambda: self.db.abatch_set(dict.fromkeys(pair, value)),
            lambda: self.db.abatch_set(dict.fromkeys(pair, value)),
            lambda: self.db.abatch_delete(pair),
            lambda: self.db.abatch_get(pair),
            lambda: self.db.aset("single", value),
            lambda: self.db.aget("single"),
            lambda: self.db.apop("single", None),
            lambda: self.db.asetdefault("single", value),
            self.db.alen,
            self.db.aflush,
        ]
        return self.random.choice(calls)()

    async def whole(self, db: AsyncDictSQLite) -> None:
        for number in range(PAIRS):
            one, two = await db.abatch_get([f"a{number}", f"b{number}"])
            if one != two:
                self.say(["bad", f"half applied: {one} and {two}"])
