"""The options of a store: checked once, at the constructor, before any I/O."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields
from typing import Any, Optional, Sequence, Union

from .codec import make_codec, pickle_allow_list
from .errors import ConfigError, InvalidTableNameError

PERSIST_MODES = ("memory", "lazy", "writethrough")
STORAGE_MODES = ("pickle", "json", "jsonb", "bytes")
SYNCHRONOUS = ("full", "normal")
MAX_INTEGER = 2**62
MAX_SECONDS = 10**9

_TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)
_RESERVED = ("sqlite_", "adsq_")


@dataclass(frozen=True)
class EngineOptions:
    """What belongs to the engine: stores of one process on one file must agree on every field."""

    backend: str
    persist_mode: str
    synchronous: str
    exclusive: Optional[bool]
    readonly: bool
    capacity: int
    capacity_bytes: int
    evict: bool
    buffer_size: int
    flush_interval: float
    max_unsaved: int
    max_unsaved_bytes: int
    busy_timeout: float

    def difference(self, other: EngineOptions) -> Optional[str]:
        """Name the first option in which the two differ, with both values; None if they agree."""
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine != theirs:
                return f"{field.name}={theirs!r}, not {mine!r}"
        return None


@dataclass(frozen=True)
class ViewOptions:
    """What belongs to one view of a table."""

    table_name: str
    storage_mode: Optional[str]
    pickle_allow: Union[str, Sequence[Union[type, str]]]
    max_value_bytes: int


def check_path(db_path: Union[str, os.PathLike[str]]) -> str:
    """Return the absolute path, without touching the file system.

    Raises:
        TypeError: not a str or a path of str.
        ValueError: the path holds a NUL.
        ConfigError: ``""`` or ``":memory:"``: SQLite's own names for a database without a file.
    """
    path = os.fspath(db_path)
    if not isinstance(path, str):
        raise TypeError(f"db_path must be str or os.PathLike of str, not {type(path).__name__}")
    if path in ("", ":memory:"):
        raise ConfigError(f"db_path={path!r} names no file: for a store without a file use persist_mode='memory'")
    if "\0" in path:
        raise ValueError(f"db_path {path!r} holds a NUL character")
    return os.path.abspath(path)


def check_table_name(name: str) -> str:
    """Return ``name`` if it may name a table of ours.

    Raises:
        InvalidTableNameError: it may not.
    """
    if not isinstance(name, str):
        raise TypeError(f"table name must be str, not {type(name).__name__}")
    if not _TABLE_NAME.fullmatch(name):
        raise InvalidTableNameError(f"table name {name!r} must match [A-Za-z_][A-Za-z0-9_]{{0,62}}")
    if name.lower().startswith(_RESERVED):
        raise InvalidTableNameError(f"table name {name!r} is reserved: begin it neither with sqlite_ nor with adsq_")
    return name


def check_view(
    table_name: str,
    storage_mode: Optional[str],
    pickle_allow: Union[str, Sequence[Union[type, str]]],
    max_value_bytes: int,
) -> ViewOptions:
    """Check the options of a view; ``storage_mode`` None means: as the file says, or the parent's."""
    check_table_name(table_name)
    _integer("max_value_bytes", max_value_bytes, least=1)
    if storage_mode is not None:
        _choice("storage_mode", storage_mode, STORAGE_MODES)
        make_codec(storage_mode)
    pickle_allow_list(pickle_allow)
    return ViewOptions(table_name, storage_mode, pickle_allow, max_value_bytes)


def check_engine(**given: Any) -> EngineOptions:
    """Check the options of an engine (the fields of `EngineOptions`, by name).

    Raises:
        ConfigError: names the option, its value and the allowed ones.
    """
    options = EngineOptions(**given)
    _choice("persist_mode", options.persist_mode, PERSIST_MODES)
    _choice("synchronous", options.synchronous, SYNCHRONOUS)
    _choice("exclusive", options.exclusive, (None, True, False))
    _choice("readonly", options.readonly, (True, False))
    _choice("evict", options.evict, (True, False))
    _integer("capacity", options.capacity, least=0)
    _integer("capacity_bytes", options.capacity_bytes, least=0)
    for name in ("buffer_size", "max_unsaved", "max_unsaved_bytes"):
        _integer(name, getattr(options, name), least=1)
    _seconds("flush_interval", options.flush_interval, above_zero=True)
    _seconds("busy_timeout", options.busy_timeout, above_zero=False)
    _combination(options)
    return options


def _combination(options: EngineOptions) -> None:
    if options.persist_mode == "memory":
        if options.capacity == 0:
            raise ConfigError("capacity=0 keeps nothing in persist_mode='memory': give capacity at least 1")
        if options.readonly:
            raise ConfigError("readonly=True makes no sense in persist_mode='memory', where memory is the data")
    elif options.evict:
        raise ConfigError("evict=True is for persist_mode='memory' only: other modes always evict saved entries")


def _choice(name: str, value: object, allowed: Sequence[object]) -> None:
    if not any(value is one or (type(value) is str and value == one) for one in allowed):
        raise ConfigError(f"{name}={value!r}: must be one of {', '.join(map(repr, allowed))}")


def _integer(name: str, value: object, *, least: int) -> None:
    if type(value) is not int or not least <= value <= MAX_INTEGER:
        raise ConfigError(f"{name}={value!r}: must be an integer from {least} to 2**62")


def _seconds(name: str, value: object, *, above_zero: bool) -> None:
    allowed = "a number of seconds above 0" if above_zero else "a number of seconds, 0 or more"
    if type(value) not in (int, float):
        raise ConfigError(f"{name}={value!r}: must be {allowed}")
    if not (0 if above_zero else -1) < value <= MAX_SECONDS or value < 0:  # type: ignore[operator]
        raise ConfigError(f"{name}={value!r}: must be {allowed} (at most 10**9)")
