"""Who is cut off: our backends in each mode, and the peers of `harness.contenders`, with what each of them promises."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Tuple

from harness.contenders import CONTENDERS
from harness.contenders.contender import Face

MAX_UNSAVED = 60
FLUSH_INTERVAL_S = 0.05


@dataclass(frozen=True)
class Promise:
    """What must hold after any power cut; whatever is false or None is counted, not asserted.

    Attributes:
        prefix: the file holds the state after one of the calls: no hole, no batch in part; and it is not corrupt.
        acknowledged: all that was acknowledged is there.
        flushed: all that was acknowledged before a flush, a close, or (lazy) a long pause that has ended is there.
        killed: as `acknowledged`, where nothing that was written is lost.
        unsaved: most operations that may be lost.
    """

    prefix: bool = True
    acknowledged: bool = False
    flushed: bool = False
    killed: bool = False
    unsaved: Optional[int] = None


@dataclass(frozen=True)
class Subject:
    """A store in one configuration."""

    contender: str
    configuration: str
    options: Mapping[str, Any]
    file: str
    rows: str
    promise: Optional[Promise] = None
    kinds: Tuple[str, ...] = ("set", "batch_set", "reopen")
    most_at_once: int = 1
    backend: Optional[str] = field(default=None)

    @property
    def ours(self) -> bool:
        return self.backend is not None


_MODES: Dict[str, Tuple[Mapping[str, Any], Promise]] = {
    "writethrough-full": (
        {"persist_mode": "writethrough", "synchronous": "full"},
        Promise(acknowledged=True, flushed=True),
    ),
    "writethrough-normal": (
        {"persist_mode": "writethrough", "synchronous": "normal"},
        Promise(flushed=True, killed=True),
    ),
    "lazy": (
        {"persist_mode": "lazy", "flush_interval": FLUSH_INTERVAL_S, "max_unsaved": MAX_UNSAVED},
        Promise(flushed=True, unsaved=2 * MAX_UNSAVED),
    ),
}
MODES = tuple(_MODES)
BACKENDS = ("rust", "threads", "aiosqlite")
_PEERS = {
    "sqlite3": ("store.db", "SELECT key, value FROM main"),
    "aiosqlite": ("store.db", "SELECT key, value FROM main"),
    "dictsqlite": ("store.db", "SELECT key, value FROM kv_store"),
    "diskcache": ("cache.db", "SELECT key, value FROM Cache"),
}
PEERS = tuple(_PEERS)


def ours(backend: str, mode: str) -> Subject:
    """Return one of our backends in one of `MODES`."""
    options, promise = _MODES[mode]
    kinds = ("set", "batch_set", "delete", "flush", "reopen", *(("pause",) if mode == "lazy" else ()))
    return Subject(
        f"asyncdictsqlite/{backend}",
        mode,
        options,
        "store.db",
        'SELECT key, value FROM "main"',
        promise,
        kinds,
        most_at_once=64,
        backend=backend,
    )


def peers(contender: str) -> List[Subject]:
    """Return a peer in each of its configurations that keeps anything."""
    file, rows = _PEERS[contender]
    configurations = CONTENDERS[contender].configurations
    return [
        Subject(contender, name, configuration.options, file, rows)
        for name, configuration in configurations.items()
        if name != "memory"
    ]


def versions(subject: Subject) -> Dict[str, str]:
    """Return the versions that may explain a result; not for a process that has a store open."""
    return CONTENDERS[subject.backend or subject.contender].versions()


class Store:
    """One face for all of them, as the workload needs it."""

    def __init__(self, subject: Subject, folder: str) -> None:
        self._subject = subject
        self._folder = folder
        self._store: Any = None

    async def open(self) -> None:
        """Open the store on its files in the folder."""
        subject = self._subject
        if subject.ours:
            self._store = open_ours(subject, self._folder)
            await self._store.aopen()
        else:
            self._store = await CONTENDERS[subject.contender].open(self._folder, subject.options)

    async def close(self) -> None:
        if self._subject.ours:
            await self._store.aclose()
        else:
            await CONTENDERS[self._subject.contender].close(self._store)

    def call(self, kind: str, items: Mapping[str, Any]) -> Any:
        """Hand the call over; what it returns is awaited unless the store is synchronous."""
        store, prefix = self._store, "" if self._is_synchronous else "a"
        if kind == "batch_set":
            return getattr(store, prefix + "batch_set")(items if self._subject.ours else self._batch(items))
        if kind == "set":
            ((key, value),) = items.items()
            return getattr(store, prefix + "set")(key, value)
        if kind == "delete":
            return store.adelete(next(iter(items)))
        return store.aflush()

    @property
    def _is_synchronous(self) -> bool:
        return not self._subject.ours and CONTENDERS[self._subject.contender].face is Face.SYNC

    def _batch(self, items: Mapping[str, Any]) -> Any:
        return dict(items) if self._subject.contender == "dictsqlite" else list(items.items())


def open_ours(subject: Subject, folder: str) -> Any:
    """Return our store, not opened yet."""
    from asyncdictsqlite import AsyncDictSQLite

    path = os.path.join(folder, subject.file)
    return AsyncDictSQLite(path, backend=subject.backend or "auto", storage_mode="bytes", **subject.options)
