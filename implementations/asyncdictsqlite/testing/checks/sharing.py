"""Section 1: several stores on one file in one process."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
from typing import Any, Dict

from ... import AlreadyOpenError, AsyncDictSQLite, ClosedError, InvalidValueError
from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, raises, same

_OTHERS: Dict[str, Any] = {
    "synchronous": "normal",
    "readonly": True,
    "capacity": 7,
    "capacity_bytes": 2**20,
    "buffer_size": 7,
    "flush_interval": 7.0,
    "max_unsaved": 7,
    "max_unsaved_bytes": 7,
    "busy_timeout": 7.0,
}


@check("1.60")
async def stores_of_one_file_share_one_engine(bench: Bench) -> None:
    """Two stores on one file have one cache, one writer and one set of counters, also by another path."""
    for mode in bench.file_modes:
        one = bench.open(f"{mode}.db", persist_mode=mode, flush_interval=60.0)
        await one.aset("k", 1)
        os.symlink(bench.path(f"{mode}.db"), bench.path(f"{mode}-link.db"))
        for name in (f"{mode}.db", f"{mode}-link.db", f"./{mode}.db"):
            two = bench.open(name, persist_mode=mode, flush_interval=60.0)
            same(await two.aget("k"), 1)
            await two.aset("k", name)
            await two.aflush()
            same(await one.aget("k"), name)
            equal(
                [one.stats()[count] for count in ("commits", "entries")],
                [two.stats()[count] for count in ("commits", "entries")],
            )
            hits = one.stats()["hits"]
            two.get("k")
            equal(one.stats()["hits"], hits + 1)
            await two.aclose()
            await one.aset("k", 1)


@check("1.61", "6.3")
async def engine_options_must_be_equal(bench: Bench) -> None:
    """An engine option that differs is an AlreadyOpenError that names it; the open store goes on."""
    for mode in bench.file_modes:
        db = await bench.open(f"{mode}.db", persist_mode=mode).aopen()
        exclusive = db.stats()["exclusive"]
        others = dict(
            _OTHERS, persist_mode="lazy" if mode == "writethrough" else "writethrough", exclusive=not exclusive
        )
        for name, value in others.items():
            with raises(AlreadyOpenError, name, repr(value)):
                await _quiet(bench, f"{mode}.db", **{"persist_mode": mode, name: value}).aopen()
        equal((await db.aset("k", 1), db["k"]), (None, 1))
        same = bench.open(f"{mode}.db", persist_mode=mode, exclusive=exclusive)  # equal after the default is resolved
        equal(await same.aget("k"), 1)


def _quiet(bench: Bench, name: str, **options: Any) -> AsyncDictSQLite:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bench.open(name, **options)


@check("1.61", "2.9", "6.18")
async def view_options_may_differ(bench: Bench) -> None:
    """table_name, storage_mode, pickle_allow and max_value_bytes belong to the view."""
    for mode in bench.file_modes:
        one = bench.open(f"{mode}.db", persist_mode=mode)
        two = bench.open(f"{mode}.db", persist_mode=mode, table_name="raw", storage_mode="bytes", max_value_bytes=10)
        three = bench.open(f"{mode}.db", persist_mode=mode, pickle_allow="*")
        await three.aset("k", threading.Thread)
        with raises(InvalidValueError):
            await one.aget("k")
        await two.aset("k", b"x" * 10)
        with raises(InvalidValueError):
            await two.aset("k", b"x" * 11)
        same(await two.aget("k"), b"x" * 10)
        assert await three.aget("k") is threading.Thread, "pickle_allow belongs to the view"


@check("1.62", needs={Capability.MEMORY})
async def memory_stores_never_share(bench: Bench) -> None:
    """Memory stores of one name never share; the views of one store do."""
    one, two = bench.open("name", persist_mode="memory"), bench.open("name", persist_mode="memory", capacity=3)
    await one.aset("k", 1)
    same(await two.aget("k"), None)
    view = one.table("main")
    same(await view.aget("k"), 1)
    await view.aset("k", 2)
    same(one.get("k"), 2)
    await two.aclose()
    same(await one.aget("k"), 2)


@check("1.63", "5.3")
async def the_last_store_closes_the_engine(bench: Bench) -> None:
    """Closing a store that is not the last flushes, and closes it and its views alone."""
    for mode in bench.file_modes:
        one, two = (bench.open(f"{mode}.db", persist_mode=mode, flush_interval=60.0) for _ in range(2))
        view = one.table("other")
        await asyncio.gather(one.aset("k", 1), view.aset("k", 2), two.aget("k"))
        await one.aclose()
        equal(two.stats()["unsaved"], 0)
        for closed in (one, view, one.table("third")):
            with raises(ClosedError):
                await closed.aget("k")
        same((await two.aget("k"), await two.table("other").aget("k")), (1, 2))
        await two.aset("k", 3)
        await two.aclose()
        again = bench.open(f"{mode}.db", persist_mode=mode, capacity=7)  # another engine: other options are fine
        same(await again.aget("k"), 3)


@check("1.63", "5.2")
async def closing_and_opening_at_once(bench: Bench) -> None:
    """A store opened while the last one closes waits for it and then sees what it wrote."""
    for mode in bench.file_modes:
        for number in range(10):
            one = bench.open(f"{mode}.db", persist_mode=mode)
            await one.aset("k", number)
            closing = one.aclose()
            two = bench.open(f"{mode}.db", persist_mode=mode, capacity=10 + number)
            reading = two.aget("k")
            equal((await reading, await closing), (number, None))
            await two.aclose()


@check("1.23", "1.63", "5.3")
async def a_closed_store_opens_again(bench: Bench) -> None:
    """aopen on a closed store opens it again, its views as well; every other use stays a ClosedError."""
    for mode in bench.file_modes:
        db = bench.open(f"{mode}.db", persist_mode=mode)
        for number in range(3):
            await db.aset("k", number)
            await db.aclose()
            with raises(ClosedError):
                await db.aget("k")
            await db.aopen()
            same(await db.aget("k"), number)


@check("1.65")
async def no_store_is_pickled(bench: Bench) -> None:
    """Pickling a store, open or not, is a TypeError with a sentence; so is copying."""
    for db in bench.stores():
        for _ in range(2):
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                with raises(TypeError, "pickle"):
                    pickle.dumps(db, protocol)
            await db.aopen()
