"""The opcodes of pickle protocols 2 to 5 and a linear scan of a stream, before anything is loaded.

Source: https://github.com/python/cpython/blob/main/Lib/pickletools.py
"""

from __future__ import annotations

from typing import Iterator, Tuple

from ..errors import UnsafePickleError, ValueDecodingError

MAX_TUPLE_DEPTH = 20_000  # hash() of nested tuples and the deallocation of some containers recurse in C, unguarded

# How far an opcode reaches: its own length if above zero, else one of these.
_REFUSED, _SHORT, _NOTED, _STOP, _SIZE_4, _SIZE_8, _FRAME, _MEMO_1, _MEMO_4, _GLOBAL, _PERSISTENT = range(0, -11, -1)
# What makes a stream need a trace: it names or calls something; or it shares tuples.
_NAMES, _TUPLES, _SHARES = 1, 2, 4

_LENGTHS = {
    1: b"(N\x88\x89]})01aesu\x8f\x90\x94",
    2: b"K\x80",
    3: b"M",
    5: b"J",
    9: b"G",
    _SHORT: b"\x8cC\x8a",
    _STOP: b".",
    _SIZE_4: b"XB\x8b",
    _SIZE_8: b"\x8d\x8e\x96",
    _FRAME: b"\x95",
    _MEMO_1: b"q",
    _MEMO_4: b"r",
    _GLOBAL: b"c",
    _PERSISTENT: b"PQio",
}
_NOTED_OPCODES = {
    (_NAMES, 1): b"\x93R\x81\x92b",
    (_NAMES, 2): b"\x82",
    (_NAMES, 3): b"\x83",
    (_NAMES, 5): b"\x84",
    (_TUPLES, 1): b"t\x85\x86\x87\x91",
    (_SHARES, 2): b"h",
    (_SHARES, 5): b"j",
}
_REACH = [_REFUSED] * 256
_NOTE = [(0, 0)] * 256
for _reach, _opcodes in _LENGTHS.items():
    for _opcode in _opcodes:
        _REACH[_opcode] = _reach
for _note, _opcodes in _NOTED_OPCODES.items():
    for _opcode in _opcodes:
        _REACH[_opcode] = _NOTED
        _NOTE[_opcode] = _note


def scan(data: bytes) -> bool:
    """Check every opcode, length and memo index; tell whether the stream must be traced before it is loaded.

    False: it names no global, and no key in it can be costly to hash, so that loading runs no code and allocates
    at most a constant times its length.

    Raises:
        ValueDecodingError: truncated, longer than its pickle, or not protocol 2 to 5.
        UnsafePickleError: it asks for a persistent object or one of protocol 0.

    Cost: linear in the number of opcodes.
    """
    seen = 0
    at = 0
    try:
        while True:
            reach = _REACH[data[at]]
            if reach > 0:
                at += reach
            elif reach == _SHORT:
                at += 2 + data[at + 1]
                if data[at] == 0x94:  # MEMOIZE follows every string
                    at += 1
            elif reach == _NOTED:
                note, reach = _NOTE[data[at]]
                seen |= note
                at += reach
            elif reach == _STOP:
                break
            else:
                at = _end_of_sized(data, at, reach)
                seen |= reach == _GLOBAL
    except IndexError:
        raise ValueDecodingError("the stored pickle is truncated") from None
    if at != len(data) - 1:
        raise ValueDecodingError("the stored bytes go on after the end of their pickle")
    return bool(seen & _NAMES) or (seen & _TUPLES != 0 and (seen & _SHARES != 0 or _may_nest_deep(data)))


def opcodes(data: bytes) -> Iterator[Tuple[int, int, int]]:
    """Yield (opcode, start and end of what follows it: argument or payload) of a stream that `scan` accepted."""
    at = 0
    while True:
        opcode = data[at]
        reach = _REACH[opcode]
        start = at + 1
        if reach > 0:
            at += reach
        elif reach == _NOTED:
            at += _NOTE[opcode][1]
        elif reach == _SHORT:
            start += 1
            at = start + data[at + 1]
        elif reach == _STOP:
            yield opcode, start, start
            return
        else:
            start += {_SIZE_4: 4, _SIZE_8: 8}.get(reach, 0)
            at = _end_of_sized(data, at, reach)
        yield opcode, start, at


def _end_of_sized(data: bytes, at: int, reach: int) -> int:
    if reach == _SIZE_4:
        return at + 5 + int.from_bytes(data[at + 1 : at + 5], "little")
    if reach == _SIZE_8:
        return at + 9 + int.from_bytes(data[at + 1 : at + 9], "little")
    if reach == _FRAME:
        return _checked_frame(data, at)
    if reach == _MEMO_1:
        return _checked_memo(data[at + 1 : at + 2], at)
    if reach == _MEMO_4:
        return _checked_memo(data[at + 1 : at + 5], at)
    if reach == _GLOBAL:
        return _end_of_line(data, _end_of_line(data, at))
    opcode = data[at : at + 1]
    if reach == _PERSISTENT:
        raise UnsafePickleError(f"the stored pickle has opcode {opcode!r}, which asks for an object from outside it")
    raise ValueDecodingError(f"the stored bytes are no pickle of protocol 2 to 5: they have opcode {opcode!r}")


def _checked_frame(data: bytes, at: int) -> int:
    start = at + 9
    if start + int.from_bytes(data[at + 1 : start], "little") > len(data):
        raise IndexError
    return start


def _checked_memo(index: bytes, at: int) -> int:
    """Refuse an index above the number of opcodes so far: loading allocates twice as many slots as the index says."""
    if int.from_bytes(index, "little") > at:
        raise ValueDecodingError("the stored pickle has a memo index beyond its length")
    return at + 1 + len(index)


def _end_of_line(data: bytes, at: int) -> int:
    end = data.find(b"\n", at)
    if end < 0:
        raise IndexError
    return end + 1


def _may_nest_deep(data: bytes) -> bool:
    """Tell whether there are so many bytes that might be opcodes of tuples."""
    return len(data) > MAX_TUPLE_DEPTH and sum(map(data.count, b"t\x85\x86\x87\x91")) > MAX_TUPLE_DEPTH
