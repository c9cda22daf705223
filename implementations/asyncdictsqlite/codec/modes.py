"""The codec of a table: its protocol and how a storage mode gets one."""

from __future__ import annotations

from typing import Any, FrozenSet, Mapping, Protocol, Sequence, Tuple, Union

from ..errors import ConfigError
from .bytes_mode import BytesCodec
from .json_mode import JsonCodec
from .jsonb_mode import JsonbCodec
from .pickle_globals import pickle_allow_list
from .pickle_mode import PickleCodec

MAX_KEPT_NODES = 1000

_JSON_SCALARS: FrozenSet[type] = frozenset({str, int, float, bool, type(None)})
_PICKLE_SCALARS: FrozenSet[type] = _JSON_SCALARS | {bytes}
_KEPT: Mapping[str, FrozenSet[type]] = {
    "pickle": _PICKLE_SCALARS,
    "json": _JSON_SCALARS,
    "jsonb": _JSON_SCALARS,
    "bytes": frozenset({bytes}),
}


class Codec(Protocol):
    """Turns values into bytes and back, in one storage mode, the same way on every backend and Python.

    Attributes:
        storage_mode: "pickle", "json", "jsonb" or "bytes".
        text: True where the file keeps the bytes as TEXT (they are UTF-8), False for BLOB.
        max_value_bytes: most bytes that `encode` returns.
    """

    storage_mode: str
    text: bool
    max_value_bytes: int

    def encode(self, value: object) -> bytes:
        """Return the bytes that `decode` turns into an equal value; a snapshot, sharing nothing mutable.

        Raises:
            ValueEncodingError: the mode cannot hold the value.
            ValueTooLargeError: above ``max_value_bytes``.
            UnsafePickleError: it could not be read back without ``pickle_allow``.
        """
        ...

    def decode(self, data: bytes) -> Any:
        """Return the value, a new one each time unless it is immutable.

        Guarantee: whatever the bytes are, no other error comes out, and no code runs but that of allowed classes.

        Raises:
            ValueDecodingError: not what `encode` writes.
            UnsafePickleError: it names something that is not allowed.
        """
        ...


def make_codec(
    storage_mode: str,
    *,
    pickle_allow: Union[str, Sequence[Union[type, str]]] = (),
    max_value_bytes: int = 64 * 2**20,
) -> Codec:
    """Return the codec of a storage mode.

    Raises:
        ConfigError: an unknown mode, or a bad ``pickle_allow``.
    """
    if storage_mode == "pickle":
        return PickleCodec(pickle_allow_list(pickle_allow), max_value_bytes)
    if storage_mode == "json":
        return JsonCodec(max_value_bytes)
    if storage_mode == "jsonb":
        return JsonbCodec(max_value_bytes)
    if storage_mode == "bytes":
        return BytesCodec(max_value_bytes)
    raise ConfigError(f"storage_mode={storage_mode!r}: must be one of 'pickle', 'json', 'jsonb', 'bytes'")


def keeps(storage_mode: str, value: object) -> bool:
    """Tell whether memory may keep this very object: immutable, and the codec gives it back unchanged.

    Exact types only; in pickle mode also tuples, if they have at most 1000 nodes (a tuple that holds itself many
    times over can have 2**60).
    """
    scalars = _KEPT[storage_mode]
    if type(value) in scalars:
        return True
    return storage_mode == "pickle" and type(value) is tuple and _holds_only(scalars, value)


def _holds_only(scalars: FrozenSet[type], value: Tuple[Any, ...]) -> bool:
    pending = [value]
    nodes = 0
    while pending:
        items = pending.pop()
        nodes += len(items)
        if nodes > MAX_KEPT_NODES:
            return False
        tuples = [item for item in items if type(item) is tuple]
        if any(type(item) not in scalars for item in items if type(item) is not tuple):
            return False
        pending += tuples
    return True
