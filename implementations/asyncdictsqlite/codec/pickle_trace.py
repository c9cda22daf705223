"""Trace a pickle without loading it: what it names, calls and fills, and how costly its keys are to hash.

The tracer follows the stack, the marks and the memo exactly as the unpickler would, but holds kinds in place of
objects. Pickling itself writes no stream that it refuses, but for globals that are not allowed: so a value that was
accepted can be read back.
"""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Mapping, Optional, Sequence

from ..errors import UnsafePickleError, ValueDecodingError
from .pickle_globals import SAFE, Safe, canonical, unsafe
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

    __slots__ = ("children", "closed", "depth", "fragile", "kind", "name", "rule", "span", "takes", "weight")

    def __init__(self, kind: str, depth: int = 0, weight: int = 1, name: str = "", rule: Optional[Safe] = None) -> None:
        self.kind = kind
        self.depth = depth  # of nested tuples, calls and fragile containers
        self.weight = weight  # nodes, shared ones as often as they occur
        self.name = name
        self.rule = rule
        self.takes = rule.takes if rule and kind == "o" else ()
        self.fragile = rule is not None and rule.fragile and kind == "o"
        self.children: Sequence[_Item] = ()
        self.span = (0, 0)  # of a str: where its text is
        self.closed = False  # put into a fragile container


