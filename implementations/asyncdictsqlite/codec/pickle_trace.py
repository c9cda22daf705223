"""Trace a pickle without loading it: what it names, calls and fills, and how costly its keys are to hash.

The tracer follows the stack, the marks and the memo exactly as the unpickler would, but holds kinds in place of
objects. Pickling writes no stream that it refuses, but for globals that are not allowed: so a value that was accepted
can be read back.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterable, List, Mapping, Optional, Sequence

from ..errors import UnsafePickleError, ValueDecodingError
from .pickle_globals import SAFE, Safe, canonical, not_allowed, not_safe
from .pickle_opcodes import MAX_DEPTH, opcodes

MAX_HASHED = 10**9  # nodes visited to hash all keys: seconds; without sharing it is less than the length of the stream
MAX_SHARED_ARGS = 2**14  # weight of the arguments of a safe call (a str: one per 64 bytes) where they share parts
_HEAVY = 2**62


class _Item:
    """What stands for an object.

    `kind` is one letter. Scalars: N None, B bool, i int, f float, s str, b bytes, a bytearray. Containers: l list,
    d dict, e set, z frozenset, t tuple, E the empty tuple, A a tuple that holds a safe class (good for a call only).
    c: a safe global, v: one that ``pickle_allow`` names, too, u: one that it alone names; o: what a safe one gave,
    x: what an allowed one gave.
    """

    __slots__ = ("kind",)

    depth = 0  # of nested tuples, calls and fragile containers
    weight = 1  # nodes, shared ones as often as they occur
    name = ""
    children: Sequence[_Item] = ()

    def __init__(self, kind: str) -> None:
        self.kind = kind


class _Text(_Item):
    """A str of the stream."""

    __slots__ = ("end", "start", "weight")

    def __init__(self, start: int, end: int) -> None:
        self.kind = "s"
        self.start = start
        self.end = end
        self.weight = 1 + (end - start) // 64


class _Nest(_Item):
    """A tuple or frozenset of items."""

    __slots__ = ("children", "depth", "weight")

    def __init__(self, kind: str, children: Sequence[_Item]) -> None:
        depth = weight = 0
        for item in children:
            weight += item.weight
            depth = max(depth, item.depth)
        self.kind = kind
        self.children = children
        self.depth = _checked_depth(depth + 1)
        self.weight = min(weight + 1, _HEAVY)


class _Named(_Nest):
    """A global, or an object that a call of it gave."""

    __slots__ = ("closed", "name", "rule")

    def __init__(self, kind: str, name: str, rule: Optional[Safe] = None, arguments: Sequence[_Item] = ()) -> None:
        super().__init__(kind, arguments)
        self.name = name
        self.rule = rule
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


Names = Mapping[str, _Named]


def traceable(allowed: Iterable[str]) -> Names:
    """Return what may be named, for `trace`: the safe globals and the allowed names."""
    names = {name: _Named("u", name) for name in allowed}
    for name, rule in SAFE.items():
        names[name] = _Named("o" if rule.is_object else "v" if name in names else "c", name, rule)
    return names


def trace(data: bytes, names: Names) -> None:
    """Refuse a stream (one that `pickle_opcodes.scan` accepted) that is not safe to load.

    Raises:
        UnsafePickleError: it names a global that is not allowed, or uses a safe one in an unsafe way.
        ValueDecodingError: it is broken, or its keys would take too long to hash.
    """
    tracer = _Tracer(data, names)
    try:
        for opcode, start, end in opcodes(data):
            constant = _CONSTANTS.get(opcode)
            if constant is not None:
                tracer.stack.append(constant)
            elif opcode in _STEPS:
                _STEPS[opcode](tracer)
            else:
                _STEPS_WITH_ARGUMENT[opcode](tracer, start, end)
    except (IndexError, KeyError, UnicodeDecodeError):
        raise ValueDecodingError("the stored pickle is broken: it uses its stack, marks or memo wrongly") from None


class _Tracer:
    def __init__(self, data: bytes, names: Names) -> None:
        self.data = data
        self.names = names
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

    def take(self, count: int) -> List[_Item]:
        items = self.stack[-count:]
        if len(items) < count:
            raise IndexError
        del self.stack[-count:]
        return items

    def memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def put(self, start: int, end: int) -> None:
        self.memo[int.from_bytes(self.data[start:end], "little")] = self.stack[-1]

    def get(self, start: int, end: int) -> None:
        self.stack.append(self.memo[int.from_bytes(self.data[start:end], "little")])

    # Strings and tuples

    def string(self, start: int, end: int) -> None:
        self.stack.append(_Text(start, end))

    def text(self, item: _Item) -> str:
        if not isinstance(item, _Text):
            raise ValueDecodingError("the stored pickle is broken: it names a global by something that is no str")
        return self.data[item.start : item.end].decode()

    def make_tuple(self, items: List[_Item]) -> None:
        kind = "t"
        for item in items:
            if item.kind == "c":
                kind = "A"
            elif item.kind == "A":
                self.check_data(items)
        self.stack.append(_Nest(kind, items))

    # Filling

    def fill(self, how: str, items: List[_Item]) -> None:
        target = self.stack[-1]
        self.check_data(items)
        if target.kind in ("x", _FILLED_BY[how]):
            return
        rule = target.rule if isinstance(target, _Named) and target.kind == "o" else None
        if rule is None or how not in rule.takes:
            raise not_safe(target.name, "fills")
        if rule.fragile:
            self.check_chain(target, items)

    def fill_mapping(self, items: List[_Item]) -> None:
        self.check_hash(items[::2])
        self.fill("setitem", items)

    def fill_set(self, items: List[_Item]) -> None:
        self.check_hash(items)
        self.fill("additem", items)

    def make_frozenset(self, items: List[_Item]) -> None:
        self.check_data(items)
        self.check_hash(items)
        self.stack.append(_Nest("z", items))

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        self.check_data([state])
        rule = target.rule if isinstance(target, _Named) and target.kind == "o" else None
        if target.kind != "x" and not (rule and "build" in rule.takes and state.kind == "d"):
            raise not_safe(target.name, "sets attributes of")

    # Globals and calls

    def name_global(self, module: str, name: str) -> None:
        full_name = canonical(f"{module}.{name}")
        known = self.names.get(full_name)
        if known is None:
            raise not_allowed(full_name)
        self.stack.append(known)

    def global_in_lines(self, start: int, end: int) -> None:
        module, name, _ = self.data[start:end].decode().split("\n")
        self.name_global(module, name)

    def global_of_stack(self) -> None:
        module, name = self.take(2)
        self.name_global(self.text(module), self.text(name))

    def extension(self, start: int, end: int) -> None:
        raise UnsafePickleError(
            "the pickle names a class by an extension code of copyreg: only pickle_allow='*' lets such codes in"
        )

    def reduce(self) -> None:
        function, arguments = self.take(2)
        if isinstance(function, _Named) and function.kind in "cv" and function.rule:
            self.stack.append(self.safe_call(function.name, function.rule, arguments))
        else:
            self.allowed_call(function, [arguments])

    def safe_call(self, name: str, rule: Safe, arguments: _Item) -> _Item:
        kinds = "".join([item.kind for item in arguments.children])
        if (
            rule.args is None
            or arguments.kind not in "tAE"
            or not rule.args.fullmatch(kinds)
            or (rule.classes and not rule.classes.issuperset(i.name for i in arguments.children if i.kind in "cv"))
            or (rule.text and not all(rule.text.fullmatch(self.text(i)) for i in arguments.children if i.kind == "s"))
            or arguments.weight > max(MAX_SHARED_ARGS, len(self.data))
        ):
            raise not_safe(name, "calls")
        return _Named("c", name, rule.gives) if rule.gives else _Named("o", name, rule, [arguments])

    def new(self) -> None:
        function, arguments = self.take(2)
        if isinstance(function, _Named) and function.rule and function.rule.new and arguments.kind == "E":
            self.stack.append(_Named("o", function.name, function.rule))
        else:
            self.allowed_call(function, [arguments])

    def new_with_keywords(self) -> None:
        function, *arguments = self.take(3)
        self.allowed_call(function, arguments)

    def allowed_call(self, function: _Item, arguments: List[_Item]) -> None:
        if function.kind != "u":
            raise not_safe(function.name, "calls")
        self.check_data(arguments)
        self.stack.append(_Named("x", function.name, None, arguments))

    # Checks

    def check_data(self, items: List[_Item]) -> None:
        """Refuse a safe class as a value: only the calls above were thought through."""
        for item in items:
            if item.kind in "cA":
                name = next((part.name for part in item.children if part.kind == "c"), item.name)
                raise not_allowed(name, "holds, as a value,")

    def check_hash(self, items: List[_Item]) -> None:
        self.hashed += sum([item.weight for item in items])
        if self.hashed > MAX_HASHED:
            raise ValueDecodingError("the pickle has keys that would take too long to hash")

    def check_chain(self, target: _Item, items: List[_Item]) -> None:
        """Bound chains of fragile containers; pickling fills one before it puts it into another (but in a cycle)."""
        for item in items:
            if isinstance(item, _Named) and item.kind == "o" and item.rule and item.rule.fragile:
                assert isinstance(target, _Named)
                if target.closed:
                    raise ValueDecodingError("the pickle has deques or defaultdicts that hold each other in a cycle")
                target.depth = _checked_depth(max(target.depth, item.depth + 1))
                item.closed = True


def _checked_depth(depth: int) -> int:
    if depth > MAX_DEPTH:
        raise ValueDecodingError(f"the pickle nests deeper than {MAX_DEPTH} levels")
    return depth


_FILLED_BY = {"append": "l", "setitem": "d", "additem": "e"}

_STEPS: Dict[int, Callable[[_Tracer], object]] = {
    ord("("): _Tracer.mark,
    ord("0"): _Tracer.pop,
    ord("1"): _Tracer.pop_to_mark,
    0x94: _Tracer.memoize,
    0x85: lambda tracer: tracer.make_tuple(tracer.take(1)),
    0x86: lambda tracer: tracer.make_tuple(tracer.take(2)),
    0x87: lambda tracer: tracer.make_tuple(tracer.take(3)),
    ord("t"): lambda tracer: tracer.make_tuple(tracer.pop_to_mark()),
    ord("a"): lambda tracer: tracer.fill("append", tracer.take(1)),
    ord("e"): lambda tracer: tracer.fill("append", tracer.pop_to_mark()),
    ord("s"): lambda tracer: tracer.fill_mapping(tracer.take(2)),
    ord("u"): lambda tracer: tracer.fill_mapping(tracer.pop_to_mark()),
    0x90: lambda tracer: tracer.fill_set(tracer.pop_to_mark()),
    0x91: lambda tracer: tracer.make_frozenset(tracer.pop_to_mark()),
    ord("b"): _Tracer.build,
    0x93: _Tracer.global_of_stack,
    ord("R"): _Tracer.reduce,
    0x81: _Tracer.new,
    0x92: _Tracer.new_with_keywords,
    ord("."): lambda tracer: tracer.check_data(tracer.take(1)),
}
_STEPS_WITH_ARGUMENT: Dict[int, Callable[[_Tracer, int, int], None]] = {
    **dict.fromkeys(b"qr", _Tracer.put),
    **dict.fromkeys(b"hj", _Tracer.get),
    **dict.fromkeys(b"\x8cX\x8d", _Tracer.string),
    **dict.fromkeys(b"\x82\x83\x84", _Tracer.extension),
    **dict.fromkeys(b"\x80\x95", lambda tracer, start, end: None),  # PROTO, FRAME
    ord("c"): _Tracer.global_in_lines,
}
