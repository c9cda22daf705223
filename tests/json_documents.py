"""Seeded JSON documents that reach every form a number, a string or a size can take in JSON and in JSONB."""

from __future__ import annotations

import math
import random
import struct
from typing import Any, Iterator

_CHARACTERS = "abc XYZ09_'/\"\\\b\f\n\r\t\0\x1f\x7f\x80\u00e9\u2028\u2029\u4e2d\ufeff\uffff\N{GRINNING FACE}"
_LENGTHS = (0, 1, 2, 3, 5, 10, 11, 12, 13, 40, 253, 254, 255, 256, 257, 600)
_LONG = (5_000, 65_530, 65_531, 65_535, 65_536, 70_000)
_DIGITS = (1, 2, 5, 10, 11, 12, 13, 19, 20, 40, 255, 256, 640, 641, 4299, 4300)
_FLOATS = (0.0, -0.0, 0.1, -2.5, 123456.789, 1e15, 1e16, 1e22, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308)


def documents(count: int, seed: int = 0) -> Iterator[Any]:
    draw = random.Random(seed)
    for number in range(count):
        if number % 100 == 0:
            yield _long(draw)
        else:
            yield _document(draw, draw.randrange(6))


def _document(draw: random.Random, depth: int) -> Any:
    kind = draw.randrange(10)
    if depth == 0 or kind < 4:
        return _scalar(draw)
    size = draw.choice((0, 1, 2, 3, 4, 5, 8))
    if kind < 7:
        return [_document(draw, depth - 1) for _ in range(size)]
    return {_string(draw, draw.choice(_LENGTHS[:10])): _document(draw, depth - 1) for _ in range(size)}


def _scalar(draw: random.Random) -> Any:
    kind = draw.randrange(8)
    if kind < 3:
        return _string(draw, draw.choice(_LENGTHS))
    if kind < 5:
        return _integer(draw)
    if kind < 7:
        return _float(draw)
    return draw.choice((None, True, False))


def _string(draw: random.Random, length: int) -> str:
    characters = _CHARACTERS if draw.randrange(3) == 0 else _CHARACTERS[: draw.choice((3, 10, 15))]
    return "".join(draw.choices(characters, k=length))


def _integer(draw: random.Random) -> int:
    digits = draw.choice(_DIGITS if draw.randrange(20) == 0 else _DIGITS[:10])
    return draw.choice((-1, 1)) * draw.randrange(10 ** (digits - 1) - (digits == 1), 10**digits)


def _float(draw: random.Random) -> float:
    if draw.randrange(2):
        return draw.choice(_FLOATS)
    number: float = struct.unpack("<d", draw.randbytes(8))[0]
    return number if math.isfinite(number) else 0.5


def _long(draw: random.Random) -> Any:
    kind = draw.randrange(5)
    if kind == 0:
        return "x" * draw.choice(_LONG)
    if kind == 1:
        return "\n\N{SNOWMAN}" + "x" * draw.choice(_LONG)
    if kind == 2:
        return [[draw.randrange(100)] * draw.choice(_LONG[1:])]
    if kind == 3:
        return {str(number): {} for number in range(draw.choice((50, 51, 52, 1000, 20_000)))}
    value: Any = 1
    for _ in range(draw.choice((100, 499, 500))):
        value = [value] if draw.randrange(2) else {"": value}
    return value
