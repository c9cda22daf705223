"""The memory engine: the memory is the data; no file, no thread."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import OrderedDict
from typing import ClassVar, Dict, FrozenSet, List, Mapping, Optional, Sequence, Set, Tuple

from ..errors import AsyncDictError, CapacityExceededError, ClosedError, ConfigError, InvalidTableNameError
from ..op import Op
from ..protocol import Capability, Change, Kind, Opening, Row, Stats, TableInfo, Was
from .cache import Key, size_of
from .enginelock import EngineLock

_Undo = List[Tuple[Key, Optional[bytes]]]


class MemoryEngine:
    """Keeps every entry; at capacity it refuses or, with ``evict``, forgets the coldest (FIFO with second chance)."""

    capabilities: ClassVar[FrozenSet[Capability]] = frozenset(Capability) - {Capability.CHEAP_COHERENCE}

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._lock = EngineLock()
        self._state = "open"
        self._modes: Dict[str, str] = {}
        self._values: OrderedDict[Key, bytes] = OrderedDict()
        self._visited: Dict[Key, bool] = {}
        self._size_bytes = 0
        self._sorted: Dict[str, List[str]] = {}  # the keys of a table in order, until one comes or goes
        self._hits = self._misses = self._evictions = self._writes = 0

    def open(self) -> Op[Mapping[str, TableInfo]]:
        """Be open."""
        return Op.of({})

    def read(self, table: str, keys: Sequence[str]) -> Op[List[Optional[bytes]]]:
        """See `Engine.read`."""
        with self._lock:
            if self._state != "open":
                return Op.failed(self._closed())
            found = [self._values.get((table, key)) for key in keys]
            for key, value in zip(keys, found):
                if value is not None:
                    self._visited[table, key] = True
                    self._hits += 1
                else:
                    self._misses += 1
        return Op.of(found)

    def commit(self, changes: Sequence[Change], *, old: bool = False) -> Op[List[Was]]:
        """See `Engine.commit`."""
        with self._lock:
            if self._state != "open":
                return Op.failed(self._closed())
            undo: _Undo = []
            try:
                results = [self._apply(change, old, undo) for change in changes]
                self._make_room({key for key, _ in undo})
            except AsyncDictError as error:
                for key, value in reversed(undo):
                    self._put(key, value)
                return Op.failed(error)
            self._writes += len(changes)
        return Op.of(results)

    def _apply(self, change: Change, old: bool, undo: _Undo) -> Was:
        kind, key = change.kind, (change.table, change.key)
        if kind in (Kind.CREATE, Kind.DROP, Kind.CLEAR):
            return self._apply_to_table(change, undo)
        before = self._values.get(key)
        if kind == Kind.DELETE:
            after = None
        elif kind == Kind.PUT or before == (None if kind == Kind.PUT_IF_ABSENT else change.expected):
            after = change.value
        else:
            after = before
        if after is not before:
            undo.append((key, before))
            self._put(key, after)
        return Was(before is not None, before if old else None)

    def _apply_to_table(self, change: Change, undo: _Undo) -> Was:
        table, modes = change.table, self._modes
        if change.kind == Kind.CREATE:
            if table in modes:
                return Was(True, modes[table].encode())
            for other in modes:
                if other.lower() == table.lower():
                    raise InvalidTableNameError(f"table name {table!r} differs from {other!r} only in case")
            modes[table] = (change.value or b"").decode()
            return Was(False)
        there = table in modes
        if change.kind == Kind.DROP:
            modes.pop(table, None)
        for key in [key for key in self._values if key[0] == table]:
            undo.append((key, self._values[key]))
            self._put(key, None)
        return Was(there)

    def _put(self, key: Key, value: Optional[bytes]) -> None:
        before = self._values.pop(key, None) if value is None else self._values.get(key)
        if before is not None:
            self._size_bytes -= size_of(key, before)
        if value is None:
            self._visited.pop(key, None)
        else:
            self._values[key] = value
            self._size_bytes += size_of(key, value)
        if (before is None) != (value is None):
            self._sorted.pop(key[0], None)

    def _make_room(self, fresh: Set[Key]) -> None:
        options = self._opening.options
        while len(self._values) > options.capacity or self._size_bytes > options.capacity_bytes:
            if not options.evict:
                raise CapacityExceededError(
                    f"memory store {self._opening.path}: full at capacity={options.capacity}, "
                    f"capacity_bytes={options.capacity_bytes}; nothing was applied: delete keys, or use evict=True"
                )
            self._evict(fresh if len(fresh) < len(self._values) else set())

    def _evict(self, fresh: Set[Key]) -> None:
        """Forget the coldest entry that is not of this call: it has not had its chance to be read."""
        while True:
            key = next(iter(self._values))
            if key not in fresh and not self._visited.pop(key, False):
                self._put(key, None)
                self._evictions += 1
                return
            self._values.move_to_end(key)

    def scan(self, table: str, *, start: str, end: Optional[str], reverse: bool, rows: int, size_bytes: int,
             values: bool) -> Op[List[Row]]:  # fmt: skip
        """See `Engine.scan`."""
        with self._lock:
            if self._state != "open":
                return Op.failed(self._closed())
            keys = self._keys_in_order(table)
            first, after = bisect_left(keys, start), len(keys) if end is None else bisect_left(keys, end)
            page: List[Row] = []
            for at in range(after - 1, first - 1, -1) if reverse else range(first, after):
                value = self._value(table, keys[at])
                page.append((keys[at], value if values else None))
                size_bytes -= len(value)
                if len(page) >= rows or size_bytes <= 0:
                    break
        return Op.of(page)

    def _keys_in_order(self, table: str) -> List[str]:
        if table == "adsq_meta":
            return sorted(self._modes)
        if table not in self._sorted:
            self._sorted[table] = sorted(key for name, key in self._values if name == table)
        return self._sorted[table]

    def _value(self, table: str, key: str) -> bytes:
        return self._modes[key].encode() if table == "adsq_meta" else self._values[table, key]

    def count(self, table: str) -> Op[int]:
        """See `Engine.count`."""
        with self._lock:
            if self._state != "open":
                return Op.failed(self._closed())
            return Op.of(sum(name == table for name, _ in self._values))

    def flush(self) -> Op[None]:
        """Do nothing: there is nothing more durable than this memory."""
        return Op.of(None)

    def backup(self, path: str) -> Op[None]:
        """Refuse: there is no file."""
        return Op.failed(ConfigError("persist_mode='memory' has no file to back up: use lazy or writethrough"))

    def close(self) -> Op[None]:
        """Forget everything."""
        with self._lock:
            self._state = "closed"
            self._values.clear()
        return Op.of(None)

    def abandon(self) -> None:
        """In a forked child: answer nothing."""
        self._lock = EngineLock()
        self._state = "closed"

    def _closed(self) -> ClosedError:
        return ClosedError(f"memory store {self._opening.path}: closed")

    def stats(self) -> Stats:
        """See `Engine.stats`."""
        return {
            "state": self._state,
            "persist_mode": "memory",
            "synchronous": self._opening.options.synchronous,
            "exclusive": True,
            "sqlite_version": sqlite3.sqlite_version,
            "entries": len(self._values),
            "bytes": self._size_bytes,
            "hits": self._hits,
            "misses": self._misses,
            "evictions": self._evictions,
            "unsaved": 0,
            "unsaved_bytes": 0,
            "commits": 0,
            "syncs": 0,
            "writes": self._writes,
            "writes_per_commit": 0.0,
            "checkpoints": 0,
            "foreign_changes": 0,
            "last_error": None,
            "cold_inline": 0,
            "cold_thread": 0,
        }

    def inject(self, **switches: object) -> None:
        """Do nothing: there is neither reader nor writer."""
