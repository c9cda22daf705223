"""Section 2: what a pickle may load, and hostile ones."""

from __future__ import annotations

import copyreg
import json
import os
import pickle
import struct
from typing import Any, Dict, List

from ... import AsyncDictSQLite, InvalidValueError, UnsafePickleError, ValueDecodingError, ValueEncodingError
from ..check import Bench, check
from ..expect import equal, faces, raises, same

# Puts rows {key: hex of the stored bytes} into the closed file of a store, by the standard library alone.
_PLANT = """
import json, sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    for key, data in json.loads(sys.argv[2]).items():
        db.execute("INSERT OR REPLACE INTO main(key, value) VALUES (?, ?)", (key, bytes.fromhex(data)))
db.close()
"""
_EXTENSION = 0x7F


class Custom:
    """A class of the user's."""

    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return type(other) is Custom and other.x == self.x

    __hash__ = None  # type: ignore[assignment]


class Evil:
    """Touches a file when it is loaded."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


async def _plant(bench: Bench, rows: Dict[str, bytes], storage_mode: str = "pickle", **options: Any) -> AsyncDictSQLite:
    """Give a store over a file that holds these bytes."""
    db = bench.open(storage_mode=storage_mode, **options)
    await db.aset("good", b"" if storage_mode == "bytes" else 1)
    await db.aclose()
    child = bench.child(_PLANT, bench.path(), json.dumps({key: data.hex() for key, data in rows.items()}))
    assert child.returncode == 0, child.stderr
    return bench.open(storage_mode=storage_mode, **options)


def _loads_a_global(marker: str) -> Dict[str, bytes]:
    """Pickles that name something which no value needs."""
    command = f"touch {marker}"
    text = command.encode()
    short = bytes([len(text)]) + text
    return {
        "reduce os.system": pickle.dumps(Evil(marker), 5),
        "reduce os.system, protocol 0": pickle.dumps(Evil(marker), 0),
        "inst": b"(S'" + text + b"'\nios\nsystem\n.",
        "obj": b"(cos\nsystem\nS'" + text + b"'\no.",
        "newobj": b"\x80\x02cos\nsystem\nU" + short + b"\x85\x81.",
        "eval": b'cbuiltins\neval\n(S\'__import__("os").system("' + text + b"\")'\ntR.",
        "exec": b"cbuiltins\nexec\n(S'import os; os.system(\"" + text + b"\")'\ntR.",
        "python 2 name": b"\x80\x02c__builtin__\neval\nU\x011\x85R.",
        "import": b"cbuiltins\n__import__\n(S'os'\ntR.",
        "getattr": b"cbuiltins\ngetattr\n(cposix\nopen\nS'__self__'\ntR.",
        "subprocess": b"csubprocess\nPopen\n((lS'touch'\naS'" + marker.encode() + b"'\natR.",
        "a dotted name": _named("datetime", "sys.modules"),
        "a dotted name of a safe class": _named("datetime", "datetime.__class__.__base__"),
        "a safe module, another name": _named("collections", "_sys"),
        "an extension code": b"\x80\x02\x82" + bytes([_EXTENSION]) + b"U" + short + b"\x85R.",
        "inside a container": b"\x80\x04](K\x01cos\nsystem\nU" + short + b"\x85Re.",
        "as the factory of a defaultdict": b"\x80\x02ccollections\ndefaultdict\ncos\nsystem\n\x85R.",
        "functools.partial": b"cfunctools\npartial\n(cos\nsystem\nS'" + text + b"'\ntR.",
        "a user's class": pickle.dumps(Custom(1), 5),
    }


def _named(module: str, name: str) -> bytes:
    return b"\x80\x04" + b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name)) + b"\x93."


def _bombs() -> Dict[str, bytes]:
    """Pickles that ask for more than they are, or are none."""
    return {
        "memo index 2**31 - 1": b"Nr" + struct.pack("<I", 2**31 - 1) + b".",
        "memo index in text": b"Np2147483647\n.",
        "bytes of 2**40": b"\x80\x05\x8e" + struct.pack("<Q", 2**40) + b"x.",
        "bytearray of 2**31": b"\x80\x05\x96" + struct.pack("<Q", 2**31) + b"x.",
        "str of 2**40": b"\x80\x05\x8d" + struct.pack("<Q", 2**40) + b"x.",
        "bytes of 2**31": b"\x80\x05B" + struct.pack("<I", 2**31) + b"x.",
        "integer of 2**30 bytes": b"\x80\x02\x8b" + struct.pack("<i", 2**30) + b"x.",
        "frame of 2**40": b"\x80\x05\x95" + struct.pack("<Q", 2**40) + b"N.",
        "empty": b"",
        "no stop": b"\x80\x05N",
        "empty stack": b"\x80\x05.",
        "garbage": b"\xff\xfe garbage",
        "get of nothing": b"\x80\x05h\x07.",
        "a newer protocol": b"\x80\xffN.",
        "a persistent id": b"Pid\n.",
        "a binary persistent id": b"N\x51.",
        "an out-of-band buffer": b"\x80\x05\x97.",
        "a cut list": pickle.dumps(list(range(100)), 5)[:-30],
        "unhashable key": b"\x80\x02}]K\x01s.",
        "build without state": b"\x80\x02K\x01Nb0.",
    }


@check("2.6", "2.19", "6.3", seconds=20)
async def hostile_pickles_run_nothing(bench: Bench) -> None:
    """A pickle that names anything but the safe globals is an UnsafePickleError on every path; no code runs."""
    marker = bench.path("marker")
    rows = _loads_a_global(marker)
    for mode in bench.file_modes[-1:]:
        copyreg.add_extension("os", "system", _EXTENSION)
        try:
            db = await _plant(bench, rows, persist_mode=mode)
            for key, data in rows.items():
                await _unsafe(db, key, data)
            for call in faces(db):
                with raises(InvalidValueError):
                    await call("batch_get", ["good", *rows])
            with raises(InvalidValueError):
                [item async for item in db.aitems()]
        finally:
            copyreg.remove_extension("os", "system", _EXTENSION)
        assert not os.path.exists(marker), "code of the data ran"
        same(await db.aget("good"), 1)
        equal(await db.abatch_delete(list(rows)), len(rows))


async def _unsafe(db: AsyncDictSQLite, key: str, data: bytes) -> None:
    is_ours = data[:1] == b"\x80"  # protocol 0 and 1, which no store writes, may be refused as no pickle at all
    for call in faces(db):
        try:
            with raises(UnsafePickleError if is_ours else InvalidValueError, key):
                await call("get", key)
        except AssertionError as error:
            raise AssertionError(f"{key}: {error}") from error
    same(await db.acontains(key), True)


@check("2.8", "2.19", "6.3", seconds=20)
async def bombs_are_refused(bench: Bench) -> None:
    """A stream that asks for more than it is, or is no pickle, is an InvalidValueError; nothing big is allocated."""
    rows = _bombs()
    for mode in bench.file_modes[-1:]:
        db = await _plant(bench, rows, persist_mode=mode)
        for key in rows:
            for call in faces(db):
                try:
                    with raises(InvalidValueError):
                        await call("get", key)
                except AssertionError as error:
                    raise AssertionError(f"{key}: {error}") from error
        same(await db.aget("good"), 1)
        with raises(InvalidValueError):
            await db.apop("empty")


@check("2.19", "2.13", "6.3")
async def stored_bytes_of_another_kind(bench: Bench) -> None:
    """Stored bytes that the mode does not write are a ValueDecodingError that names the key."""
    rows = {
        "none": b"",
        "cut": b'{"a": [1',
        "utf-8": b'"\xff"',
        "pickle": b"\x80\x05N.",
        "trailing": b"1 2",
        "word": b"hello",
    }
    for mode in bench.file_modes[-1:]:
        db = await _plant(bench, rows, "json", persist_mode=mode)
        for key in rows:
            for call in faces(db):
                with raises(ValueDecodingError, key):
                    await call("get", key)
        same(await db.aget("good"), 1)
        await db.aset("cut", [1])
        same(await db.aget("cut"), [1])


@check("2.7", "2.6", "3.20", "6.3")
async def aset_refuses_what_could_not_be_read_back(bench: Bench) -> None:
    """What reading would refuse, or pickle cannot hold, is refused at the call, without loading it."""
    marker = bench.path("marker")
    for db in bench.stores():
        await db.aset("k", "old")
        unsafe: List[Any] = [Custom(1), Evil(marker), [Custom(1)], {"a": (1, Evil(marker))}, os.system, Custom, len, os]
        for value in unsafe:
            with raises(InvalidValueError):
                db.aset("k", value)
        unpicklable: List[Any] = [lambda: 1, (i for i in "a"), open, db]
        for value in unpicklable:
            with raises((InvalidValueError, TypeError)):
                db.aset("k", value)
        with raises(UnsafePickleError, "Custom", "pickle_allow"):
            db.batch_set({"a": 1, "k": Custom(1)})
        with raises(UnsafePickleError):
            db.setdefault("new", Custom(1))
        equal(dict(db.items()), {"k": "old"})
    assert not os.path.exists(marker), "encoding ran the value's code"


@check("2.9", "2.6")
async def pickle_allow_lets_classes_in(bench: Bench) -> None:
    """pickle_allow takes classes and "module.Name"; "*" lifts the list; nothing else comes in with them."""
    name = f"{Custom.__module__}.Custom"
    for number, allow in enumerate(([Custom], (name,), [Custom, name], "*")):
        for db in bench.stores(pickle_allow=allow, table_name=f"t{number}"):
            await db.aset("k", [Custom(7)])
            same(type((await db.aget("k"))[0]), Custom)
            equal(db["k"][0].x, 7)
            if allow != "*":
                with raises(UnsafePickleError):
                    db.aset("k", Evil(bench.path("marker")))
            view = db.table(f"v{number}")
            await view.aset("k", Custom(8))
            equal((await view.aget("k")).x, 8)


@check("2.9", "6.19")
async def bad_pickle_allow(bench: Bench) -> None:
    """pickle_allow that is no list of classes and names is refused at the constructor."""
    for wrong in (1, "Custom", [1], [None], None):
        with raises((TypeError, ValueError)):
            AsyncDictSQLite(bench.path(), backend=bench.backend, pickle_allow=wrong)  # type: ignore[arg-type]


@check("2.7", "2.12", "3.20")
async def deep_and_recursive_pickles(bench: Bench) -> None:
    """A recursive value makes the round trip or is refused; one too deep is a ValueEncodingError, never a crash."""
    for db in bench.stores():
        loop: Any = [1]
        loop.append(loop)
        await db.aset("loop", loop)
        got = await db.aget("loop")
        assert got[1] is got, "the recursion was lost"
        deep: Any = []
        for _ in range(100_000):
            deep = [deep]
        with raises(ValueEncodingError):
            db.aset("deep", deep)
        while deep:
            deep = deep[0]
        same(await db.acontains("deep"), False)
