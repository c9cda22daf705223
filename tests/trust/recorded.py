"""Calls of tasks on few keys, said as they begin and as they end, and what was said as a history."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import random
import time
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional

from asyncdictsqlite import AsyncDictSQLite
from tests.trust.farm import Lines, Say
from tests.trust.history import Call, Value

_numbers = itertools.count()


@dataclass(frozen=True)
class Mix:
    """What the calls of a task are drawn from."""

    keys: List[str]
    writing: float = 0.5
    cancelled: float = 0.1
    at_once: int = 1  # writes of a group that is handed over in one go


class Recorder:
    """Makes calls on a store and says each when it begins and when it ends."""

    def __init__(self, db: AsyncDictSQLite, say: Say, name: str) -> None:
        self.db, self.say, self.name = db, say, name

    def value(self) -> str:
        """Return a value that nobody else writes."""
        return f"{self.name}-{os.getpid()}-{next(_numbers)}"

    async def read(self, keys: List[str]) -> None:
        """Read keys, one alone or several in a batch."""
        number = self._begun("reads", dict.fromkeys(keys))
        call = self.db.abatch_get(keys) if len(keys) > 1 else self.db.aget(keys[0])
        found: Any = await call
        self._ended(number, found if len(keys) > 1 else [found])

    async def write(self, keys: List[str], patience_s: Optional[float] = None) -> None:
        """Write keys; `patience_s`: cancel the call after so many seconds, which leaves its outcome unknown."""
        items = {key: self.value() for key in keys}
        number = self._begun("writes", items)
        call: Any = self.db.abatch_set(items) if len(keys) > 1 else self.db.aset(*next(iter(items.items())))
        if patience_s is None:
            await call
            self._ended(number)
            return
        try:
            await asyncio.wait_for(call, patience_s)
        except asyncio.TimeoutError:
            return
        self._ended(number)

    async def some(self, mix: Mix, seed: str, calls: Iterable[int]) -> None:
        """Make so many calls of a mix."""
        drawn = random.Random(seed)
        for _ in calls:
            keys = drawn.sample(mix.keys, 2 if drawn.random() < 0.2 else 1)
            if drawn.random() >= mix.writing:
                await self.read(keys)
            elif mix.at_once > 1:
                await asyncio.gather(*(self.write([drawn.choice(mix.keys)]) for _ in range(mix.at_once)))
            else:
                await self.write(keys, drawn.random() * 0.005 if drawn.random() < mix.cancelled else None)

    def _begun(self, kind: str, items: Mapping[str, Value]) -> int:
        number = next(_numbers)
        self.say(["call", os.getpid(), number, kind, time.monotonic(), items])
        return number

    def _ended(self, number: int, values: Optional[List[Value]] = None) -> None:
        self.say(["end", os.getpid(), number, time.monotonic(), values])


def calls_of(lines: Lines) -> Iterator[Call]:
    """Turn what one case said into calls: what was under way when its process was killed had happened by the next."""
    open_calls: Dict[Any, Any] = {}
    for line in lines:
        if line[0] == "stage":
            yield from _never_ended(open_calls, line[1])
            open_calls = {}
        elif line[0] == "call":
            open_calls[line[1], line[2]] = line[3:]
        elif line[0] == "end":
            kind, start, items = open_calls.pop((line[1], line[2]))
            values = items.values() if kind == "writes" else line[4]
            for key, value in zip(items, values):
                yield Call(key, kind == "writes", value, start, line[3])
    yield from _never_ended(open_calls, math.inf)


def _never_ended(open_calls: Mapping[Any, Any], end: float) -> Iterator[Call]:
    for kind, start, items in open_calls.values():
        if kind == "writes":
            yield from (Call(key, True, value, start, end, sure=False) for key, value in items.items())
