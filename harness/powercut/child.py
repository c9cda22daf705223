"""The recorded process: runs the workload, marks each call before it is made and once it is acknowledged."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from typing import Any, Awaitable, Callable, List, Tuple

from harness.powercut.preload import marker
from harness.powercut.recording import Setup
from harness.powercut.subjects import Store
from harness.powercut.trace import ACKNOWLEDGED, FLUSHED, ISSUED
from harness.powercut.workload import PAUSE_S, Call

Mark = Callable[[str, int], None]


async def run(setup: Setup, folder: str) -> None:
    """Run the whole workload on a store in an empty folder; the last call is a close."""
    mark = marker()
    store = Store(setup.subject(), folder)
    await store.open()
    for chunk in setup.plan().numbered():
        number, call = chunk[0]
        if call.kind in ("reopen", "pause"):
            mark(ISSUED, number)
            await (store.close() if call.kind == "reopen" else asyncio.sleep(PAUSE_S))
            mark(FLUSHED, number)
        else:
            await _make(store, chunk, mark)
        if call.kind == "reopen":
            await store.open()
    await store.close()


async def _make(store: Store, chunk: List[Tuple[int, Call]], mark: Mark) -> None:
    made: List[Awaitable[Any]] = []
    for number, call in chunk:
        mark(ISSUED, number)
        pending = store.call(call.kind, call.items)
        if inspect.isawaitable(pending):
            made.append(_acknowledged(pending, FLUSHED if call.kind == "flush" else ACKNOWLEDGED, number, mark))
        else:
            mark(ACKNOWLEDGED, number)
    await asyncio.gather(*made)


async def _acknowledged(pending: Awaitable[Any], kind: str, number: int, mark: Mark) -> None:
    await pending
    mark(kind, number)


if __name__ == "__main__":
    asyncio.run(run(Setup.of(json.loads(sys.argv[1])), sys.argv[2]))
