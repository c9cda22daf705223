"""Section 1: iteration in key order, by page."""

from __future__ import annotations

import tracemalloc
from typing import Any, AsyncIterator, Dict, List

from ..check import Bench, check
from ..expect import equal, raises

# In the order of code points. UTF-16 order would put the emoji before U+FB00 and U+FFFD.
_KEYS = [
    "", "\0", "\0a", "\x01", " ", "A", "AB", "Z", "a", "a\0", "a\0b", "a\x01", "ab", "b", "\x7f", "\x80", "ä",
    "\u07ff", "\u0800", "中", "\ud7ff", "\ue000", "\ufb00", "\ufffd", "\uffff", "\U00010000", "😀", "😀a",
    "\U0010fffe", "\U0010fffea", "\U0010ffff",
]  # fmt: skip


async def _all(iterator: AsyncIterator[Any]) -> List[Any]:
    return [item async for item in iterator]


@check("1.30", "2.17")
async def key_order(bench: Bench) -> None:
    """Iteration is in the order of code points, whatever the order of the writes, with '' and NUL in keys."""
    equal(_KEYS, sorted(_KEYS))
    for db in bench.stores():
        shuffled = _KEYS.copy()
        bench.random.shuffle(shuffled)
        await db.abatch_set({key: _KEYS.index(key) for key in shuffled})
        equal([key async for key in db], _KEYS)
        equal(list(db), _KEYS)
        equal(await _all(db.akeys()), _KEYS)
        equal(await _all(db.avalues()), list(range(len(_KEYS))))
        equal(await _all(db.aitems()), list(zip(_KEYS, range(len(_KEYS)))))
        equal(list(db.keys()), _KEYS)
        equal(list(db.values()), list(range(len(_KEYS))))
        equal(list(db.items()), list(zip(_KEYS, range(len(_KEYS)))))


@check("1.31")
async def iteration_options(bench: Bench) -> None:
    """prefix, start, end (exclusive), reverse and limit choose what is iterated over."""
    asked: List[Dict[str, Any]] = [
        {"prefix": "a"}, {"prefix": ""}, {"prefix": "😀"}, {"prefix": "\U0010ffff"}, {"prefix": "\U0010fffe"},
        {"prefix": "\ud7ff"},
        {"prefix": "none"}, {"start": "a"}, {"start": "a\0b"}, {"end": "a"}, {"end": ""}, {"start": "b", "end": "a"},
        {"start": "A", "end": "a"}, {"prefix": "a", "start": "a\0b"}, {"prefix": "a", "end": "ab"}, {"prefix": "a",
        "start": "", "end": "z"}, {"limit": 0}, {"limit": 1}, {"limit": 5, "start": "B"}, {"limit": 10_000},
        {"start": None, "end": None, "limit": None},
    ]  # fmt: skip
    for db in bench.stores():
        await db.abatch_set({key: key for key in _KEYS})
        for options in asked:
            for reverse in (False, True):
                wanted = _expected(options, reverse=reverse)
                equal((options, await _all(db.akeys(reverse=reverse, **options))), (options, wanted))
                equal((options, list(db.values(reverse=reverse, **options))), (options, wanted))
                equal((options, [key for key, _ in db.items(reverse=reverse, **options)]), (options, wanted))


def _expected(options: Dict[str, Any], *, reverse: bool) -> List[str]:
    prefix, start, end = (options.get(name) for name in ("prefix", "start", "end"))
    keys = [
        key for key in _KEYS if key.startswith(prefix or "") and key >= (start or "") and (end is None or key < end)
    ]
    return sorted(keys, reverse=reverse)[: options.get("limit")]


@check("1.31")
async def bad_iteration_options(bench: Bench) -> None:
    """A bound that is no str, or a limit that is negative or no integer, is refused."""
    for db in bench.stores():
        for options in ({"prefix": 1}, {"start": b"a"}, {"end": 2.5}, {"limit": -1}, {"limit": "1"}, {"limit": 1.5}):
            with raises((TypeError, ValueError)):
                await _all(db.akeys(**options))
            with raises((TypeError, ValueError)):
                list(db.items(**options))


