"""storage_mode="jsonb": what JSON can hold, in the binary form that SQLite's JSON functions read without parsing.

An element is a header (its kind, and the size of its payload in bytes) and a payload: the text of a number or string,
or the elements of an array or object one after the other. `encode` writes what SQLite's own ``jsonb()`` makes of the
compact JSON text.

Source: https://sqlite.org/jsonb.html
"""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache, partial
from itertools import chain
from json.encoder import encode_basestring
from typing import Any, Callable, Dict, List, Mapping, Match, Pattern, Tuple

from ..errors import InvalidValueError, ValueDecodingError, ValueEncodingError
from .json_mode import (
    MAX_DEPTH,
    MAX_INT_DIGITS,
    counted_int,
    despite_deep_callers,
    finite,
    reason,
    too_deep,
    wrong_keys,
    wrong_type,
)
from .size import check_size

_CONSTANTS = (None, True, False)
_INT, _INT5, _FLOAT, _FLOAT5 = 3, 4, 5, 6
_TEXT, _TEXTJ, _TEXT5, _TEXTRAW = 7, 8, 9, 10
_ARRAY, _OBJECT = 11, 12

_ONE_BYTE = 12  # a size up to 11 is in the header's first byte; 12 to 15: in the 1, 2, 4 or 8 bytes after it
_STR = frozenset({str})


class JsonbCodec:
    """Holds exactly what `JsonCodec` holds, with the same limits, and gives back the same.

    It reads whatever SQLite's functions write, JSON5 numbers and strings, too.
    """

    storage_mode = "jsonb"
    text = False

    def __init__(self, max_value_bytes: int) -> None:
        self.max_value_bytes = max_value_bytes

    def encode(self, value: object) -> bytes:
        """Return the JSONB, each header as short as can be.

        Raises:
            ValueEncodingError: names what JSON cannot hold.
            ValueTooLargeError: the JSONB is above ``max_value_bytes``.
        """
        if type(value) is str:
            check_size(len(value), self.max_value_bytes)
        try:
            return despite_deep_callers(self._encoded, value)
        except InvalidValueError:
            raise
        except (ValueError, RuntimeError, MemoryError) as error:
            raise ValueEncodingError(f"storage_mode='jsonb' cannot hold this value: {reason(error)}") from error

    def _encoded(self, value: object) -> bytes:
        elements: List[bytes] = []
        check_size(_append_all([value], elements, 0, self.max_value_bytes), self.max_value_bytes)
        return b"".join(elements)

    def decode(self, data: bytes) -> Any:
        """Return the value of a JSONB element; of duplicate keys the last wins.

        Raises:
            ValueDecodingError: not JSONB, or beyond the limits of the mode.
        """
        try:
            return despite_deep_callers(_decoded, data)
        except (ValueError, IndexError, RuntimeError, MemoryError) as error:
            raise ValueDecodingError(
                f"the stored bytes are not JSONB as SQLite and storage_mode='jsonb' write it: {reason(error)}"
            ) from error


# Writing


def _append_all(values: List[Any], elements: List[bytes], depth: int, room: int) -> int:
    """Append the elements of the values and return their size; stop where it is above ``room`` bytes."""
    size = 0
    for value in values:
        write = _WRITERS.get(type(value))
        if write is not None:
            element = write(value)
            elements.append(element)
            size += len(element)
        else:
            kind, children = _children(value)
            if depth == MAX_DEPTH:
                raise too_deep("jsonb")
            place = len(elements)
            elements.append(b"")  # the header, when the size is known
            payload = _append_all(children, elements, depth + 1, room - size)
            elements[place] = header = _header(kind, payload)
            size += len(header) + payload
        if size > room:
            break
    return size


def _children(node: object) -> Tuple[int, List[Any]]:
    """Return a copy: another thread may change the node meanwhile."""
    if type(node) is dict:
        children = list(chain.from_iterable(node.items()))
        keys = children[::2]
        if not _STR.issuperset(map(type, keys)):
            raise wrong_keys("jsonb", keys)
        return _OBJECT, children
    if type(node) is list or type(node) is tuple:
        return _ARRAY, list(node)
    raise wrong_type("jsonb", node)


@lru_cache(maxsize=4096)
def _header(kind: int, size: int) -> bytes:
    if size < _ONE_BYTE:
        return bytes([size << 4 | kind])
    code = 0 if size < 1 << 8 else 1 if size < 1 << 16 else 2 if size < 1 << 32 else 3
    return bytes([_ONE_BYTE + code << 4 | kind]) + size.to_bytes(1 << code, "big")


def _element(kind: int, payload: bytes) -> bytes:
    return _header(kind, len(payload)) + payload


def _write_int(number: int) -> bytes:
    digits = str(number)
    if len(digits) > MAX_INT_DIGITS:
        counted_int(digits)
    return _element(_INT, digits.encode())


def _write_float(number: float) -> bytes:
    if not math.isfinite(number):
        raise ValueError(f"{number} is not JSON")
    return _element(_FLOAT, repr(number).encode())