_CONSTANTS = {
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


def trace(data: bytes, allowed: Mapping[str, Optional[type]]) -> None:
    """Refuse a stream (one that `pickle_opcodes.scan` accepted) that is not safe to load.

    Raises:
        UnsafePickleError: it names a global that is not allowed, or uses a safe one in an unsafe way.
        ValueDecodingError: it is broken, or its keys would take too long to hash.
    """
    tracer = _Tracer(data, allowed)
    try:
        for opcode, start, end in opcodes(data):
            if opcode in _CONSTANTS:
                tracer.stack.append(_CONSTANTS[opcode])
            elif opcode in _STEPS:
                _STEPS[opcode](tracer)
            else:
                _STEPS_WITH_ARGUMENT[opcode](tracer, start, end)
    except (IndexError, KeyError, UnicodeDecodeError):
        raise ValueDecodingError("the stored pickle is broken: it uses its stack, marks or memo wrongly") from None


class _Tracer:
    def __init__(self, data: bytes, allowed: Mapping[str, Optional[type]]) -> None:
        self.data = data
        self.allowed = allowed
        self.stack: List[_Item] = []
        self.below_marks: List[List[_Item]] = []
        self.memo: Dict[int, _Item] = {}
        self.hashed = 0

    # The stack and the memo

    def mark(self) -> None:
        self.below_marks.append(self.stack)
        self.stack = []

    def pop_to_mark(self) -> List[_Item]:
        items, self.stack = self.stack, self.below_marks.pop()
        return items

    def pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.pop_to_mark()

    def memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def put(self, start: int, end: int) -> None:
        self.memo[int.from_bytes(self.data[start:end], "little")] = self.stack[-1]

    def get(self, start: int, end: int) -> None:
        self.stack.append(self.memo[int.from_bytes(self.data[start:end], "little")])

    # Strings and tuples

    def string(self, start: int, end: int) -> None:
        item = _Item("s", weight=1 + (end - start) // 64)
        item.span = (start, end)
        self.stack.append(item)

    def text(self, item: _Item) -> str:
        start, end = item.span
        return self.data[start:end].decode()

    def tuple_of(self, items: List[_Item]) -> None:
        for_a_call = any(item.kind == "c" for item in items)
        if not for_a_call:
            self.check_data(items)
        self.stack.append(_nest("A" if for_a_call else "t", items))

    def tuple_1(self) -> None:
        self.tuple_of([self.stack.pop()])

    def tuple_2(self) -> None:
        self.tuple_of([self.stack.pop() for _ in range(2)][::-1])

    def tuple_3(self) -> None:
        self.tuple_of([self.stack.pop() for _ in range(3)][::-1])

    def tuple_to_mark(self) -> None:
        self.tuple_of(self.pop_to_mark())

    # Filling

    def append(self) -> None:
        self.fill("append", [self.stack.pop()])

    def appends(self) -> None:
        self.fill("append", self.pop_to_mark())

    def setitem(self) -> None:
        self.fill_mapping([self.stack.pop() for _ in range(2)][::-1])

    def setitems(self) -> None:
        self.fill_mapping(self.pop_to_mark())

    def fill_mapping(self, items: List[_Item]) -> None:
        self.check_hash(items[::2])
        self.fill("setitem", items)

    def additems(self) -> None:
        items = self.pop_to_mark()
        self.check_hash(items)
        self.fill("additems", items)

    def frozenset(self) -> None:
        items = self.pop_to_mark()
        self.check_data(items)
        self.check_hash(items)
        self.stack.append(_nest("z", items))

    def fill(self, how: str, items: List[_Item]) -> None:
        target = self.stack[-1]
        self.check_data(items)
        if target.kind in ("x", _FILLED_BY[how]):
            return
        if target.kind != "o" or how not in target.takes:
            raise UnsafePickleError(f"the pickle fills {target.name or 'an object'} in a way that no pickling does")
        if target.fragile:
            self.check_chain(target, items)

    def build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        self.check_data([state])
        if target.kind != "x" and not (target.kind == "o" and "build" in target.takes and state.kind == "d"):
            raise unsafe(target.name or "an object", "sets attributes of")

    # Globals and calls

    def global_(self, start: int, end: int) -> None:
        module, name = self.data[start : end - 1].decode().split("\n")
        self.push_global(module, name)

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.push_global(self.text(module), self.text(name))

    def push_global(self, module: str, name: str) -> None:
        full_name = canonical(f"{module}.{name}")
        rule = SAFE.get(full_name)
        if rule is None and full_name not in self.allowed:
            raise unsafe(full_name)
        if rule is None:
            self.stack.append(_Item("u", name=full_name))
        elif rule.is_object:
            self.stack.append(_Item("o", name=full_name))
        else:
            self.stack.append(_Item("v" if full_name in self.allowed else "c", name=full_name, rule=rule))

    def extension(self, start: int, end: int) -> None:
        raise UnsafePickleError(
            "the pickle names a class by an extension code of copyreg: only pickle_allow='*' lets such codes in"
        )

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if function.rule is not None and function.kind in "cv":
            self.stack.append(self.safe_call(function, function.rule, arguments))
        else:
            self.allowed_call(function, [arguments])

    def safe_call(self, function: _Item, rule: Safe, arguments: _Item) -> _Item:
        kinds = "".join(item.kind for item in arguments.children).replace("v", "c")
        classes = {item.name for item in arguments.children if item.kind in "cv"}
        texts = [item for item in arguments.children if item.kind == "s"] if rule.text else []
        if (
            rule.args is None
            or arguments.kind not in "tAE"
            or not re.fullmatch(rule.args, kinds)
            or not classes <= rule.classes
            or not all(re.fullmatch(rule.text or "", self.text(item), re.ASCII) for item in texts)
            or arguments.weight > max(MAX_SHARED_ARGS, len(self.data))
        ):
            raise unsafe(function.name, "calls")
        if rule.gives:
            return _Item("c", name=function.name, rule=rule.gives)
        return _nest("o", [arguments], function.name, rule)

    def new(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if function.rule is not None and function.rule.new and arguments.kind == "E":
            self.stack.append(_nest("o", [], function.name, function.rule))
        else:
            self.allowed_call(function, [arguments])

    def new_with_keywords(self) -> None:
        keywords, arguments, function = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.allowed_call(function, [arguments, keywords])

    def allowed_call(self, function: _Item, arguments: List[_Item]) -> None:
        if function.kind != "u":
            raise unsafe(function.name or "an object", "calls")
        self.check_data(arguments)
        self.stack.append(_nest("x", arguments, function.name))

    def stop(self) -> None:
        self.check_data([self.stack[-1]])

    # Checks

    def check_data(self, items: List[_Item]) -> None:
        """Refuse a safe class as data: it could be filled, and pickle_allow can let it in."""
        for item in items:
            if item.kind in "cA":
                name = next((part.name for part in item.children if part.kind == "c"), item.name)
                raise unsafe(name, "holds, as a value,")

    def check_hash(self, items: List[_Item]) -> None:
        self.hashed += sum(item.weight for item in items)
        if self.hashed > MAX_HASHED:
            raise ValueDecodingError("the pickle has keys that would take too long to hash")

    def check_chain(self, target: _Item, items: List[_Item]) -> None:
        """Bound chains of fragile containers; pickling finishes one before it puts it into another (but in a cycle)."""
        for item in items:
            if item.fragile:
                if target.closed:
                    raise ValueDecodingError("the pickle has deques or defaultdicts that hold each other in a cycle")
                target.depth = _checked_depth(max(target.depth, item.depth + 1))
                item.closed = True


def _nest(kind: str, items: List[_Item], name: str = "", rule: Optional[Safe] = None) -> _Item:
    depth = _checked_depth(1 + max([item.depth for item in items], default=0))
    weight = min(1 + sum([item.weight for item in items]), _HEAVY)
    outer = _Item(kind, depth, weight, name, rule)
    outer.children = items
    return outer


def _checked_depth(depth: int) -> int:
    if depth > MAX_TUPLE_DEPTH:
        raise ValueDecodingError(f"the pickle nests deeper than {MAX_TUPLE_DEPTH} levels")
    return depth


_FILLED_BY = {"append": "l", "setitem": "d", "additems": "e"}

_STEPS: Dict[int, Callable[[_Tracer], object]] = {
    ord("("): _Tracer.mark,
    ord("0"): _Tracer.pop,
    ord("1"): _Tracer.pop_to_mark,
    0x94: _Tracer.memoize,
    0x85: _Tracer.tuple_1,
    0x86: _Tracer.tuple_2,
    0x87: _Tracer.tuple_3,
    ord("t"): _Tracer.tuple_to_mark,
    ord("a"): _Tracer.append,
    ord("e"): _Tracer.appends,
    ord("s"): _Tracer.setitem,
    ord("u"): _Tracer.setitems,
    0x90: _Tracer.additems,
    0x91: _Tracer.frozenset,
    ord("b"): _Tracer.build,
    0x93: _Tracer.stack_global,
    ord("R"): _Tracer.reduce,
    0x81: _Tracer.new,
    0x92: _Tracer.new_with_keywords,
    ord("."): _Tracer.stop,
}
_STEPS_WITH_ARGUMENT: Dict[int, Callable[[_Tracer, int, int], None]] = {
    **dict.fromkeys(b"q\x72", _Tracer.put),
    **dict.fromkeys(b"h\x6a", _Tracer.get),
    **dict.fromkeys(b"\x8cX\x8d", _Tracer.string),
    **dict.fromkeys(b"\x82\x83\x84", _Tracer.extension),
    **dict.fromkeys(b"\x80\x95", lambda tracer, start, end: None),  # PROTO, FRAME
    ord("c"): _Tracer.global_,
}
