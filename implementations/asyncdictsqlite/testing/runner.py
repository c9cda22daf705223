"""Run one check: on a loop and in a folder of its own, within its time."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import io
import tempfile
import threading
from pathlib import Path
from typing import AbstractSet, Any, Dict, FrozenSet, List

from .. import registry
from ..options import check_engine
from ..protocol import Capability, Opening
from .check import Bench, Check

GRACE_S = 3.0  # for closing what the check left open


class Hang(AssertionError):
    """A check that did not end in its time; the message has the stacks."""


class Gap(AssertionError):
    """A capability that the backend does not declare, though all its checks pass."""


def capabilities_of(backend: str) -> FrozenSet[Capability]:
    """Ask a backend what it declares, without opening anything.

    Raises:
        UnknownBackendError: it cannot be loaded.
    """
    factory: Any = registry.load(backend)
    declared = getattr(factory, "capabilities", None)
    if declared is None:
        declared = factory(Opening("nowhere", _memory_options(backend), True, None)).capabilities
    return frozenset(declared)


def _memory_options(backend: str) -> Any:
    return check_engine(
        backend=backend,
        persist_mode="memory",
        synchronous="full",
        exclusive=True,
        readonly=False,
        capacity=1,
        capacity_bytes=2**20,
        evict=False,
        buffer_size=1,
        flush_interval=1.0,
        max_unsaved=1,
        max_unsaved_bytes=1,
        busy_timeout=1.0,
    )


def run_check(check: Check, backend: str, capabilities: AbstractSet[Capability], seed: int = 0) -> None:
    """Run a check.

    Raises:
        Hang: it did not end within ``check.seconds``.
        Exception: whatever it raised; an AssertionError where the backend broke the sentence.
    """
    with tempfile.TemporaryDirectory(prefix="adsq-check-") as directory:
        _run_in_time(check, Bench(backend, capabilities, Path(directory), seed))


def run_gap(
    capability: Capability, checks: List[Check], backend: str, declared: AbstractSet[Capability], seed: int
) -> None:
    """Show that a capability which the backend does not declare is really missing: one of its checks must fail.

    Raises:
        Gap: all pass, so the gap is none.
    """
    for check in checks:
        try:
            run_check(check, backend, {*declared, *check.needs}, seed)
        except Exception:
            return
    raise Gap(f"backend {backend!r} does not declare {capability.value!r}, but passes its checks: declare it")


def _run_in_time(check: Check, bench: Bench) -> None:
    raised: List[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(_run_on_loop(check, bench))
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, name=f"check-{check.name}", daemon=True)
    thread.start()
    thread.join(check.seconds + GRACE_S)
    if thread.is_alive():  # the loop itself is blocked
        raise Hang(f"{check.name} hangs (limit {check.seconds} s)\n{_thread_stacks(bench.directory)}")
    if raised:
        raise raised[0]


async def _run_on_loop(check: Check, bench: Bench) -> None:
    noise: List[Dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: noise.append(context))
    task = asyncio.ensure_future(check.body(bench))
    await asyncio.wait({task}, timeout=check.seconds)
    if not task.done():
        stacks = _task_stacks() + _thread_stacks(bench.directory)
        task.cancel()
        raise Hang(f"{check.name} hangs (limit {check.seconds} s)\n{stacks}")
    try:
        task.result()
    finally:
        await bench.close()
    await asyncio.sleep(0)
    assert not noise, f"{check.name} left an error that nobody awaited: {noise[0]}"


def _task_stacks() -> str:
    text = io.StringIO()
    for task in asyncio.all_tasks():
        task.print_stack(file=text)
    return text.getvalue()


def _thread_stacks(directory: Path) -> str:
    with contextlib.suppress(OSError), open(directory / "stacks.txt", "w+", encoding="utf-8") as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return file.read()
    return ""
