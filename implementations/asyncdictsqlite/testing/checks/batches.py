"""Section 1: the batch calls."""

from __future__ import annotations

from typing import Iterator, Tuple

from ...errors import DiskFullError, InvalidValueError
from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, faces, raises, same


@check("1.16")
async def batch_get_keeps_order(bench: Bench) -> None:
    """batch_get answers in the order given, the default where missing, duplicates allowed."""
    for db in bench.stores(capacity=3):
        await db.abatch_set({f"k{i}": i for i in range(3)})
        for call in faces(db):
            same(await call("batch_get", ["k2", "no", "k0", "k2"]), [2, None, 0, 2])
            same(await call("batch_get", ("k1", "no"), default=-1), [1, -1])
            same(await call("batch_get", (key for key in ["k1"])), [1])
            same(await call("batch_get", []), [])


@check("1.17")
async def batch_set_takes_mapping_or_pairs(bench: Bench) -> None:
    """batch_set takes a mapping or pairs; the last duplicate wins."""
    for db in bench.stores():
        for call in faces(db):
            await call("clear")
            same(await call("batch_set", {"a": 1, "b": 2}), None)
            await call("batch_set", [("a", 3), ("c", 4), ("a", 5)])
            await call("batch_set", iter([("d", 6)]))
            await call("batch_set", {})
            same(await call("batch_get", ["a", "b", "c", "d"]), [5, 2, 4, 6])
            equal(dict(db.items()), {"a": 5, "b": 2, "c": 4, "d": 6})


@check("1.19")
async def batch_delete_counts(bench: Bench) -> None:
    """batch_delete returns how many keys were there."""
    for db in bench.stores():
        for call in faces(db):
            await db.abatch_set({"a": 1, "b": None, "c": 3})
            same(await call("batch_delete", ["a", "no", "b", "a"]), 2)
            same(await call("batch_delete", []), 0)
            equal(list(db), ["c"])
            same(await call("batch_delete", {"c": 0}), 1)


@check("1.18", "3.20")
async def a_bad_item_refuses_the_batch(bench: Bench) -> None:
    """An item that cannot be stored refuses its whole batch, and nothing else."""
    for db in bench.stores(storage_mode="json"):
        await db.aset("a", 0)
        good = db.aset("good", 1)
        for call in faces(db):
            with raises(InvalidValueError):
                await call("batch_set", [("a", 1), ("b", {1, 2})])
            with raises(TypeError):
                await call("batch_set", [("a", 1), (2, 1)])
            with raises(TypeError):
                await call("batch_delete", ["a", 2])
            with raises((TypeError, ValueError)):
                await call("batch_set", ["abc"])
            with raises(ZeroDivisionError):
                await call("batch_set", _breaks())
        await good
        equal(dict(db.items()), {"a": 0, "good": 1})


def _breaks() -> Iterator[Tuple[str, int]]:
    yield "a", 1
    raise ZeroDivisionError


@check("1.16", "1.19")
async def one_str_is_no_list_of_keys(bench: Bench) -> None:
    """A single str where keys are expected is a TypeError, not a batch of its letters."""
    for db in bench.stores():
        await db.aset("a", 1)
        for call in faces(db):
            with raises(TypeError, "str"):
                await call("batch_get", "abc")
            with raises(TypeError, "str"):
                await call("batch_delete", "abc")
        equal(list(db), ["a"])


@check("1.18", "3.16", needs={Capability.WRITETHROUGH, Capability.SWITCHES})
async def a_failed_batch_leaves_nothing(bench: Bench) -> None:
    """A batch that fails on the disk leaves none of its items, in memory and in the file."""
    db = await bench.open(persist_mode="writethrough").aopen()
    await db.abatch_set({f"k{i}": "old" for i in range(0, 20, 2)})
    before = dict(db.items())
    bench.inject(db, writer_fault=(1, "full"))
    with raises(DiskFullError):
        await db.abatch_set({f"k{i}": "new" for i in range(20)})
    equal(dict(zip(before, await db.abatch_get(list(before)))), before)
    equal(dict(db.items()), before)
    await db.aclose()
    equal(dict(bench.open(persist_mode="writethrough").items()), before)


@check("1.17", "1.18")
async def big_batches(bench: Bench) -> None:
    """A batch may be larger than any limit of SQLite on variables."""
    for db in bench.stores():
        keys = [f"key{i:06}" for i in range(33_000)]
        await db.abatch_set({key: key for key in keys[::5]})
        equal(await db.abatch_get(keys), [None if i % 5 else key for i, key in enumerate(keys)])
        equal(await db.abatch_delete(keys[1:]), 6_599)
        equal(await db.alen(), 1)
