"""What the children of the tests of blocking do: many tasks on one store, each callback of the loop looked at."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from contextlib import ExitStack
from typing import Any, List, Set

from asyncdictsqlite import AsyncDictSQLite
from asyncdictsqlite.testing.checks.processes_shared import hold_transaction
from asyncdictsqlite.testing.peer import Peer
from harness.probes.stall import Watch
from tests.trust.farm import Case, Lines, Say
from tests.trust.waits import WaitWatch

KEYS = [f"k{number}" for number in range(20_000)]
TASKS = 32
WAITING = ("acquire", "wait", "join", "sleep", "fsync", "fdatasync", "connect", "execute", "executemany",
           "executescript", "fetchone", "fetchall", "commit", "lockf", "flock", "select", "read", "write")  # fmt: skip


def hold_the_loop(case: Case, _before: Lines, say: Say) -> None:
    """Read and write for some time, while another process holds the write lock or not; say how callbacks went."""
    asyncio.run(_hold_the_loop(case, say))


async def _hold_the_loop(case: Case, say: Say) -> None:
    modes = {"persist_mode": case["mode"], "storage_mode": "bytes", "flush_interval": 0.05, "busy_timeout": 20.0}
    chosen = {"backend": case["backend"], "capacity": case["capacity"], "exclusive": case["alone"]}
    db = AsyncDictSQLite(case["path"], **chosen, **modes)
    for start in range(0, len(KEYS), 5000):
        await db.abatch_set(dict.fromkeys(KEYS[start : start + 5000], bytes(200)))
    await db.aflush()
    with ExitStack() as stack:
        if case["held_s"]:
            holder = stack.enter_context(Peer(hold_transaction, case["path"]))
            holder.hear()
            asyncio.get_running_loop().call_later(case["held_s"], holder.tell, "release")
        kind: Any = WaitWatch if case["backend"] == "rust" else CalledWatch
        watch = stack.enter_context(kind())
        until = time.perf_counter() + case["seconds"]
        made = await asyncio.gather(*(_some(db, until, f"{case['seed']}/{task}") for task in range(TASKS)))
    waits = getattr(watch, "waits", {})
    say(["callbacks", len(watch.times), waits, watch.switches, max(watch.times) / 1000, sum(made)])
    for what in sorted(getattr(watch, "blocking", ())):
        say(["bad", f"the loop's thread calls {what}"])
    await db.aclose()


async def _some(db: AsyncDictSQLite, until: float, seed: str) -> int:
    drawn, made = random.Random(seed), 0
    calls: List[Any] = [
        lambda: db.aset(drawn.choice(KEYS), bytes(200)),
        lambda: db.aget(drawn.choice(KEYS)),
        lambda: db.aget(drawn.choice(KEYS)),
        lambda: db.abatch_get(drawn.sample(KEYS, 20)),
        lambda: db.abatch_set(dict.fromkeys(drawn.sample(KEYS, 5), bytes(100))),
        lambda: db.asetdefault(drawn.choice(KEYS), b""),
        lambda: db.acontains(drawn.choice(KEYS)),
        db.aflush,
    ]
    while time.perf_counter() < until:
        await drawn.choice(calls)()
        await asyncio.sleep(0)  # a callback makes one call
        made += 1
    return made


class CalledWatch(Watch):
    """Looks at which blocking functions of C are called in callbacks: threads that share the GIL always switch."""

    def __init__(self) -> None:
        super().__init__()
        self.blocking: Set[str] = set()

    def __enter__(self) -> CalledWatch:
        super().__enter__()
        sys.setprofile(self._called)
        return self

    def __exit__(self, *ended: object) -> None:
        sys.setprofile(None)
        super().__exit__(*ended)

    def _called(self, frame: Any, event: str, function: Any) -> None:
        if event == "c_call" and function.__name__ in WAITING and not isinstance(function.__self__, str):
            where = frame.f_globals.get("__name__", "")
            # The engine's lock is held for a few assignments, and never for I/O.
            if where.startswith("asyncdictsqlite") and not where.endswith(".enginelock"):
                self.blocking.add(f"{function.__qualname__} in {where}.{frame.f_code.co_name}")
