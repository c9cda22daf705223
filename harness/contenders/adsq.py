"""Ours: the backends of asyncdictsqlite, each in its own worker process."""

from __future__ import annotations

import importlib
import os
from importlib import metadata, util
from typing import Any, ClassVar, Dict, Mapping, Optional

from harness.contenders.contender import Configuration, Contender, Durability, Face

_CONFIGURATIONS = {
    "writethrough-full": Configuration(Durability.SYNCED, {"persist_mode": "writethrough", "synchronous": "full"}),
    "writethrough-normal": Configuration(Durability.KILL, {"persist_mode": "writethrough", "synchronous": "normal"}),
    "lazy": Configuration(Durability.VOLATILE, {"persist_mode": "lazy"}),
    "memory": Configuration(Durability.VOLATILE, {"persist_mode": "memory"}),
}


class Backend(Contender):
    """One backend; ``storage_mode="bytes"`` for values that are bytes, the default of the library for others."""

    package = "asyncdictsqlite"
    page = "README.md"
    face = Face.ASYNC
    configurations = _CONFIGURATIONS
    small_cache: ClassVar[Mapping[str, Any]] = {"capacity": 64}
    scans = True
    threads = True
    processes: ClassVar[Mapping[str, Any]] = {"exclusive": False}
    kinds = ("bytes", "dict", "text")
    kind_options: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "dict": {"storage_mode": "pickle"},
        "text": {"storage_mode": "pickle"},
    }
    backend: ClassVar[str]

    def missing(self) -> Optional[str]:
        if super().missing() is None:
            return None
        return f"{self.name}: the package asyncdictsqlite with its extension is not built here: make build"

    async def open(self, folder: str, options: Mapping[str, Any]) -> Any:
        from asyncdictsqlite import AsyncDictSQLite

        chosen = {"storage_mode": "bytes", **options}
        store = AsyncDictSQLite(os.path.join(folder, "store.db"), backend=self.backend, **chosen)
        await store.aopen()
        return store

    async def close(self, store: Any) -> None:
        await store.aclose()

    def counters(self, store: Any) -> Dict[str, int]:
        stats = store.stats()
        return {name: int(stats[name]) for name in ("commits", "writes") if name in stats}


class Rust(Backend):
    """The extension, with its own SQLite."""

    name = backend = "rust"
    module = "asyncdictsqlite._rust"

    def versions(self) -> Dict[str, str]:
        extension = importlib.import_module(self.module)
        return {**super().versions(), "sqlite": extension.sqlite_version()}


class Threads(Backend):
    """The standard library's sqlite3 in threads."""

    name = backend = "threads"
    module = "asyncdictsqlite"

    def versions(self) -> Dict[str, str]:
        import sqlite3

        return {**super().versions(), "sqlite": sqlite3.sqlite_version}


class Aiosqlite(Threads):
    """The aiosqlite package for reads; its plain use by hand is the contender ``aiosqlite``."""

    name = "aiosqlite-backend"
    backend = "aiosqlite"
    module = "asyncdictsqlite.backends.aiosqlite"

    def missing(self) -> Optional[str]:
        if util.find_spec("aiosqlite") is None:
            return f"{self.name}: the package aiosqlite is not installed: python -m pip install aiosqlite"
        return super().missing()

    def versions(self) -> Dict[str, str]:
        return {**super().versions(), "aiosqlite": metadata.version("aiosqlite")}


CONTENDERS = (Rust(), Threads(), Aiosqlite())
