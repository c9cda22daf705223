"""Section 2: the storage modes."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import pathlib
import uuid
from typing import Any, Dict, Iterator, List

from ... import AsyncDictSQLite, InvalidValueError, StorageModeMismatchError, ValueEncodingError
from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, faces, raises, same

_UTC = dt.timezone.utc

_JSON: List[Any] = [
    None, True, False, 0, -1, 2**63, -(2**64), 10**40, 0.0, -0.0, 1.5, 1e300, 5e-324, 0.1, "", "a", "\0",
    "ü中😀\u2028\x7f", '"\\/\n', [], {}, [1, [2, [3, {"a": None}]]], {"": 1, "a\0b": [True, False, None],
    "ключ": {"x": 1.0}}, ["x" * 5000], {"k": 1, "K": 2},
]  # fmt: skip

_PICKLE: List[Any] = [
    *_JSON, float("inf"), float("-inf"), float("nan"), 3 + 4j, b"", b"\0\xff" * 40, bytearray(b"abc"), (), (1, ), (1,
    "a", b"b", None), (1, (2, (3.5, True))), ([1], {"a": (1, )}), {1, 2}, frozenset({"a"}), {1: "int", (1, 2): "tuple",
    None: "none"}, range(1, 9, 2), slice(1, 2), dt.date(2024, 2, 29), dt.datetime(2024, 1, 2, 3, 4, 5, 6),
    dt.datetime(2024, 1, 2, tzinfo=_UTC), dt.time(1, 2), dt.timedelta(1, 2, 3), dt.timezone(dt.timedelta(hours=5)),
    decimal.Decimal("1.10"), fractions.Fraction(1, 3), uuid.UUID(int=7), collections.OrderedDict([("b", 1), ("a", 2)]),
    collections.deque([1, 2], 5), collections.Counter("aab"), collections.defaultdict(list, {"a": [1]}),
    pathlib.PurePosixPath("/a/b"), pathlib.PureWindowsPath("c:/x"), [[]] * 3,
]  # fmt: skip

_BYTES: List[Any] = [b"", b"\0", bytes(range(256)), b"x" * 100_000]

_VALUES: Dict[str, List[Any]] = {"pickle": _PICKLE, "json": _JSON, "jsonb": _JSON, "bytes": _BYTES}


class Level(enum.IntEnum):
    """A subclass of int."""

    LOW = 1


class Word(str):
    """A subclass of str."""

    __slots__ = ()


class Blob(bytes):
    """A subclass of bytes."""


class Pair(collections.namedtuple("Pair", "one two")):
    """A subclass of tuple."""

    __slots__ = ()


@dataclasses.dataclass
class Point:
    """A class of the user's."""

    x: int


@check("2.5", "2.10", "2.14", "2.4", "2.1")
async def round_trips(bench: Bench) -> None:
    """What a mode can hold comes back equal and of the same type: as a hit, a cold read, and after a reopen."""
    for storage_mode in bench.storage_modes:
        values = {f"k{i:03}": value for i, value in enumerate(_VALUES[storage_mode])}
        for mode in bench.persist_modes:
            for capacity in (1000, 1):
                if mode == "memory" and capacity == 1:
                    continue
                options = {"persist_mode": mode, "storage_mode": storage_mode, "capacity": capacity}
                db = bench.open(f"{mode}-{storage_mode}-{capacity}.db", **options)
                await db.abatch_set(values)
                await _all_paths(db, values)
                if mode != "memory":
                    await db.aclose()
                    await _all_paths(bench.open(f"{mode}-{storage_mode}-{capacity}.db", **options), values)


async def _all_paths(db: AsyncDictSQLite, values: Dict[str, Any]) -> None:
    for found in (
        dict(zip(values, await db.abatch_get(list(values)))),
        dict(db.items()),
        dict(zip(values, db.values())),
    ):
        equal(list(found), list(values))
        for key, value in values.items():
            same(found[key], value)
    for key, value in values.items():
        same(await db.aget(key), value)
        same(db[key], value)


@check("2.4")
async def every_path_uses_one_codec(bench: Bench) -> None:
    """What goes in by any path comes out by any other."""
    value = {"a": [1, "ü", None]}
    for storage_mode in bench.storage_modes:
        wanted = value if storage_mode != "bytes" else b"\0raw"
        for db in bench.stores(storage_mode=storage_mode, table_name=f"t_{storage_mode}"):
            await db.aset("a", wanted)
            db.set("b", wanted)
            db["c"] = wanted
            await db.abatch_set({"d": wanted})
            db.batch_set([("e", wanted)])
            same(await db.asetdefault("f", wanted), wanted)
            same(db.setdefault("f", None if storage_mode != "bytes" else b""), wanted)
            await db.aupdate(g=wanted)
            await _all_paths(db, dict.fromkeys("abcdefg", wanted))
            for call in faces(db):
                same(await call("pop", "a"), wanted)
                await call("set", "a", wanted)
            await db.aclear()


