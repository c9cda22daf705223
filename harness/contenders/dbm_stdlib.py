"""The standard library's dbm, in-thread, and shelve, which is pickles over dbm.

``dbm.open`` takes the first of its implementations that the interpreter was built with. What a write survives depends
on which: its name is the configuration's, and its module is recorded with the versions.
"""

from __future__ import annotations

import importlib
import os
import platform
from typing import Any, ClassVar, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from harness.contenders.contender import Configuration, Contender, Durability, Face

# In the order of dbm's own choice.
_IMPLEMENTATIONS: Mapping[str, Mapping[str, Configuration]] = {
    "dbm.sqlite3": {"sqlite3": Configuration(Durability.SYNCED, {"flag": "c"})},  # WAL, synchronous=FULL
    "dbm.gnu": {
        "gnu": Configuration(Durability.KILL, {"flag": "c"}),
        "gnu-sync": Configuration(Durability.SYNCED, {"flag": "cs"}),
    },
    "dbm.ndbm": {"ndbm": Configuration(Durability.VOLATILE, {"flag": "c"})},  # pages are kept back until close
    "dbm.dumb": {"dumb": Configuration(Durability.VOLATILE, {"flag": "c"})},  # so is the directory
}


def implementation() -> str:
    """Return the module that ``dbm.open`` uses for a new file here."""
    for name in _IMPLEMENTATIONS:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        return name
    raise AssertionError("dbm.dumb is in every interpreter")


class Store:
    """A dbm or a shelf under our names; neither has batches."""

    def __init__(self, entries: Any) -> None:
        self.entries = entries
        self.get = entries.get
        self.set = entries.__setitem__

    def batch_get(self, keys: Iterable[str]) -> List[Optional[bytes]]:
        return [self.entries.get(key) for key in keys]

    def batch_set(self, items: Iterable[Tuple[str, bytes]]) -> None:
        for key, value in items:
            self.entries[key] = value

    def items(self) -> Iterator[Tuple[str, bytes]]:
        for key in self.entries.keys():  # noqa: SIM118  a dbm is no iterator of its keys everywhere
            yield key, self.entries[key]


class Dbm(Contender):
    """A file of bytes by bytes."""

    name = "dbm"
    package = ""
    module = "dbm"
    page = "https://docs.python.org/3/library/dbm.html#dbm.open"
    face = Face.SYNC
    configurations: ClassVar[Mapping[str, Configuration]] = _IMPLEMENTATIONS[implementation()]

    async def open(self, folder: str, options: Mapping[str, Any]) -> Store:
        opener = importlib.import_module(self.module)
        return Store(opener.open(os.path.join(folder, "store"), **options))

    async def close(self, store: Store) -> None:
        store.entries.close()

    def versions(self) -> Dict[str, str]:
        return {implementation(): f"of Python {platform.python_version()}"}


class Shelve(Dbm):
    """Pickles over a dbm."""

    name = "shelve"
    module = "shelve"
    page = "https://docs.python.org/3/library/shelve.html#shelve.open"
    kinds = ("bytes", "dict", "text")


CONTENDERS = (Dbm(), Shelve())
