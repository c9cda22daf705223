"""Backend "rust": the extension type's methods first, the rest as everywhere."""

from __future__ import annotations

from typing import Any

from .. import _rust
from ..protocol import Engine, Opening
from ..store import AsyncDictSQLite

_MISSING: Any = object()


class RustStore(_rust.Store, AsyncDictSQLite):
    """A store whose `aget`, `aset`, `get` and `set` reach C without a Python frame in between.

    Its fields are slots, so that an instance has no `__dict__` until somebody asks for one: CPython, from 3.12 on,
    looks into it at each call before it finds a method in the class.
    """

    __slots__ = AsyncDictSQLite._FIELDS

    def __getitem__(self, key: str) -> Any:
        value = _rust.Store.get(self, key, _MISSING)
        if value is _MISSING:
            raise KeyError(key)
        return value


class Factory:
    """Makes engines; see `protocol.EngineFactory`."""

    sqlite_version_info = tuple(map(int, _rust.sqlite_version().split(".")))
    own_library = True  # beside the standard library's, on one file in one process, it would destroy the file
    store_class = RustStore

    def __call__(self, opening: Opening) -> Engine:
        """Make an engine of the extension."""
        return _rust.Engine(opening)


factory = Factory()
