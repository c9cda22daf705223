"""Trace a pickle without loading it: what it names, calls and fills, and how costly its keys are to hash.

The tracer follows the stack, the marks and the memo exactly as the unpickler would, but holds kinds in place of
objects. Pickling itself writes no stream that it refuses, but for globals that are not allowed: so a value that was
accepted can be read back.
"""

from __future__ import annotations

import re
from typing import Callable, Optional, Sequence, Union

from ..errors import UnsafePickleError, ValueDecodingError
from .pickle_globals import SAFE, AllowList, Safe, canonical, unsafe
from .pickle_opcodes import MAX_TUPLE_DEPTH, opcodes

MAX_HASHED = 10**9  # nodes visited to hash all keys: seconds; without sharing it is less than the length of the stream
MAX_SHARED_ARGS = 2**14  # weight of the arguments of a safe call (a str: one per 64 bytes) where they share parts
_HEAVY = 2**62


class _Item:
    """What stands for an object.

    `kind` is one letter. Scalars: N None, B bool, i int, f float, s str, b bytes, a bytearray. Containers: l list,
    d dict, e set, z frozenset, t tuple, E the empty tuple, A a tuple that holds a safe class (for a call only).
    c: a safe global, v: one that ``pickle_allow`` names, too, u: one that it alone names; o: what a safe one gave,
    x: what an allowed one gave.
    """

    __slots__ = ("children", "closed", "depth", "kind", "name", "rule", "span", "weight")

    def __init__(self, kind: str, depth: int = 0, weight: int = 1, name: str = "") -> None:
        self.kind = kind
        self.depth = depth  # of nested tuples, calls and fragile containers
        self.weight = weight  # nodes, shared ones as often as they occur
        self.name = name
        self.children: Sequence[_Item] = ()
        self.span = (0, 0)  # of a str: where its text is
        self.rule: Optional[Safe] = None
        self.closed = False


_CONSTANT = {
    opcode: _Item(kind)
    for kind, codes in {
        "N": b"N",
        "B": b"\x88\x89",
        "i": b"KMJ\x8a\x8b",
        "f": b"G",
        "b": b"CB\x8e",
        "a": b"\x96",
        "l": b"]",
        "d": b"}",
        "e": b"\x8f",
        "E": b")",
    }.items()
    for opcode in codes
}


def trace(data: bytes, allowed: AllowList) -> None:
    """Refuse a stream (one that `pickle_opcodes.scan` accepted) that is not safe to load.

    Raises:
        UnsafePickleError: it names a global that is not allowed, or uses a safe one in an unsafe way.
        ValueDecodingError: it is broken, or its keys would take too long to hash.
    """
    tracer = _Tracer(data, allowed or {})
    push = tracer.push
    try:
        for opcode, start, end in opcodes(data):
            constant = _CONSTANT.get(opcode)
            if constant is not None:
                push(constant)
            else:
                _STEPS[opcode](tracer, start, end)
    except (IndexError, KeyError, UnicodeDecodeError):
        raise ValueDecodingError("the stored pickle is broken: it uses its stack or memo wrongly") from None


class _Tracer:
    def __init__(self, data: bytes, allowed: dict[str, Optional[type]]) -> None:
        self.data = data
        self.allowed = allowed
        self.stack: list[_Item] = []
        self.marked: list[list[_Item]] = []
        self.memo: dict[int, _Item] = {}
        self.hashed = 0
        self.push: Callable[[_Item], None] = lambda item: self.stack.append(item)
