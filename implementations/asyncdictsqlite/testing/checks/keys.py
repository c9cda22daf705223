"""Section 2: keys."""

from __future__ import annotations

import enum
import random
from typing import Any, List

from ... import KeyEncodingError, KeyTooLongError
from ..check import Bench, check
from ..expect import Call, equal, faces, raises, same


class Key(str):
    """A subclass of str that lies about itself."""

    def __str__(self) -> str:
        return "lie"

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 7


class Color(str, enum.Enum):
    """A str that is an enum member."""

    RED = "red"


@check("2.17", "2.1")
async def every_text_is_a_key(bench: Bench) -> None:
    """'' and NUL and every code point but surrogates are allowed, up to 64 KiB; no two keys collide."""
    chance = random.Random(bench.seed)
    keys = [
        "", "\0", "\0\0", "a\0", "a\0b", "a", "A", "é", "e\u0301", "ß", "ss", "\ufeff", "\U0010ffff", "%", "_", "'",
        '"', "k;--", "1", "x" * 65_536, "中" * 21_845, "😀" * 16_384,
    ]  # fmt: skip
    keys += ["".join(chr(_code_point(chance)) for _ in range(chance.randrange(1, 30))) for _ in range(200)]
    keys = list(dict.fromkeys(keys))
    for db in bench.stores(capacity=1000):
        await db.abatch_set({key: i for i, key in enumerate(keys)})
        equal(await db.abatch_get(keys), list(range(len(keys))))
        equal([db[key] for key in keys], list(range(len(keys))))
        equal(list(db), sorted(keys))
        path, mode = db._source.path.rpartition("/")[2], db.stats()["persist_mode"]
        if mode != "memory":
            await db.aclose()
            again = bench.open(path, persist_mode=mode)
            for i, key in enumerate(keys):
                same(await again.aget(key), i)
            equal(await again.abatch_delete(keys), len(keys))


def _code_point(chance: random.Random) -> int:
    start, end = chance.choice(((0, 0x80), (0, 0x800), (0, 0xD800), (0xE000, 0x110000)))
    return chance.randrange(start, end)


@check("2.16")
async def str_subclasses_are_stored_as_str(bench: Bench) -> None:
    """A key of a subclass of str is its exact str, whatever the subclass says of itself."""
    for db in bench.stores():
        await db.aset(Key("k"), 1)
        same(await db.aget("k"), 1)
        await db.aset("k", 2)
        same((await db.aget(Key("k")), db.get(Key("k")), Key("k") in db), (2, 2, True))
        db[Color.RED] = 3
        same(db["red"], 3)
        same(await db.abatch_get([Key("k"), Color.RED]), [2, 3])
        equal([type(key) for key in db], [str, str])
        same(await db.apop(Key("k")), 2)
        same(await db.adelete(Color.RED), True)


@check("2.16", "6.20", "6.3")
async def a_key_that_is_no_str(bench: Bench) -> None:
    """A key that is no str is a TypeError in every method; 1 and "1" never collide."""
    for db in bench.stores():
        await db.aset("1", "str")
        for wrong in (1, None, b"1", 1.0, ("1",), True, object(), bytearray(b"1")):
            for call in faces(db):
                for name, arguments in _calls(wrong):
                    with raises(TypeError, "str"):
                        await call(name, *arguments)
            with raises(TypeError):
                db[wrong]  # type: ignore[index]
            with raises(TypeError):
                db[wrong] = 1  # type: ignore[index]
            with raises(TypeError):
                del db[wrong]  # type: ignore[arg-type]
            with raises(TypeError):
                wrong in db  # noqa: B015
            with raises(TypeError):
                await db.acontains(wrong)  # type: ignore[arg-type]
        equal(dict(db.items()), {"1": "str"})


@check("2.17", "6.20", "6.3")
async def keys_that_cannot_be_stored(bench: Bench) -> None:
    """A lone surrogate is a KeyEncodingError, more than 64 KiB in UTF-8 a KeyTooLongError, in every method."""
    for db in bench.stores():
        for call in faces(db):
            for wrong in ("\ud800", "a\udfff", "\udc80", "😀\ud83d"):
                await _refused(call, wrong, KeyEncodingError)
            for wrong in ("x" * 65_537, "é" * 32_769, "😀" * 16_385):
                await _refused(call, wrong, KeyTooLongError)
        equal(await db.alen(), 0)


async def _refused(call: Call, key: str, kind: Any) -> None:
    for name, arguments in _calls(key):
        with raises(kind):
            await call(name, *arguments)


def _calls(key: Any) -> List[Any]:
    return [("get", (key,)), ("set", (key, 1)), ("delete", (key,)), ("pop", (key, None)), ("setdefault", (key, 1)),
            ("batch_get", (["1", key],)), ("batch_set", ([("1", 0), (key, 1)],)), ("batch_delete", ([key],)),
            ("update", ([(key, 1)],))]  # fmt: skip
