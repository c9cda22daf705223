"""A process that is killed: what was acknowledged is there, batches are whole, lazy keeps a prefix."""

from __future__ import annotations

import asyncio
import itertools
import os
from typing import Any, Dict, List, Tuple, cast

from ... import AsyncDictSQLite
from ...protocol import Capability
from ..check import Bench, check
from ..peer import Peer

_MANY = 10**9
_BATCH = 40
_MAX_UNSAVED = 50


def _say(number: int) -> None:
    os.write(1, b"%d\n" % number)


def write_numbers(backend: str, path: str, options: Dict[str, Any], tasks: int, keys: int, delay_s: float) -> None:
    """Set k0, k1, ... (modulo `keys`) to their numbers from several tasks; say each number once acknowledged."""

    async def write(db: AsyncDictSQLite, first: int) -> None:
        for number in range(first, _MANY, tasks):
            await db.aset(f"k{number % keys}", number)
            _say(number)

    async def main() -> None:
        db = await AsyncDictSQLite(path, backend=backend, **options).aopen()
        if delay_s:
            cast("Any", db._engine).inject(writer_delay_s=delay_s)
        await asyncio.gather(*(write(db, first) for first in range(tasks)))

    asyncio.run(main())


def write_batches(backend: str, path: str, options: Dict[str, Any]) -> None:
    """Set one batch of keys to 0, 1, ...; say each number once acknowledged."""

    async def main() -> None:
        db = await AsyncDictSQLite(path, backend=backend, **options).aopen()
        for number in itertools.count():
            await db.abatch_set((f"b{index}", number) for index in range(_BATCH))
            _say(number)

    asyncio.run(main())


def write_then_flush(backend: str, path: str, options: Dict[str, Any], by_itself: bool) -> None:
    """Set 100 keys and have them flushed, or see them flushed; say so, then go on writing others."""

    async def main() -> None:
        db = await AsyncDictSQLite(path, backend=backend, **options).aopen()
        for number in range(100):
            await db.aset(f"k{number}", number)
        while by_itself and db.stats()["unsaved"]:
            await asyncio.sleep(0.005)
        if not by_itself:
            await db.aflush()
        _say(100)
        for number in itertools.count():
            await db.aset(f"later{number % 100}", number)

    asyncio.run(main())


async def _killed_while_writing(bench: Bench, name: str, options: Dict[str, Any], delay_s: float) -> None:
    acknowledgements = bench.random.randrange(20, 60 if delay_s else 200)
    with Peer(write_numbers, bench.backend, bench.path(name), options, 8, _MANY, delay_s) as writer:
        said = [writer.hear() for _ in range(acknowledgements)]
        said += writer.kill()
    async with bench.open(name, **options) as db:
        numbers = [int(number) for number in said]
        values = await db.abatch_get([f"k{number}" for number in numbers])
    lost = [number for number, value in zip(numbers, values) if value != number]
    assert not lost, f"{len(lost)} of {len(numbers)} acknowledged writes lost, the first: {lost[0]}"


@check("3.7", needs={Capability.WRITETHROUGH, Capability.CRASH_SAFE}, seconds=30)
async def killed_writethrough_loses_nothing(bench: Bench) -> None:
    """Writethrough, full and normal: SIGKILL at a random moment loses no acknowledged write."""
    # A writer that sleeps before BEGIN leaves time to kill it between an early acknowledgement and its commit.
    delays = [0.0, 0.03, 0.03, 0.03] if Capability.SWITCHES in bench.capabilities else [0.0]
    for synchronous, delay_s in [*(("full", delay_s) for delay_s in delays), ("normal", delays[-1])]:
        options = {"persist_mode": "writethrough", "synchronous": synchronous}
        await _killed_while_writing(bench, f"{len(os.listdir(bench.directory))}.db", options, delay_s)


@check("1.18", "3.5", "3.7", needs={Capability.WRITETHROUGH, Capability.CRASH_SAFE}, seconds=30)
async def killed_in_a_batch_leaves_it_whole(bench: Bench) -> None:
    """Writethrough and lazy: after SIGKILL a batch is there wholly or not at all."""
    modes = ["writethrough"] * 3 + ["lazy"] * (Capability.LAZY in bench.capabilities)
    for number, mode in enumerate(modes):
        options: Dict[str, Any] = {"persist_mode": mode}
        if mode == "lazy":
            options["flush_interval"] = 0.01
        said, found = await _kill_in_a_batch(bench, f"{number}.db", options)
        assert len(set(found)) == 1, f"{mode}: a batch is torn: {sorted(set(found), key=str)}"
        if mode == "writethrough":
            assert found[0] is not None and found[0] >= said, f"acknowledged batch {said} lost: {found[0]} is there"


async def _kill_in_a_batch(bench: Bench, name: str, options: Dict[str, Any]) -> Tuple[int, List[Any]]:
    with Peer(write_batches, bench.backend, bench.path(name), options) as writer:
        said = [writer.hear() for _ in range(bench.random.randrange(5, 60))]
        said += writer.kill()
    async with bench.open(name, **options) as db:
        return int(said[-1]), await db.abatch_get([f"b{index}" for index in range(_BATCH)])


@check("3.3", "3.5", needs={Capability.LAZY, Capability.CRASH_SAFE}, seconds=30)
async def killed_lazy_keeps_a_prefix(bench: Bench) -> None:
    """Lazy: the file holds a prefix of the history, at most twice max_unsaved behind what was acknowledged."""
    options = {"persist_mode": "lazy", "flush_interval": 0.02, "max_unsaved": _MAX_UNSAVED}
    for number in range(2):
        delay_s = 0.01 if number and Capability.SWITCHES in bench.capabilities else 0.0
        with Peer(write_numbers, bench.backend, bench.path(f"{number}.db"), options, 1, 10, delay_s) as writer:
            said = [writer.hear() for _ in range(bench.random.randrange(150, 1500))]
            said += writer.kill()
        async with bench.open(f"{number}.db", **options) as db:
            found = dict([item async for item in db.aitems()])
        newest = max(found.values(), default=-1)
        prefix = {f"k{written % 10}": written for written in range(newest + 1)}
        assert found == prefix, f"not the state after write {newest}: {found}"
        behind = int(said[-1]) - newest
        assert behind <= 2 * _MAX_UNSAVED, f"{behind} acknowledged writes lost, max_unsaved={_MAX_UNSAVED}"


@check("3.11", needs={Capability.LAZY, Capability.CRASH_SAFE}, seconds=20)
async def killed_after_aflush_loses_nothing_before_it(bench: Bench) -> None:
    """Lazy: what was acknowledged before an aflush that returned survives SIGKILL."""
    await _flushed_then_killed(bench, flush_interval=1000.0, by_itself=False)


@check("3.3", needs={Capability.LAZY, Capability.CRASH_SAFE}, seconds=20)
async def killed_after_the_interval_loses_nothing_before_it(bench: Bench) -> None:
    """Lazy: what stats() tells to be saved, the interval being over, survives SIGKILL."""
    await _flushed_then_killed(bench, flush_interval=0.05, by_itself=True)


async def _flushed_then_killed(bench: Bench, *, flush_interval: float, by_itself: bool) -> None:
    options: Dict[str, Any] = {"persist_mode": "lazy", "flush_interval": flush_interval}
    with Peer(write_then_flush, bench.backend, bench.path(), options, by_itself) as writer:
        writer.hear()
        writer.kill()
    async with bench.open(**options) as db:
        assert await db.abatch_get([f"k{number}" for number in range(100)]) == list(range(100))
