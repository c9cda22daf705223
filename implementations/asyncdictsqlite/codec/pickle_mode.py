"""storage_mode="pickle": protocol 5, read back with nothing but safe and allowed globals."""

from __future__ import annotations

import enum
import io
import pickle
import sys
from typing import Any, Dict, Mapping, Optional

from ..errors import UnsafePickleError, ValueDecodingError, ValueEncodingError
from .pickle_globals import SAFE, AllowList, canonical, not_allowed, not_safe
from .pickle_opcodes import scan
from .pickle_trace import trace, traceable
from .size import check_size

PROTOCOL = 5
SHORT_STREAM_BYTES = 1024
MOST_INSPECTED = 1024

_SCALARS = frozenset({bytes, str, int, float, bool, type(None), bytearray})
_SIZED = frozenset({bytes, str, bytearray})


class PickleCodec:
    """Holds what pickle can hold, as far as the safe globals and ``pickle_allow`` let it be read back."""

    storage_mode = "pickle"
    text = False

    def __init__(self, allowed: AllowList, max_value_bytes: int) -> None:
        self._allowed = allowed
        self._names = traceable(allowed or ())
        self.max_value_bytes = max_value_bytes
        self._inspected: Dict[bytes, bool] = {}

    def encode(self, value: object) -> bytes:
        """Return the pickle, after checking (without loading) that `decode` would load it.

        Raises:
            ValueEncodingError: pickling failed; the cause tells why.
            ValueTooLargeError: above ``max_value_bytes``; bytes and str are measured before copying.
            UnsafePickleError: names the global to add to ``pickle_allow``.
        """
        if type(value) in _SIZED:
            check_size(len(value), self.max_value_bytes)  # type: ignore[arg-type]
        try:
            data = pickle.dumps(value, PROTOCOL)
            if _ENUMS_BY_NAME and b"getattr" in data:
                data = _dumps_enums_by_value(value)
        except Exception as error:
            raise ValueEncodingError(
                f"storage_mode='pickle' cannot pickle this {type(value).__name__}: {type(error).__name__}: {error}"
            ) from error
        check_size(len(data), self.max_value_bytes)
        if type(value) not in _SCALARS and self._allowed is not None and _may_name(data):
            self._check_readable(data)
        return data

    def decode(self, data: bytes) -> Any:
        """Return the value, loaded only after a scan of the stream found nothing wrong.

        Raises:
            ValueDecodingError: broken, truncated, or an allowed class failed to load; the cause tells why.
            UnsafePickleError: names the global that is neither safe nor allowed.
        """
        try:
            if not self._inspect(data) or self._allowed is None:
                return pickle.loads(data)  # noqa: S301  (it names nothing, or the user lifted the list)
            return _Reader(data, self._allowed).load()
        except (ValueDecodingError, UnsafePickleError):
            raise
        except Exception as error:
            raise ValueDecodingError(f"the stored pickle cannot be loaded: {type(error).__name__}: {error}") from error

    def _inspect(self, data: bytes) -> bool:
        """Refuse a stream that is not safe to load; tell whether it may name globals.

        Cost: a lookup for a short stream seen lately (a value that memory keeps encoded is decoded at each hit).
        """
        names = self._inspected.get(data)
        if names is None:
            names = scan(data)
            if names and self._allowed is not None:
                trace(data, self._names)
            if len(data) <= SHORT_STREAM_BYTES:
                if len(self._inspected) >= MOST_INSPECTED:
                    self._inspected.clear()
                self._inspected[data] = names
        return names

    def _check_readable(self, data: bytes) -> None:
        try:
            self._inspect(data)
        except ValueDecodingError as error:
            raise ValueEncodingError(f"storage_mode='pickle' could not read this value back: {error}") from error


class _Probe(enum.Enum):
    MEMBER = 1


# Python 3.11.0 to 3.11.3 pickle an enum member as a getattr of its class; all others as a call with its value.
_ENUMS_BY_NAME = _Probe.MEMBER.__reduce_ex__(PROTOCOL)[0] is getattr


class _EnumsByValue(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, enum.Enum) and type(value).__reduce_ex__ is enum.Enum.__reduce_ex__:
            return type(value), (value.value,)
        return NotImplemented


def _dumps_enums_by_value(value: object) -> bytes:
    stream = io.BytesIO()
    _EnumsByValue(stream, PROTOCOL).dump(value)
    return stream.getvalue()


class _Reader(pickle.Unpickler):
    """Finds nothing but safe and allowed globals; the second lock, after `trace`."""

    def __init__(self, data: bytes, allowed: Mapping[str, Optional[type]]) -> None:
        super().__init__(io.BytesIO(data))
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        full_name = canonical(f"{module}.{name}")
        if full_name == "builtins.getattr":
            return _unpickle_of_zone
        if full_name not in SAFE and full_name not in self._allowed:
            raise not_allowed(full_name)
        return self._allowed.get(full_name) or super().find_class(full_name[: -len(name) - 1], name)


def _unpickle_of_zone(owner: Any, name: str) -> Any:
    zone_info: Any = getattr(sys.modules.get("zoneinfo"), "ZoneInfo", None)
    if zone_info is None or owner is not zone_info or name != "_unpickle":
        raise not_safe("builtins.getattr", "calls")
    return zone_info._unpickle


def _may_name(data: bytes) -> bool:
    """Tell whether there is a byte that might be STACK_GLOBAL or EXT1..4: pickling names globals by no other."""
    return 0x93 in data or 0x82 in data or 0x83 in data or 0x84 in data
