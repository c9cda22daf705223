"""A backend as somebody else would write it, in a package of its own: an engine over a dict (test_third_party.py)."""

from __future__ import annotations

import threading
from typing import ClassVar, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

from asyncdictsqlite.errors import (
    AsyncDictError,
    CapacityExceededError,
    ClosedError,
    ConfigError,
    InvalidTableNameError,
)
from asyncdictsqlite.op import Op
from asyncdictsqlite.protocol import Capability, Change, Kind, Opening, Row, Stats, TableInfo, Was

Tables = Dict[str, Dict[str, bytes]]
META = "adsq_meta"  # the reserved table of tables: its values are their storage modes


class ToyEngine:
    """Keeps everything in memory, and says so: it declares no capability that needs a file."""

    capabilities: ClassVar[FrozenSet[Capability]] = frozenset(
        {Capability.MEMORY, Capability.TABLES, Capability.SEVERAL_LOOPS}
    )

    def __init__(self, opening: Opening) -> None:
        self._path, self._options = opening.path, opening.options
        self._lock = threading.Lock()
        self._state = "open"
        self._tables: Tables = {META: {}}
        self._hits = self._misses = self._writes = self._evictions = 0

    def open(self) -> Op[Mapping[str, TableInfo]]:
        return Op.of({})

    def read(self, table: str, keys: Sequence[str]) -> Op[List[Optional[bytes]]]:
        with self._lock:
            if self._state == "closed":
                return Op.failed(ClosedError(f"{self._path} is closed"))
            rows = self._tables[table]
            rows.update({key: rows.pop(key) for key in keys if key in rows})  # what was read goes last
            found = [rows.get(key) for key in keys]
            self._misses += found.count(None)
            self._hits += len(found) - found.count(None)
        return Op.of(found)

    def commit(self, changes: Sequence[Change], *, old: bool = False) -> Op[List[Was]]:
        with self._lock:
            if self._state == "closed":
                return Op.failed(ClosedError(f"{self._path} is closed"))
            tables = {name: dict(rows) for name, rows in self._tables.items()}
            try:
                results = [apply(tables, change, old) for change in changes]
                self._bound(tables)
            except AsyncDictError as error:
                return Op.failed(error)
            self._tables = tables
            self._writes += len(changes)
        return Op.of(results)

    def _bound(self, tables: Tables) -> None:
        while self._is_full(tables):
            if not self._options.evict:
                raise CapacityExceededError(f"{self._path}: full at capacity={self._options.capacity}; use evict=True")
            largest = max((rows for name, rows in tables.items() if name != META), key=len)
            del largest[next(iter(largest))]
            self._evictions += 1

    def _is_full(self, tables: Tables) -> bool:
        entries, size_bytes = measure(tables)
        return entries > self._options.capacity or size_bytes > self._options.capacity_bytes

    def scan(
        self, table: str, *, start: str, end: Optional[str], reverse: bool, rows: int, size_bytes: int, values: bool
    ) -> Op[List[Row]]:
        with self._lock:
            found = sorted(self._tables[table].items(), reverse=reverse)
        page: List[Row] = []
        for key, value in found:
            if start <= key and (end is None or key < end) and len(page) < rows and size_bytes > 0:
                page.append((key, value if values else None))
                size_bytes -= len(value)
        return Op.of(page)

    def count(self, table: str) -> Op[int]:
        return Op.of(len(self._tables[table]))

    def flush(self) -> Op[None]:
        return Op.of(None)

    def backup(self, path: str) -> Op[None]:
        return Op.failed(ConfigError("persist_mode='memory' has no file to back up"))

    def close(self) -> Op[None]:
        self._state = "closed"
        return Op.of(None)

    def stats(self) -> Stats:
        entries, size_bytes = measure(self._tables)
        counted = {"hits": self._hits, "misses": self._misses, "writes": self._writes, "evictions": self._evictions}
        none = dict.fromkeys(
            ("unsaved", "unsaved_bytes", "commits", "syncs", "writes_per_commit", "foreign_changes"), 0
        )
        told = {"state": self._state, "persist_mode": self._options.persist_mode, "exclusive": True, "last_error": None}
        return {**told, **none, **counted, "entries": entries, "bytes": size_bytes}


def measure(tables: Tables) -> Tuple[int, int]:
    """Count entries and bytes: encoded length + key length + 120 for each."""
    sizes = [
        len(value) + len(key.encode()) + 120
        for name, rows in tables.items()
        if name != META
        for key, value in rows.items()
    ]
    return len(sizes), sum(sizes)


def apply(tables: Tables, change: Change, old: bool) -> Was:
    """Apply one change and tell what it met."""
    kind, name = change.kind, change.table
    if kind in (Kind.CREATE, Kind.DROP):
        return apply_to_meta(tables, change)
    rows = tables[name]
    before = rows.get(change.key)
    if kind == Kind.CLEAR:
        rows.clear()
    elif kind == Kind.DELETE:
        rows.pop(change.key, None)
    elif kind == Kind.PUT or before == (None if kind == Kind.PUT_IF_ABSENT else change.expected):
        rows[change.key] = change.value or b""
    return Was(before is not None, before if old else None)


def apply_to_meta(tables: Tables, change: Change) -> Was:
    """Create or drop a table."""
    name, meta = change.table, tables[META]
    before = meta.get(name)
    if change.kind == Kind.DROP:
        meta.pop(name, None)
        tables.pop(name, None)
    elif before is None:
        if name.lower() in map(str.lower, meta):
            raise InvalidTableNameError(f"table name {name!r} differs from an existing one only in case")
        meta[name], tables[name] = change.value or b"", {}
    return Was(before is not None, before)
