"""What the children of the I/O error tests do: a seeded workload under faults, then a look at what is left.

A case names backend, mode, path, seed and the fault (kinds of calls, n, error, ever). The workload says each call
when it is made and what became of it; whatever breaks the contract is said as ["bad", what].
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from typing import Any, Dict, List, Mapping, Optional, Tuple

from asyncdictsqlite import AsyncDictError, AsyncDictSQLite, DurabilityUnknownError, StateError, StorageError
from tests.trust import preload
from tests.trust.farm import Case, Lines, Say
from tests.trust.ledger import ACKNOWLEDGED, DURABLE, ISSUED, REFUSED, Ledger, Value, rows_of, torn

BATCH = ["b0", "b1", "b2"]
KEYS = ["k0", "k1", "k2", "k3"]

Step = List[Tuple[str, Mapping[str, Value]]]


def plan(seed: int) -> List[Step]:
    """Return steps of calls that are made at once; the values of each are its own, some fill several pages."""
    drawn, number = random.Random(seed), 0

    def value() -> bytes:
        nonlocal number
        number += 1
        return b"%d" % number + b"." * drawn.choice([0, 0, 100, 6000])

    def call() -> Tuple[str, Mapping[str, Value]]:
        kind = drawn.choice(["set", "set", "set", "delete", "batch"])
        if kind == "batch":
            return kind, dict.fromkeys(BATCH, value() if drawn.random() < 0.8 else None)
        return kind, {drawn.choice(KEYS): value() if kind == "set" else None}

    steps = [[call() for _ in range(size)] for size in (1, 4, 1, 5)]
    return [*steps, [("flush", {})], [call()], [("close", {})], [call() for _ in range(3)], [("flush", {})], [call()]]


class Run:
    """One workload under way."""

    def __init__(self, case: Case, say: Say) -> None:
        self.case, self.say, self.ledger = case, say, Ledger()
        self.lazy = case["mode"] == "lazy"
        self.db = AsyncDictSQLite(case["path"], **options(case))

    async def all(self) -> None:
        """Make every call, look at the state of the store in between; at the end close it."""
        if not await self.opened():
            return
        for step in plan(self.case["seed"]):
            problems = await asyncio.gather(*[self.made(kind, items) for kind, items in step])
            if not await self.goes_on([problem for problem in problems if problem is not None]):
                return
        await self.made("close", {})

    async def opened(self) -> bool:
        """Open the store; a fault that happens once may fail the first attempt."""
        for _ in range(3):
            try:
                await self.db.aopen()
            except Exception as error:
                self.judge(error, "open")
            else:
                return True
        if not self.case["ever"]:
            self.bad("it does not open after a fault that is over")
        return False

    async def made(self, kind: str, items: Mapping[str, Value]) -> Optional[Exception]:
        """Make one call; note and say what became of it."""
        if kind in ("flush", "close"):
            return await self.saved(kind)
        number = self.ledger.issue(items)
        self.say(["issued", number, {key: text(value) for key, value in items.items()}])
        try:
            await self.called(kind, items)
        except Exception as error:
            applied = getattr(error, "applied", False)
            self.state(number, ISSUED if applied is None else REFUSED)
            self.judge(error, kind)
            return error
        self.state(number, ACKNOWLEDGED if self.lazy else DURABLE)
        return None

    async def called(self, kind: str, items: Mapping[str, Value]) -> None:
        if kind == "batch":
            deletes = None in items.values()
            await (self.db.abatch_delete(list(items)) if deletes else self.db.abatch_set(items))
            return
        ((key, value),) = items.items()
        await (self.db.adelete(key) if value is None else self.db.aset(key, value))

    async def saved(self, kind: str) -> Optional[Exception]:
        until = len(self.ledger.calls)
        try:
            await (self.db.aflush() if kind == "flush" else self.db.aclose())
        except Exception as error:
            self.judge(error, kind)
            return error
        for number in range(until):
            if self.ledger.states[number] == ACKNOWLEDGED:
                self.state(number, DURABLE)
        return None if kind == "flush" or await self.opened() else StorageError("closed")

    async def goes_on(self, problems: List[Exception]) -> bool:
        """Check that the store is usable, or stopped, as the contract says; reopen a stopped one."""
        state = self.db.stats()["state"]
        unknown = any(isinstance(problem, DurabilityUnknownError) for problem in problems)
        if state == "open" and not unknown:
            await self.check_reads()
            return True
        if state in ("unopened", "closed"):
            return False
        if state != "stopped":
            self.bad(f"a failed sync left it {state}")
        await self.refuses()
        for number, known in enumerate(self.ledger.states):
            if known == ACKNOWLEDGED:
                self.state(number, ISSUED)
        self.say(["stopped"])
        return await self.opened() and await self.goes_on([])

    async def refuses(self) -> None:
        for call in (lambda: self.db.aget("k0"), lambda: self.db.aset("k0", b""), self.db.aflush):
            try:
                await call()
            except StateError as error:
                if "aopen" not in str(error):
                    self.bad(f"the cure is not named: {error}")
            except Exception as error:
                self.bad(f"stopped, but raises {error!r}")
            else:
                self.bad("stopped, but answers")

    async def check_reads(self) -> None:
        names = sorted(self.ledger.keys())
        try:
            found = dict(zip(names, await self.db.abatch_get(names)))
        except Exception as error:
            self.bad(f"a read fails: {error!r}")
            return
        for problem in self.ledger.wrong(found, durably=False):
            self.bad(f"served: {problem}")

    def state(self, number: int, state: str) -> None:
        self.ledger.states[number] = state
        self.say(["state", number, state])

    def judge(self, error: Exception, kind: str) -> None:
        """Say an error, and whether the contract knows it."""
        name, applied = type(error).__name__, getattr(error, "applied", None)
        self.say(["error", kind, name, applied, str(error)])
        good = {"StorageError", "DurabilityUnknownError", "StateError", "FlushFailedError"}
        if self.case["error"] == "ENOSPC":
            good = good - {"StorageError"} | {"DiskFullError"} | ({"StorageError"} if kind == "open" else set())
        if self.case["kinds"] == preload.OPEN:  # SQLite then opens the file for reading only
            good |= {"ReadOnlyError", "StorageError"}
        if name not in good or not isinstance(error, AsyncDictError):
            self.bad(f"wrong class of {kind}: {error!r}")
        if (name == "DurabilityUnknownError") != (applied is None and isinstance(error, StorageError)):
            self.bad(f"applied={applied} of {error!r}")

    def bad(self, what: str) -> None:
        self.say(["bad", what])


def options(case: Case) -> Dict[str, Any]:
    """Return the options of the store of a case; nothing is flushed by the clock."""
    mode = {"persist_mode": case["mode"], "flush_interval": 1000.0}
    return {"backend": case["backend"], "storage_mode": "bytes", "capacity": 3, **mode}


def text(value: Value) -> Optional[str]:
    """Return a value fit for JSON."""
    return None if value is None else value.decode()


def work(case: Case, _before: Lines, say: Say) -> None:
    """Run the workload under the fault."""
    run = Run(case, say)
    preload.arm(case["path"], case["n"], case["error"], ever=case["ever"], kinds=case["kinds"])
    asyncio.run(run.all())
    say(["seen", *preload.disarm()])


def look(case: Case, before: Lines, say: Say) -> None:
    """In a process without faults: open the store, judge its rows, have SQLite check the file."""
    ledger = Ledger()
    for line in before:
        if line[0] == "issued":
            ledger.issue(rows_of(line[2]))
        elif line[0] == "state":
            ledger.states[line[1]] = line[2]
    with AsyncDictSQLite(case["path"], **options(case)) as db:
        rows = dict(db.items())
        db.set("works", b"again")
        if db.get("works") != b"again":
            say(["bad", "a write after the reopening is not served"])
        db.delete("works")
    for problem in ledger.wrong(rows, durably=True):
        say(["bad", f"left in the file: {problem}"])
    if torn(rows, BATCH):
        say(["bad", "a batch in part"])
    connection = sqlite3.connect(case["path"])
    (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    if answer != "ok":
        say(["bad", f"integrity: {answer}"])
    say(["checked", ledger.acknowledged()])
