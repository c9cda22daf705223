"""Pickles that somebody planted in the file."""

from __future__ import annotations

import os
import pickle
from typing import Any, Callable, Dict, Tuple

from ...errors import (
    UnsafePickleError,
    ValueDecodingError,
)
from ...protocol import Capability
from ..check import Bench, check
from ..expect import raises
from ..peer import sql

_V1 = {Capability.FORMAT_V1, Capability.WRITETHROUGH}
_WRITETHROUGH = {"persist_mode": "writethrough"}


class _Reduced:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Tuple[Callable[..., Any], Tuple[Any, ...]]:
        return self._call


def _hostile(marker: str) -> Dict[str, bytes]:
    """Return pickles that would write the file `marker`, or ask for gigabytes."""
    write, command = f"open({marker!r}, 'w').close()", f"touch {marker}"
    return {
        "system": pickle.dumps(_Reduced(os.system, command)),
        "exec": pickle.dumps(_Reduced(exec, write)),
        "nested": pickle.dumps({"a": [_Reduced(eval, write)]}),
        "getattr": b"\x80\x05cbuiltins\ngetattr\n.",
        "dotted": b"\x80\x05\x8c\x08builtins\x8c\x0dexec.__call__\x93.",
        "by_name": b"\x80\x04cos\nsystem\n\x8c" + bytes([len(command)]) + command.encode() + b"\x85R.",
        "extension": b"\x80\x02\x82\x01.",
        "instance": b"(ios\nsystem\n.",
    }


@check("2.6", needs=_V1, seconds=20)
async def planted_pickles_run_no_code(bench: Bench) -> None:
    """Hostile pickles that somebody put into the file are UnsafePickleError by every way of reading; no code runs."""
    marker = bench.path("marker")
    await _make_pickles(bench, "hostile.db", _hostile(marker))
    async with bench.open("hostile.db", **_WRITETHROUGH) as db:
        for key in _hostile(marker):
            for read in (db.aget(key), db.abatch_get([key]), db.asetdefault(key, 1)):
                with raises(UnsafePickleError, "key", key):
                    await read
                assert not os.path.exists(marker), f"{key} ran code"
        assert await db.aget("good") == {"a": 1}
    assert not os.path.exists(marker), "code ran"


@check("2.8", "2.19", needs=_V1, seconds=20)
async def planted_garbage_is_a_decoding_error(bench: Bench) -> None:
    """Bytes that are no pickle, and pickles that ask for gigabytes, are refused; the store goes on."""
    garbage = {
        "empty": b"",
        "text": b"hello",
        "cut": pickle.dumps(list(range(100)))[:-7],
        "memo": b"\x80\x04Nr\xff\xff\xff\x7f.",
        "length": b"\x80\x04\x8e\xff\xff\xff\xff\x0f\x00\x00\x00x.",
        "stack": b"\x80\x04.",
    }
    await _make_pickles(bench, "garbage.db", garbage)
    async with bench.open("garbage.db", **_WRITETHROUGH) as db:
        for key in garbage:
            with raises((ValueDecodingError, UnsafePickleError), "key", key):
                await db.aget(key)
        assert await db.aget("good") == {"a": 1}


async def _make_pickles(bench: Bench, name: str, planted: Dict[str, bytes]) -> None:
    async with bench.open(name, **_WRITETHROUGH) as db:
        await db.aset("good", {"a": 1})
    sql(bench.path(name), *(("INSERT INTO main(key, value) VALUES(?, ?)", row) for row in planted.items()))