@check("2.2")
async def values_are_snapshots(bench: Bench) -> None:
    """Changing an object that was passed or returned changes nothing for others, hits included."""
    for db in bench.stores():
        for number in range(2):
            passed: Dict[str, Any] = {"list": [1], "n": number}
            wanted = {"list": [1], "n": number}
            calls = [
                db.aset("a", passed),
                db.abatch_set({"b": passed}),
                db.asetdefault(f"c{number}", passed),
                db.aupdate(d=passed),
            ]
            passed["list"].append(2)
            passed["n"] = None
            for call in calls:
                await call
            for _ in range(2):
                for key in ("a", "b", f"c{number}", "d"):
                    got = await db.aget(key)
                    same(got, wanted)
                    got["list"].append(3)
                    got.clear()
                for got in (*await db.abatch_get(["a", "a"]), *db.values(prefix="a"), db["a"], db.setdefault("a", 0)):
                    same(got, wanted)
                    got["list"].clear()
            same(await db.apop("a"), wanted)


@check("2.2", "2.14")
async def buffers_are_snapshots(bench: Bench) -> None:
    """bytes mode takes any bytes-like object as it is at the call, and gives bytes."""
    for db in bench.stores(storage_mode="bytes"):
        buffer = bytearray(b"abcdef")
        calls = [
            db.aset("a", buffer),
            db.aset("b", memoryview(buffer)[::2]),
            db.aset("c", memoryview(buffer).cast("H")),
        ]
        buffer[:] = b"zzzzzz"
        for call in calls:
            await call
        for _ in range(2):
            same(await db.abatch_get(["a", "b", "c"]), [b"abcdef", b"ace", b"abcdef"])
        for wrong in ("str", 1, None, [1], ["a"], 1.5):
            for face in faces(db):
                with raises(ValueEncodingError, "bytes"):
                    await face("set", "a", wrong)
        same(await db.aget("a"), b"abcdef")


@check("2.3", "2.1")
async def a_hit_is_what_a_fresh_read_gives(bench: Bench) -> None:
    """Subclasses, mutable values and tuples of them: a hit has the type and value of a read from disk."""
    values: Dict[str, List[Any]] = {
        "pickle": [
            Level.LOW,
            Word("w"),
            Blob(b"b"),
            Pair(1, [2]),
            (1, [2]),
            (Level.LOW, 1),
            ((1, (Word("w"),)),),
            True,
            1,
            1.0,
        ],
        "json": [(1, 2), [(1,)], {"a": (1,)}, True, 1, 1.0, "s"],
        "bytes": [Blob(b"b"), bytearray(b"c"), memoryview(b"d"), b"e"],
    }
    for storage_mode in bench.storage_modes:
        for mode in bench.file_modes:
            name = f"{mode}-{storage_mode}.db"
            options = {"persist_mode": mode, "storage_mode": storage_mode, "pickle_allow": [Level, Word, Blob, Pair]}
            items = {f"k{i}": value for i, value in enumerate(values.get(storage_mode, values["json"]))}
            db = bench.open(name, **options)
            await db.abatch_set(items)
            hits, again = [await db.aget(key) for key in items], [db.get(key) for key in items]
            await db.aclose()
            db = bench.open(name, **options)
            fresh = [await db.aget(key) for key in items]
            for hit, read in zip(hits + again, fresh * 2):
                same(hit, read)


@check("2.3", "2.2")
async def mutable_values_are_never_shared(bench: Bench) -> None:
    """Two reads of a mutable value, or of a tuple that holds one, give two objects."""
    for db in bench.stores():
        values: List[Any] = [[1], {"a": 1}, ([1],), (1, ({},)), bytearray(b"x"), {1}]
        for value in values:
            await db.aset("k", value)
            one, two = await db.aget("k"), db.get("k")
            assert one is not two and one is not value, f"{value!r} is shared"
            if type(value) is tuple:
                assert one[-1] is not two[-1], f"the inside of {value!r} is shared"


@check("2.3")
async def subclasses_in_json_and_bytes(bench: Bench) -> None:
    """A subclass of int, str or bytes is refused or comes back as its exact base, never as itself."""
    for storage_mode, value in (("json", Level.LOW), ("json", Word("w")), ("json", [Level.LOW]), ("bytes", Blob(b"b"))):
        for db in bench.stores(storage_mode=storage_mode, table_name=storage_mode):
            try:
                await db.aset("k", value)
            except InvalidValueError:
                continue
            for got in (await db.aget("k"), db.get("k")):
                inner = got[0] if isinstance(got, list) else got
                assert type(inner) in (int, str, bytes), f"{value!r} came back as {type(inner).__name__}"


def _json_stores(bench: Bench, **options: Any) -> Iterator[AsyncDictSQLite]:
    for storage_mode in ("json", "jsonb"):
        yield from bench.stores(storage_mode=storage_mode, table_name=storage_mode, **options)


@check("2.10", "2.1")
async def json_tuples_are_lists(bench: Bench) -> None:
    """json: tuples come back as lists, from memory, too."""
    for db in _json_stores(bench):
        await db.aset("k", (1, (2, {"a": ()})))
        for _ in range(2):
            same(await db.aget("k"), [1, [2, {"a": []}]])
        same(await db.asetdefault("new", (1,)), [1])


