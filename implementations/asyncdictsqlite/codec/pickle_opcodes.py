"""The opcodes of pickle protocols 2 to 5 and a linear scan of a stream, before anything is loaded.

Source: https://github.com/python/cpython/blob/main/Lib/pickletools.py
"""

from __future__ import annotations

from typing import Iterator, Set, Tuple, Type

from ..errors import InvalidValueError, UnsafePickleError, ValueDecodingError

MAX_DEPTH = 20_000  # hash() of nested tuples and the deallocation of some containers recurse in C, unguarded
MEMOIZE = 0x94

# How far an opcode reaches: its own length where that is above zero, else one of these.
_REFUSED, _SHORT, _FRESH, _GET, _MEMOIZE, _STOP = 0, -1, -2, -3, -4, -5
_SIZED, _PUT, _GET_4, _NESTS, _NAMES, _LINES, _OUTSIDE = -6, -7, -8, -9, -10, -11, -12

_OPCODES = {
    1: b"(N\x88\x89)01aesu\x90",
    2: b"K\x80",
    3: b"M",
    5: b"J",
    9: b"G\x95",
    _FRESH: b"]}\x8f",
    _SHORT: b"\x8cC\x8a",
    _SIZED: b"XB\x8b\x8d\x8e\x96",
    _STOP: b".",
    _MEMOIZE: b"\x94",
    _PUT: b"qr",
    _GET: b"h",
    _GET_4: b"j",
    _NESTS: b"t\x85\x86\x87\x91",
    _NAMES: b"\x93R\x81\x92b\x82\x83\x84",
    _LINES: b"c",
    _OUTSIDE: b"PQio",
}
_ARGUMENT_BYTES = {**dict.fromkeys(b"qh\x82", 1), 0x83: 2, **dict.fromkeys(b"rj\x84XB\x8b", 4)}
_ARGUMENT_BYTES.update(dict.fromkeys(b"\x8d\x8e\x96", 8))

_REACH = [_REFUSED] * 256
_LENGTH = [0] * 256  # of the opcode and its argument; 0 where only the stream tells
for _reach, _opcodes in _OPCODES.items():
    for _opcode in _opcodes:
        _REACH[_opcode] = _reach
        _LENGTH[_opcode] = _reach if _reach > 0 else 1 + _ARGUMENT_BYTES.get(_opcode, 0)
        if _reach in (_SHORT, _SIZED, _LINES):
            _LENGTH[_opcode] = 0


def scan(data: bytes) -> bool:  # noqa: C901, PLR0912  (one loop without calls for what is frequent)
    """Check every opcode, length and memo index; tell whether the stream must be traced before it is loaded.

    False: it names no global, and no key in it can be costly to hash, so that loading runs no code and allocates
    at most a constant times its length.

    Raises:
        ValueDecodingError: truncated, longer than its pickle, or not protocol 2 to 5.
        UnsafePickleError: it asks for a persistent object or a class in the way of protocol 0.

    Cost: linear in the number of opcodes.
    """
    at = memoized = 0
    names = nests = shares = False
    shareable: Set[int] = set()  # memo indexes of what may be a tuple
    try:
        while True:
            reach = _REACH[data[at]]
            if reach > 0:
                at += reach
                continue
            if reach == _SHORT:
                at += 2 + data[at + 1]
            elif reach == _FRESH:
                at += 1
            elif reach == _GET:
                if data[at + 1] in shareable:
                    shares = True
                at += 2
                continue
            elif reach == _MEMOIZE:
                shareable.add(memoized)
                memoized += 1
                at += 1
                continue
            elif reach == _STOP:
                break
            elif reach == _REFUSED:
                raise _refusal(data[at], names)
            else:
                names = names or reach in (_NAMES, _LINES)
                nests = nests or reach == _NESTS
                shares = shares or reach == _PUT or (reach == _GET_4 and _argument(data, at) in shareable)
                at = _end(data, at, reach)
                if reach != _SIZED:
                    continue
            if data[at] == MEMOIZE:  # of something fresh that is no tuple
                memoized += 1
                at += 1
    except IndexError:
        raise ValueDecodingError("the stored pickle is truncated") from None
    if at != len(data) - 1:
        raise ValueDecodingError("the stored bytes go on after the end of their pickle")
    return names or (nests and (shares or _may_nest_deep(data)))


def opcodes(data: bytes) -> Iterator[Tuple[int, int, int]]:
    """Yield (opcode, start and end of its argument or payload) of a stream that `scan` accepted, STOP included."""
    at = 0
    opcode = -1
    while opcode != ord("."):
        opcode = data[at]
        start = at + 1
        if _LENGTH[opcode]:
            at += _LENGTH[opcode]
        elif _REACH[opcode] == _SHORT:
            start += 1
            at = start + data[at + 1]
        else:
            start += _ARGUMENT_BYTES.get(opcode, 0)
            at = _end(data, at, _REACH[opcode])
        yield opcode, start, at


def _argument(data: bytes, at: int) -> int:
    return int.from_bytes(data[at + 1 : at + 1 + _ARGUMENT_BYTES[data[at]]], "little")


def _end(data: bytes, at: int, reach: int) -> int:
    """Return where the next opcode begins; an end beyond the stream is noticed there."""
    if reach == _LINES:
        return _end_of_line(data, _end_of_line(data, at))
    end = at + 1 + _ARGUMENT_BYTES.get(data[at], 0)
    if reach == _SIZED:
        end += _argument(data, at)
    elif reach == _PUT and _argument(data, at) > at:  # more than opcodes so far: loading allocates two slots for each
        raise ValueDecodingError("the stored pickle has a memo index beyond its length")
    elif reach == _OUTSIDE:
        raise _refusal(data[at], True)
    return end


def _refusal(opcode: int, names: bool) -> InvalidValueError:
    kind: Type[InvalidValueError] = UnsafePickleError if names else ValueDecodingError
    also = " and name something to load" if names else ""
    return kind(f"the stored bytes are no pickle of protocol 2 to 5 (they have opcode 0x{opcode:02x}){also}")


def _end_of_line(data: bytes, at: int) -> int:
    end = data.find(b"\n", at)
    if end < 0:
        raise IndexError
    return end + 1


def _may_nest_deep(data: bytes) -> bool:
    """Tell whether so many bytes might be opcodes that nest."""
    return len(data) > MAX_DEPTH and sum(map(data.count, _OPCODES[_NESTS])) > MAX_DEPTH
