"""Sections 1 and 4: reads that race writes, and atomic results."""

from __future__ import annotations

import asyncio
from typing import Any, List, Optional

from ... import AsyncDictSQLite
from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, on_threads, same

_RACES = frozenset({Capability.SWITCHES})
_KEYS = [f"k{i}" for i in range(6)]


class Register:
    """One key with one writer: which of its states a read may still return.

    The states are numbered in the order of the writes; a deleted state reads as None.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.values: List[Optional[int]] = [None]
        self.acknowledged = 0  # the state that the last acknowledged write made

    async def write(self, db: AsyncDictSQLite, how: int) -> None:
        """Make the next state, in one of several ways."""
        state = len(self.values)
        self.values.append(None if how == 0 else state)
        if how == 0:
            await db.adelete(self.key)
        elif how == 1:
            await db.abatch_set({self.key: state, f"other-{self.key}": state})
        elif how == 2:
            db.set(self.key, state)
        else:
            await db.aset(self.key, state)
        self.acknowledged = state

    async def read(self, db: AsyncDictSQLite, how: int) -> None:
        """Read, and demand a state that is not older than the last acknowledged one at the call."""
        oldest = self.acknowledged
        if how == 0:
            value = (await db.abatch_get([self.key]))[0]
        elif how == 1:
            value = db.get(self.key)
        else:
            value = await db.aget(self.key)
        allowed = self.values[oldest:]
        assert value in allowed, (
            f"stale: {self.key} read {value} after state {oldest} of {self.values[-5:]} was acknowledged"
        )


@check("4.1", "4.2", "3.14", needs=_RACES, seconds=25)
async def no_stale_read(bench: Bench) -> None:
    """Racing get, set, delete, batch on cold keys, reader and writer delayed: no read is older than acknowledged."""
    for mode in bench.file_modes:
        for capacity in (0, 2, 100):
            db = await bench.open(
                f"{mode}{capacity}.db", persist_mode=mode, capacity=capacity, flush_interval=0.01
            ).aopen()
            bench.inject(db, seed=bench.seed, reader_delay_s=0.004, writer_delay_s=0.002)
            registers = [Register(key) for key in _KEYS]
            await asyncio.gather(*_writers(bench, db, registers), *_readers(bench, db, registers))
            bench.inject(db)
            for register in registers:
                for how in (0, 1, 2):
                    await register.read(db, how)
                same(await db.aget(register.key), register.values[-1])


def _writers(bench: Bench, db: AsyncDictSQLite, registers: List[Register]) -> List[Any]:
    async def write(register: Register) -> None:
        for _ in range(25):
            await register.write(db, bench.random.randrange(6))
            await asyncio.sleep(bench.random.random() * 0.004)

    return [write(register) for register in registers]


def _readers(bench: Bench, db: AsyncDictSQLite, registers: List[Register]) -> List[Any]:
    async def read() -> None:
        for _ in range(40):
            await bench.random.choice(registers).read(db, bench.random.randrange(6))
            await asyncio.sleep(bench.random.random() * 0.002)

    return [read() for _ in range(8)]


@check("4.2", needs=_RACES)
async def a_slow_read_does_not_overwrite_a_newer_value(bench: Bench) -> None:
    """A cold read that was under way while its key was set leaves the newer value in memory."""
    for mode in bench.file_modes:
        db = bench.open(f"{mode}.db", persist_mode=mode, capacity=50)
        await db.abatch_set({f"k{i}": "old" for i in range(40)})
        await db.aclose()
        await db.aopen()
        bench.inject(db, seed=bench.seed, reader_delay_s=0.01)
        for i in range(40):
            reading = asyncio.ensure_future(db.aget(f"k{i}"))
            await asyncio.sleep(bench.random.random() * 0.01)
            await (db.adelete(f"k{i}") if i % 4 == 0 else db.aset(f"k{i}", i))
            wanted = None if i % 4 == 0 else i
            same(await db.aget(f"k{i}"), wanted)
            assert await reading in ("old", wanted), "a read must give an old or a new state"
            for _ in range(2):
                same([await db.aget(f"k{i}"), db.get(f"k{i}")], [wanted, wanted])


@check("4.1", "3.14", needs=_RACES | {Capability.SEVERAL_LOOPS}, seconds=20)
async def no_stale_read_among_threads(bench: Bench) -> None:
    """The same among threads: each writes its own key and reads the others'."""
    for mode in bench.file_modes:
        db = await bench.open(f"{mode}.db", persist_mode=mode, capacity=2, flush_interval=0.01).aopen()
        bench.inject(db, seed=bench.seed, reader_delay_s=0.002, writer_delay_s=0.002)
        acknowledged = [0] * 4

        def use(number: int, db: AsyncDictSQLite = db, acknowledged: List[int] = acknowledged) -> None:
            for state in range(1, 25):
                db.set(f"k{number}", state)
                acknowledged[number] = state
                for other in range(4):
                    oldest = acknowledged[other]
                    found = db.get(f"k{other}", 0)
                    assert found >= oldest, f"stale: {found} after {oldest}"

        await on_threads(4, use)
        equal(await db.abatch_get([f"k{i}" for i in range(4)]), [24] * 4)