def _write_str(string: str) -> bytes:
    quoted = encode_basestring(string)
    if len(quoted) == len(string) + 2:  # it has nothing to escape
        return _element(_TEXT, string.encode())
    return _element(_TEXTJ, quoted[1:-1].encode())


_WRITERS: Mapping[type, Callable[[Any], bytes]] = {
    str: _write_str,
    int: _write_int,
    float: _write_float,
    bool: lambda truth: b"\x01" if truth else b"\x02",
    type(None): lambda none: b"\x00",
}


# Reading


def _decoded(data: bytes) -> Any:
    values = _values(data, 0, len(data), 0)
    if len(values) != 1:
        raise ValueError(f"{len(values)} elements side by side")
    return values[0]


def _values(data: bytes, at: int, end: int, depth: int) -> List[Any]:
    """Return the values of the elements that fill ``data[at:end]``."""
    if depth > MAX_DEPTH:
        raise ValueError(f"more than {MAX_DEPTH} levels of nesting")
    values: List[Any] = []
    while at < end:
        first = data[at]
        kind, size, at = first & 15, first >> 4, at + 1
        if size == _ONE_BYTE:
            size, at = data[at], at + 1
        elif size > _ONE_BYTE:
            width = 1 << size - _ONE_BYTE
            size, at = int.from_bytes(data[at : at + width], "big"), at + width
        stop = at + size
        if stop > end:
            raise ValueError("an element ends beyond what holds it")
        read = _READERS.get(kind)
        if read:
            values.append(read(data[at:stop]))
        elif kind == _ARRAY:
            values.append(_values(data, at, stop, depth + 1))
        elif kind == _OBJECT:
            values.append(_dict(_values(data, at, stop, depth + 1)))
        else:
            values.append(_constant(first))
        at = stop
    return values


def _dict(elements: List[Any]) -> Dict[str, Any]:
    keys = elements[::2]
    if len(elements) % 2 or not _STR.issuperset(map(type, keys)):
        raise ValueError("an object whose elements are not pairs of a text and a value")
    return dict(zip(keys, elements[1::2]))


def _constant(first: int) -> object:
    if first >= len(_CONSTANTS):
        raise ValueError(f"an element that begins with 0x{first:02x}")
    return _CONSTANTS[first]


def _read_int(payload: bytes) -> int:
    if not _INTEGER.fullmatch(payload):
        raise ValueError("an integer that is none")
    return int(payload) if len(payload) <= MAX_INT_DIGITS else counted_int(payload.decode())


def _read_int5(payload: bytes) -> int:
    if not _HEXADECIMAL.fullmatch(payload) or len(payload) > MAX_INT_DIGITS:
        raise ValueError("a hexadecimal integer that is none, or too long")
    return counted_int(str(int(payload, 16)))


def _read_float(form: Pattern[bytes], payload: bytes) -> float:
    if not form.fullmatch(payload):
        raise ValueError("a float that is none")
    return finite(payload.decode())


def _read_text(payload: bytes) -> str:
    string = payload.decode()
    if len(encode_basestring(string)) != len(string) + 2:
        raise ValueError("a text with what JSON escapes")
    return string


def _read_textj(payload: bytes) -> str:
    return _unescaped(payload.decode(), _STRICT)


def _read_text5(payload: bytes) -> str:
    return _unescaped(_JSON5.sub(_as_json, payload.decode()), _WITH_CONTROLS)


def _unescaped(text: str, decoder: json.JSONDecoder) -> str:
    string: str = decoder.decode(f'"{text}"')  # a quote within would leave text behind the string
    if "\\u" in text:
        string.encode()  # a lone surrogate has no UTF-8 form
    return string


def _as_json(match: Match[str]) -> str:
    """Return the JSON of a quote, or of an escape of JSON5."""
    found = match.group()
    if found.startswith("\\x"):
        return f"\\u00{found[2:]}"
    return _JSON_OF.get(found, found)


_INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]*)")
_HEXADECIMAL = re.compile(rb"-?0[xX][0-9a-fA-F]+")
_DECIMAL = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)")
_DECIMAL5 = re.compile(rb"-?(?=[0-9]*[.eE])(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_JSON5 = re.compile(r'"|\\(?:x[0-9a-fA-F]{2}|0(?![0-9])|\r\n|[^x0])', re.DOTALL)
_JSON_OF = {
    '"': '\\"',
    "\\'": "'",
    "\\v": "\\u000b",
    "\\0": "\\u0000",
    **dict.fromkeys(["\\\n", "\\\r", "\\\r\n", "\\\u2028", "\\\u2029"], ""),  # a line that goes on
}
_STRICT = json.JSONDecoder()
_WITH_CONTROLS = json.JSONDecoder(strict=False)
_READERS: Mapping[int, Callable[[bytes], Any]] = {
    _INT: _read_int,
    _INT5: _read_int5,
    _FLOAT: partial(_read_float, _DECIMAL),
    _FLOAT5: partial(_read_float, _DECIMAL5),
    _TEXT: _read_text,
    _TEXTJ: _read_textj,
    _TEXT5: _read_text5,
    _TEXTRAW: bytes.decode,
}