_JSONB: Dict[str, Any] = {
    "00": None, "01": True, "02": False, "1330": 0, "332d3132": -12, "35312e35": 1.5, "07": "", "1761": "a", "0b": [],
    "0c": {}, "4b13311332": [1, 2], "4c17611331": {"a": 1}, "37e4b8ad": "\u4e2d", "c70c" + "78" * 12: "x" * 12,
    "d70100" + "78" * 256: "x" * 256,
}  # fmt: skip

_HEX = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for value, kind in db.execute("SELECT value, typeof(value) FROM main ORDER BY key"):
    print(value.hex(), kind)
"""


@check("2.18", "2.13", "7.2", needs={Capability.WRITETHROUGH, Capability.FORMAT_V1})
async def jsonb_is_the_format_of_sqlite(bench: Bench) -> None:
    """jsonb: the stored bytes are those of SQLite's JSONB page: type and size in the head, numbers as text."""
    async with bench.open(storage_mode="jsonb") as db:
        await db.abatch_set({f"k{i:02}": value for i, value in enumerate(_JSONB.values())})
    child = bench.child(_HEX, bench.path())
    equal(child.stdout.splitlines(), [f"{data} blob" for data in _JSONB])
    with raises(StorageModeMismatchError, "jsonb"):
        await bench.open(storage_mode="json").aget("k00")


@check("2.11", "3.20", "6.3")
async def json_refuses_what_json_cannot_hold(bench: Bench) -> None:
    """json: other dict keys, NaN, infinities, sets, bytes, datetimes, dataclasses, recursion: refused at the call."""
    loop: List[Any] = []
    loop.append(loop)
    wrong = [
        {1: 2}, {None: 1}, {(1,): 1}, {True: 1}, float("nan"), float("inf"), -float("inf"), {1}, frozenset(), b"x",
        bytearray(), dt.datetime(2024, 1, 1), dt.date(2024, 1, 1), Point(1), 1j, decimal.Decimal(1), object(), range(3),
        loop,
    ]  # fmt: skip
    for db in _json_stores(bench):
        await db.aset("k", "old")
        for value in wrong:
            for nested in (value, [value], {"a": {"b": value}}):
                with raises(ValueEncodingError, "json"):
                    db.aset("k", nested)
        with raises(ValueEncodingError):
            db.setdefault("new", {1})
        with raises(ValueEncodingError):
            db["new"] = b""
        equal(dict(db.items()), {"k": "old"})


@check("2.12")
async def json_limits(bench: Bench) -> None:
    """json: integers up to 4300 digits and nesting up to 500 make the round trip; far more is refused at the call."""
    deep: List[Any] = []
    for _ in range(499):
        deep = [deep]
    deeper = [[[[[[deep]]]]]] * 1
    for _ in range(100_000):
        deeper = [deeper]
    for db in _json_stores(bench, capacity=1):
        for value in (10**4299, -(10**4299) - 7, deep, {"a": deep[0]}):
            await db.aset("k", value)
            await db.aset("other", 1)
            got = await db.aget("k")
            assert type(got) is type(value) and got == value, "it came back changed"
        for value in (10**4300, 10**20_000, deeper):
            with raises(ValueEncodingError):
                db.aset("k", value)
    while deeper:  # freed step by step: a deep list is freed by recursion otherwise
        deeper = deeper[0]


@check("2.15", "6.3")
async def the_mode_is_kept_in_the_file(bench: Bench) -> None:
    """Opening a table in another storage mode is a StorageModeMismatchError that names both; the data stays."""
    values = {"pickle": (1, 2), "json": [1, 2], "bytes": b"12"}
    for mode in bench.file_modes:
        for storage_mode, value in values.items():
            name = f"{mode}-{storage_mode}.db"
            db = bench.open(name, persist_mode=mode, storage_mode=storage_mode)
            await db.aset("k", value)
            await db.aclose()
            for other in values:
                db = bench.open(name, persist_mode=mode, storage_mode=other)
                if other == storage_mode:
                    same(await db.aget("k"), value)
                else:
                    with raises(StorageModeMismatchError, storage_mode, other):
                        await db.aget("k")
                await db.aclose()


@check("6.18", "3.20", "3.16")
async def values_too_large(bench: Bench) -> None:
    """A value above max_value_bytes is refused at the call; one of exactly that size is not."""
    from ... import ValueTooLargeError

    for db in bench.stores(storage_mode="bytes", max_value_bytes=1000):
        await db.aset("k", b"x" * 1000)
        for call in faces(db):
            with raises(ValueTooLargeError, "1000"):
                await call("set", "k", b"y" * 1001)
            with raises(ValueTooLargeError):
                await call("batch_set", [("a", b""), ("k", b"y" * 1001)])
        equal((await db.aget("k"), await db.alen()), (b"x" * 1000, 1))
    for storage_mode in ("pickle", "json"):
        db = bench.open(f"{storage_mode}.db", storage_mode=storage_mode, max_value_bytes=1000)
        for value in ("y" * 1001, ["y" * 600, "z" * 600], {"k": "y" * 990, "j": "z" * 20}):
            with raises(ValueTooLargeError):
                db.aset("k", value)