@check("1.72", "1.13")
async def one_pop_wins_among_tasks(bench: Bench) -> None:
    """Of many tasks that pop one key, one gets it, hot or cold."""
    for db in bench.stores(capacity=3):
        keys = [f"k{i}" for i in range(20)]
        await db.abatch_set({key: key for key in keys})
        await db.aflush()
        taken = await asyncio.gather(*(db.apop(key, None) for _ in range(10) for key in keys))
        equal(sorted(one for one in taken if one is not None), sorted(keys))
        told = await asyncio.gather(
            *(db.adelete("k0") for _ in range(5)), db.aset("k1", 1), *(db.adelete("k1") for _ in range(5))
        )
        equal([told.count(True), told.index(True)], [1, 6])


@check("1.72", "1.58", needs={Capability.SEVERAL_LOOPS})
async def one_pop_wins_among_threads(bench: Bench) -> None:
    """Of many threads, with loops or without, that pop the same keys, each key goes to one."""
    for db in bench.stores(capacity=10):
        keys = [f"k{i:03}" for i in range(100)]
        await db.abatch_set({key: key for key in keys})
        await db.aflush()

        def take(number: int, db: AsyncDictSQLite = db, keys: List[str] = keys) -> List[str]:
            async def loop() -> List[Any]:
                return list(await asyncio.gather(*(db.apop(key, None) for key in keys)))

            found = asyncio.run(loop()) if number % 2 else [db.pop(key, None) for key in keys]
            return [one for one in found if one is not None]

        taken = await on_threads(4, take)
        equal(sorted(key for one in taken for key in one), keys)
        equal(await db.alen(), 0)


@check("1.72", "1.15", needs={Capability.SEVERAL_LOOPS})
async def one_setdefault_wins(bench: Bench) -> None:
    """Of many that setdefault one key, all get the one value that was set."""
    for db in bench.stores(capacity=3):
        for number in range(5):
            key = f"k{number}"
            found = await asyncio.gather(*(db.asetdefault(key, i) for i in range(20)))
            equal(set(found), {await db.aget(key)})
        on_each = await on_threads(6, lambda number: [db.setdefault(f"t{i}", number) for i in range(20)])  # noqa: B023
        equal([len({one[i] for one in on_each}) for i in range(20)], [1] * 20)


@check("4.1", "1.18", "1.72", needs={Capability.SEVERAL_LOOPS}, seconds=20)
async def batches_are_published_whole(bench: Bench) -> None:
    """A batch read of keys in memory sees each batch write wholly or not at all."""
    for db in bench.stores():
        keys = [f"k{i}" for i in range(6)]
        await db.abatch_set(dict.fromkeys(keys, 0))

        async def write(db: AsyncDictSQLite = db, keys: List[str] = keys) -> None:
            for number in range(1, 60):
                await db.abatch_set(dict.fromkeys(keys, number))

        async def read(db: AsyncDictSQLite = db, keys: List[str] = keys) -> None:
            for _ in range(60):
                found = await db.abatch_get(keys)
                assert len(set(found)) == 1, f"half a batch: {found}"
                await asyncio.sleep(0)

        await asyncio.gather(write(), read(), read())


@check("4.1", "3.21", seconds=20)
async def counters_add_up(bench: Bench) -> None:
    """Tasks that take a ticket by pop and give it back by set lose none, with a tiny cache."""
    for db in bench.stores(capacity=1):
        await db.abatch_set({f"ticket{i}": i for i in range(5)})

        async def use(number: int, db: AsyncDictSQLite = db) -> int:
            held = 0
            for turn in range(20):
                key = f"ticket{(number + turn) % 5}"
                ticket = await db.apop(key, None)
                if ticket is not None:
                    held += 1
                    await asyncio.sleep(0)
                    await db.aset(key, ticket)
            return held

        held = await asyncio.gather(*(use(number) for number in range(10)))
        assert sum(held) > 0, "nobody ever got a ticket"
        equal(dict(db.items()), {f"ticket{i}": i for i in range(5)})
