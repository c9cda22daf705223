"""Backend "rust": the extension type's methods first, the rest as everywhere."""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Iterable, List, Tuple

from .. import _rust
from ..op import Mapped
from ..protocol import Engine, Op, Opening, Row
from ..store import AsyncDictSQLite
from ..table import _not_str

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

    def _batch_get(self, keys: Iterable[str], default: Any) -> Op[List[Any]]:
        if self._engine is None:
            return super()._batch_get(keys, default)
        wanted = list(_not_str(keys))  # the engine checks them at the call

        def values(found: List[Any]) -> List[Any]:
            if self._codec.storage_mode != "bytes":
                return [default if data is None else self._decode(key, data) for key, data in zip(wanted, found)]
            return found if default is None else [default if data is None else data for data in found]

        return Mapped(self._do(lambda engine: engine.read(self._table, wanted)), values)

    def _values_of(self, page: List[Row]) -> Iterable[Any]:
        return map(itemgetter(1), page) if self._codec.storage_mode == "bytes" else super()._values_of(page)

    def _items_of(self, page: List[Row]) -> Iterable[Tuple[str, Any]]:
        return page if self._codec.storage_mode == "bytes" else super()._items_of(page)  # they are decoded as they come


class Factory:
    """Makes engines; see `protocol.EngineFactory`."""

    sqlite_version_info = tuple(map(int, _rust.sqlite_version().split(".")))
    own_library = True  # beside the standard library's, on one file in one process, it would destroy the file
    store_class = RustStore

    def __call__(self, opening: Opening) -> Engine:
        """Make an engine of the extension."""
        return _rust.Engine(opening)


factory = Factory()
