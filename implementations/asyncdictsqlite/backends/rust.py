"""Backend "rust": the extension type's methods first, the rest as everywhere."""

from __future__ import annotations

from .. import _rust
from ..protocol import Engine, Opening
from ..store import AsyncDictSQLite


class RustStore(_rust.Store, AsyncDictSQLite):
    """A store whose `aget`, `aset`, `get` and `set` reach C without a Python frame in between."""


class Factory:
    """Makes engines; see `protocol.EngineFactory`."""

    sqlite_version_info = tuple(map(int, _rust.sqlite_version().split(".")))
    own_library = True  # beside the standard library's, on one file in one process, it would destroy the file
    store_class = RustStore

    def __call__(self, opening: Opening) -> Engine:
        """Make an engine of the extension."""
        return _rust.Engine(opening)


factory = Factory()
