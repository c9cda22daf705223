"""storage_mode="json": what JSON can hold, as compact UTF-8 text; the same answers on every Python."""

from __future__ import annotations

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Any, Callable, Iterable, Iterator, List, NoReturn, Tuple, TypeVar

from ..errors import InvalidValueError, ValueDecodingError, ValueEncodingError
from .size import check_size

MAX_DEPTH = 500
MAX_INT_DIGITS = 4300
SMALLEST_INT_LIMIT = 640  # sys.set_int_max_str_digits takes nothing lower

T = TypeVar("T")

_SCALARS = frozenset({str, int, float, bool, type(None)})
_STR = frozenset({str})
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)  # matches an unfinished one, too: linear on any text
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_LEVELS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_INT_LIMIT: Callable[[], int] = getattr(sys, "get_int_max_str_digits", lambda: 0)


class JsonCodec:
    """Holds None, bool, int, float, str, and lists, tuples and dicts of these; tuples come back as lists.

    Exact types only: an IntEnum or an OrderedDict would come back as something else. Integers have at most 4300
    digits, nesting goes to 500 levels, floats are finite, keys are str.
    """

    storage_mode = "json"
    text = True

    def __init__(self, max_value_bytes: int) -> None:
        self.max_value_bytes = max_value_bytes

    def encode(self, value: object) -> bytes:
        """Return the JSON text.

        Raises:
            ValueEncodingError: names what JSON cannot hold.
            ValueTooLargeError: the text is above ``max_value_bytes``.
        """
        if type(value) is str:
            check_size(len(value), self.max_value_bytes)
        try:
            _check_types(value, self.max_value_bytes)
            data = despite_deep_callers(_ENCODER.encode, value).encode()
            _check_digits(data)
        except InvalidValueError:
            raise
        except (ValueError, RuntimeError, MemoryError) as error:
            raise ValueEncodingError(f"storage_mode='json' cannot hold this value: {reason(error)}") from error
        check_size(len(data), self.max_value_bytes)
        return data

    def decode(self, data: bytes) -> Any:
        """Return the value of a JSON text; of duplicate keys the last wins.

        Raises:
            ValueDecodingError: not JSON in UTF-8, or beyond the limits of the mode.
        """
        try:
            text = data.decode()
            _check_depth(data)
            decoder = _DECODER if _default_limit(data) else _COUNTING_DECODER
            value = despite_deep_callers(decoder.decode, text)
            if "\\u" in text:
                _ENCODER.encode(value).encode()  # a lone surrogate has no UTF-8 form
        except (ValueError, RuntimeError, MemoryError) as error:
            raise ValueDecodingError(
                f"the stored bytes are not JSON as storage_mode='json' writes it: {reason(error)}"
            ) from error
        return value


def _check_types(value: object, max_nodes: int) -> None:
    """Walk the value without recursion; every node takes at least a byte, which bounds values that share parts."""
    if type(value) in _SCALARS:
        return
    nodes = 0
    walk: List[Iterator[object]] = [iter((value,))]
    while walk:
        for node in walk[-1]:
            if type(node) in _SCALARS:
                continue
            children = _children(node)
            nodes += len(children)
            check_size(nodes, max_nodes)
            if len(walk) > MAX_DEPTH:
                raise too_deep("json")
            if not _SCALARS.issuperset(map(type, children)):
                walk.append(iter(children))
                break
        else:
            walk.pop()


def _children(node: object) -> Tuple[object, ...]:
    """Return a copy: another thread may change the node meanwhile."""
    if type(node) is dict:
        if not _STR.issuperset(map(type, node)):
            raise wrong_keys("json", node)
        return tuple(node.values())
    if type(node) is list or type(node) is tuple:
        return tuple(node)
    raise wrong_type("json", node)


def _check_depth(data: bytes) -> None:
    if len(data) <= MAX_DEPTH or data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    brackets = _STRINGS.sub(b"", data).translate(None, _NO_BRACKETS)
    if max(accumulate(map(_LEVELS.__getitem__, brackets)), default=0) > MAX_DEPTH:
        raise ValueError(f"more than {MAX_DEPTH} levels of nesting")


def _default_limit(data: bytes) -> bool:
    """Tell whether this Python itself refuses exactly the integers above 4300 digits (or none is as long)."""
    return len(data) <= SMALLEST_INT_LIMIT or _INT_LIMIT() == MAX_INT_DIGITS


def _check_digits(data: bytes) -> None:
    if not _default_limit(data):
        _COUNTING_DECODER.decode(data.decode())


def counted_int(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_INT_DIGITS:
        raise ValueError(f"an integer of more than {MAX_INT_DIGITS} digits")
    return int(digits)


def finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"the number {digits[:40]} is beyond the range of float")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def despite_deep_callers(function: Callable[[Any], T], argument: object) -> T:
    """Call; if the caller's stack is so deep that 500 levels do not fit on it, call on a fresh one."""
    try:
        return function(argument)
    except RecursionError:
        with ThreadPoolExecutor(max_workers=1) as fresh:
            return fresh.submit(function, argument).result()


def reason(error: Exception) -> str:
    return str(error) or type(error).__name__


# The refusals that "jsonb" shares, named for the mode in use.


def too_deep(mode: str) -> ValueEncodingError:
    return ValueEncodingError(f"storage_mode='{mode}' holds at most {MAX_DEPTH} levels of nesting")


def wrong_keys(mode: str, keys: Iterable[object]) -> ValueEncodingError:
    wrong = next(type(key).__name__ for key in keys if type(key) is not str)
    return ValueEncodingError(
        f"storage_mode='{mode}' holds dict keys of type str only, not {wrong}: convert them first"
    )


def wrong_type(mode: str, value: object) -> ValueEncodingError:
    return ValueEncodingError(
        f"storage_mode='{mode}' cannot hold a {type(value).__name__}: it holds exactly None, bool, int, float, str,"
        " list, tuple and dict; convert the value first, or choose storage_mode='pickle'"
    )


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_float=finite, parse_constant=_refuse_constant)
_COUNTING_DECODER = json.JSONDecoder(parse_float=finite, parse_constant=_refuse_constant, parse_int=counted_int)