@check("1.30", "1.31", "1.32", "1.35")
async def more_rows_than_a_page(bench: Bench) -> None:
    """More rows than a page holds come exactly once, in order, both ways, also with a limit across pages."""
    keys = [f"k{i // 3:05}" + "\0" * (i % 3) for i in range(3001)]  # the next key may be one of the last one and NUL
    for db in bench.stores():
        await db.abatch_set({key: i for i, key in enumerate(keys)})
        equal(await _all(db.akeys()), keys)
        equal(list(db.keys(reverse=True)), keys[::-1])
        equal([value for _, value in db.items(limit=2001)], list(range(2001)))
        equal(await _all(db.akeys(reverse=True, limit=1001)), keys[:-1002:-1])
        equal(await _all(db.akeys(prefix="k0", start="k00100", end="k00900")), keys[300:2700])
        equal(await db.alen(), 3001)


@check("1.32")
async def more_bytes_than_a_page(bench: Bench) -> None:
    """Values larger than a page, and many that fill several, come whole, once, in order."""
    for db in bench.stores(storage_mode="bytes"):
        sizes = [2_000_000, 1, 600_000, 600_000, 0, 3_000_000, *[90_000] * 40]
        wanted = [(f"k{i:03}", bytes([i]) * size) for i, size in enumerate(sizes)]
        await db.abatch_set(wanted)
        assert await _all(db.aitems()) == wanted, "not the same items"
        assert list(db.items(reverse=True)) == wanted[::-1], "not the same items backwards"


@check("1.32")
async def iteration_in_constant_memory(bench: Bench) -> None:
    """Iteration over 30 MB holds a page of them, not all."""
    for mode in bench.file_modes:
        db = bench.open(f"{mode}.db", persist_mode=mode, storage_mode="bytes", capacity=10)
        for start in range(0, 300, 50):
            await db.abatch_set({f"k{i:03}": b"x" * 100_000 for i in range(start, start + 50)})
        await db.aclose()
        db = bench.open(f"{mode}.db", persist_mode=mode, storage_mode="bytes", capacity=10)
        await db.aopen()
        tracemalloc.start()
        try:
            count = sum([1 async for _ in db.avalues()])
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        equal(count, 300)
        assert peak < 8_000_000, f"{peak} bytes held"


@check("1.33", "1.32", "5.1")
async def changes_during_iteration(bench: Bench) -> None:
    """A key that stays comes exactly once, in order, whatever changes round it; there is no RuntimeError."""
    for db in bench.stores(capacity=10_000):
        stay = [f"k{i:05}" for i in range(0, 2500, 2)]
        await db.abatch_set(dict.fromkeys(stay, 0))
        seen: List[str] = []
        async for key in db:
            if len(seen) % 50 == 0:
                number = bench.random.randrange(2500) // 2 * 2 + 1
                await db.abatch_set({f"k{number:05}": 1, f"k{number + 500:05}": 1, "a": 1, "z": 1})
                await db.adelete(f"k{bench.random.randrange(2500) // 2 * 2 + 1:05}")
            seen.append(key)
        equal([key for key in seen if key in set(stay)], stay)
        equal(seen, sorted(set(seen)))


@check("1.32", "1.33")
async def pages_are_transactions_of_their_own(bench: Bench) -> None:
    """An iteration that pauses holds no old state: what is deleted meanwhile does not come in a later page."""
    for db in bench.stores():
        await db.abatch_set({f"k{i:05}": i for i in range(2500)})
        iterator = db.akeys()
        first = [await iterator.__anext__() for _ in range(10)]
        await db.abatch_delete([f"k{i:05}" for i in range(1100, 2500)])
        rest = await _all(iterator)
        equal(first + rest, [f"k{i:05}" for i in range(10 + len(rest))])
        assert len(rest) < 1100, "an old state was kept during the pause"


@check("1.33", "1.30")
async def deleting_while_iterating(bench: Bench) -> None:
    """Keys may be deleted in the loop that iterates over them."""
    for db in bench.stores():
        await db.abatch_set({f"k{i:04}": i for i in range(1200)})
        for key in db:
            if key < "k0100":
                del db[key]
        async for key in db:
            await db.adelete(key) if key >= "k1150" else None
        await db.aclear()
        equal(await db.alen(), 0)


@check("1.34", "1.30")
async def iteration_sees_own_writes(bench: Bench) -> None:
    """What was written before the iteration began is in it, flushed or not, and what was deleted is not."""
    for db in bench.stores(flush_interval=60.0):
        await db.abatch_set({"a": 1, "b": 2, "c": 3})
        await db.adelete("b")
        await db.aset("c", 4)
        equal(await _all(db.aitems()), [("a", 1), ("c", 4)])
        equal((await db.alen(), len(db)), (2, 2))
        await db.aclear()
        await db.aset("d", 5)
        equal((list(db.items()), len(db)), ([("d", 5)], 1))
