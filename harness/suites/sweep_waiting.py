"""The sweep's part on waiting: latency at fixed rates, beside a busy task, too, and how long the loop is held."""

from __future__ import annotations

from typing import List

from harness.measure.rounds import Effort
from harness.suites.pairs import CONTROL, OURS, Group, Pair, cases
from harness.workloads import Params

# A share of one in a thousand needs some thousands of requests: all blocks together have them.
_QUICK = Effort(rounds=4, block_s=0.2, case_s=10)
_FULL = Effort(rounds=10, block_s=1, case_s=30)

# What a program with a loop may choose; sqlite3 in-thread holds the loop, and is measured by how long.
_WAITING: List[Pair] = [
    *((name, "writethrough-full") for name in OURS),
    ("aiosqlite", "wal-full"),
    ("sqlite3-executor", "wal-full"),
    ("dictsqlite", "writethrough"),
]
_HOLDING: Pair = ("sqlite3", "wal-full")


def groups(*, full: bool) -> List[Group]:
    """Return what is measured, in order."""
    return [*_rates(full), *(_busy() if full else []), _stalls()]


def _rates(full: bool) -> List[Group]:
    rates = (250, 500, 1000, 2000, 4000, 8000, 16_000) if full else (500, 2000, 8000)
    found = []
    for rate in rates:
        params = Params(keys=10_000, rate=rate)
        pairs = [*_WAITING, _HOLDING] if full else _WAITING
        found.append(Group(f"Requests: {rate} a second", cases("open-loop", pairs, params), _FULL if full else _QUICK))
    return found


def _busy() -> List[Group]:
    found = []
    for slice_ms in (0.1, 1.0, 10.0):
        # A thread that needs the GIL for an answer waits for it some five milliseconds a time: more requests pile up.
        params = Params(keys=10_000, rate=20, slice_ms=slice_ms)
        title = f"Requests: {params.rate} a second, the loop busy in slices of {slice_ms:g} ms"
        found.append(Group(title, cases("open-loop", _WAITING, params), _FULL))
    return found


def _stalls() -> Group:
    params = Params(keys=10_000, tasks=64)
    return Group("Callbacks while 64 tasks write", cases("stalls", [CONTROL, *_WAITING, _HOLDING], params))
