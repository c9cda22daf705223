"""The seam itself: what a commit tells, of every kind of change."""

from __future__ import annotations

from typing import List, Optional

from ... import AsyncDictSQLite
from ...protocol import Change, Kind, Was
from ..check import Bench, check
from ..expect import equal

_STORED = {"a": b"1", "b": b"2"}


def _change(kind: Kind, key: str = "", value: Optional[bytes] = None, expected: Optional[bytes] = None) -> Change:
    return Change(kind, "main", key, value, expected)


async def _commit(db: AsyncDictSQLite, *changes: Change) -> List[Was]:
    assert db._engine is not None, "the store is not open"
    return list(await db._engine.commit(changes, old=True))


@check("1.72", "1.12", "1.13")
async def a_commit_tells_what_it_met(bench: Bench) -> None:
    """Each change of a commit tells whether its key was there and what it held, the earlier ones applied."""
    for capacity in (100, 0):
        for mode in bench.persist_modes:
            options = {} if mode == "memory" else {"capacity": capacity}
            db = await bench.open(f"{mode}{capacity}.db", persist_mode=mode, storage_mode="bytes", **options).aopen()
            await db.abatch_set(_STORED)
            await db.aflush()
            was = await _commit(
                db,
                _change(Kind.PUT, "a", b"3"),
                _change(Kind.PUT, "c", b"4"),
                _change(Kind.PUT_IF_ABSENT, "c", b"5"),
                _change(Kind.PUT_IF_ABSENT, "d", b"6"),
                _change(Kind.DELETE, "b"),
                _change(Kind.DELETE, "b"),
                _change(Kind.PUT_IF_ABSENT, "b", b"7"),
            )
            equal([one.there for one in was], [True, False, True, False, True, False, False])
            equal([one.old for one in was], [b"1", None, b"4", None, b"2", None, None])
            equal(dict(db.items()), {"a": b"3", "b": b"7", "c": b"4", "d": b"6"})
            equal(await db.abatch_get(["a", "b", "c", "d"]), [b"3", b"7", b"4", b"6"])
            was = await _commit(
                db, _change(Kind.CLEAR), _change(Kind.PUT_IF_ABSENT, "a", b"8"), _change(Kind.DELETE, "b")
            )
            equal(was[1:], [Was(False), Was(False)])
            equal((dict(db.items()), await db.abatch_get(["a", "b"])), ({"a": b"8"}, [b"8", None]))


@check("1.72", "1.18")
async def put_if_equal(bench: Bench) -> None:
    """PUT_IF_EQUAL writes only where the key is there with exactly the expected bytes, and tells what it held."""
    for capacity in (100, 0):
        for mode in bench.persist_modes:
            options = {} if mode == "memory" else {"capacity": capacity}
            db = await bench.open(f"{mode}{capacity}.db", persist_mode=mode, storage_mode="bytes", **options).aopen()
            await db.abatch_set(_STORED)
            await db.aflush()
            was = await _commit(
                db,
                _change(Kind.PUT_IF_EQUAL, "a", b"new", b"1"),
                _change(Kind.PUT_IF_EQUAL, "b", b"new", b"1"),
                _change(Kind.PUT_IF_EQUAL, "none", b"new", b""),
                _change(Kind.PUT_IF_EQUAL, "a", b"newer", b"new"),
            )
            equal([(one.there, one.old) for one in was], [(True, b"1"), (True, b"2"), (False, None), (True, b"new")])
            equal(await db.abatch_get(["a", "b", "none"]), [b"newer", b"2", None])
            equal(dict(db.items()), {"a": b"newer", "b": b"2"})
