"""AsyncDictSQLite: the store: its options, its backend's class, its tables, copies and counters."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import (
    Any,
    Dict,
    List,
    Optional,
    Sequence,
    Tuple,
    Type,
    TypeVar,
    Union,
)

from . import opening, promise, registry
from .errors import ClosedError, ConfigError, DurabilityUnknownError
from .op import Mapped, coroutine_function, in_thread
from .options import check_engine, check_path, check_table_name, check_view
from .protocol import Change, Engine, Kind, Was
from .protocol import Op as AnyOp
from .table import Async, Table
from .view import Source, make_view_codec

Self = TypeVar("Self", bound="AsyncDictSQLite")

_concrete: Dict[Tuple[type, type], type] = {}


class AsyncDictSQLite(Table):
    """A persistent dictionary for asyncio over SQLite.

    The constructor does no I/O: the file is opened by the first use, by ``async with``, ``with`` or `aopen`. Every
    async method hands its operation over at the call, in the order of the calls, and returns a coroutine for the
    result; abandoning that coroutine withdraws nothing. The sync twins block their caller (and the loop, if called
    on its thread); they may be called from any thread.

    Args:
        db_path: the database file; in ``persist_mode="memory"`` only a name.
        capacity: most entries kept in memory (0: none); unsaved entries are never evicted.
        persist_mode: "memory", "lazy" (a crash can lose a second plus one flush) or "writethrough" (what was
            acknowledged is durable).
        storage_mode: how values are kept: "pickle", "json", "jsonb" or "bytes"; a table keeps its first one.
        table_name: the table of the file that this store shows.
        buffer_size: writethrough: most waiting calls that share one commit.
        backend: "auto", "rust", "threads", "aiosqlite" or the name of an entry point; ADSQ_BACKEND overrides "auto".
        capacity_bytes: most bytes kept in memory: encoded length + key length + 120 per entry.
        evict: memory mode: at capacity forget the coldest entry instead of refusing.
        synchronous: "full" or "normal": what a commit waits for.
        flush_interval: lazy: seconds between flushes.
        max_unsaved: lazy: queued operations that start a flush early; at twice these a write waits.
        max_unsaved_bytes: the same in bytes.
        busy_timeout: seconds a write may wait for other processes.
        exclusive: True keeps other processes out, False lets them in, coherently; None: False, but True where the
            SQLite in use has the WAL-reset bug.
        readonly: never write.
        pickle_allow: classes or "module.Name" that reading a pickle may load, beside the safe built-in list.
        max_value_bytes: most bytes of one encoded value.

    Raises:
        ConfigError: an option has a value that is not allowed; the message names the allowed ones.
    """

    def __new__(cls: Type[Self], *args: Any, backend: str = "auto", **options: Any) -> Self:
        """Make an instance of the backend's class, which is a subclass of `cls`."""
        _, factory = registry.resolve(backend)
        methods: Optional[type] = getattr(factory, "store_class", None)
        if methods is None or issubclass(cls, methods):
            return object.__new__(cls)
        concrete = _concrete.get((cls, methods))
        if concrete is None:
            derived = cls is not AsyncDictSQLite
            concrete = type(cls.__name__, (cls, methods), {"__module__": cls.__module__}) if derived else methods
            _concrete[cls, methods] = concrete
        native: Any = concrete.__mro__[concrete.__mro__.index(AsyncDictSQLite) - 1]
        return native.__new__(concrete)  # type: ignore[no-any-return]

    def __init__(
        self,
        db_path: Union[str, os.PathLike[str]],
        capacity: int = 1_000_000,
        persist_mode: str = "lazy",
        storage_mode: str = "pickle",
        table_name: str = "main",
        buffer_size: int = 100,
        *,
        backend: str = "auto",
        capacity_bytes: int = 256 * 2**20,
        evict: bool = False,
        synchronous: str = "full",
        flush_interval: float = 1.0,
        max_unsaved: int = 100_000,
        max_unsaved_bytes: int = 64 * 2**20,
        busy_timeout: float = 5.0,
        exclusive: Optional[bool] = None,
        readonly: bool = False,
        pickle_allow: Union[str, Sequence[Union[type, str]]] = (),
        max_value_bytes: int = 64 * 2**20,
    ) -> None:
        path = check_path(db_path)
        name, factory = registry.resolve(backend)
        options = check_engine(
            backend=name,
            persist_mode=persist_mode,
            synchronous=synchronous,
            exclusive=exclusive,
            readonly=readonly,
            capacity=capacity,
            capacity_bytes=capacity_bytes,
            evict=evict,
            buffer_size=buffer_size,
            flush_interval=flush_interval,
            max_unsaved=max_unsaved,
            max_unsaved_bytes=max_unsaved_bytes,
            busy_timeout=busy_timeout,
        )
        if storage_mode is None:
            raise ConfigError("storage_mode=None: must be one of 'pickle', 'json', 'jsonb', 'bytes'")
        view = check_view(table_name, storage_mode, pickle_allow, max_value_bytes)
        native = {methods for _, methods in _concrete if isinstance(self, methods)}
        if native != {getattr(factory, "store_class", None)} - {None}:
            raise ConfigError(f"backend={backend!r} chosen inside of __init__: a subclass must hand it to __new__, too")
        if persist_mode == "memory":
            alone, reason = True, "memory is private to its process"
        else:
            alone, reason = promise.in_force(exclusive, factory)
            promise.warn_of_wal_reset(path, exclusive, factory, stacklevel=2)
        source = Source(path, replace(options, exclusive=alone), factory, reason)
        self._set_up(source, view, make_view_codec(storage_mode, view), is_root=True)

    @property
    def backend(self) -> str:
        """The name of the backend in use; what "auto" chose."""
        return self._source.options.backend

    def __repr__(self) -> str:
        state = "open" if self._engine is not None else self._closed or "not open yet"
        return f"<AsyncDictSQLite {self._source.path!r} table={self._table!r} backend={self.backend!r}: {state}>"

    # ---- tables, flush, backup, stats ------------------------------------------------------------------

    def table(self: Self, name: str, *, storage_mode: Optional[str] = None) -> Self:
        """Return a view with this same surface over another table of the file; it opens at its first use.

        Args:
            storage_mode: None means the mode in the file, or this view's for a new table.

        Raises:
            InvalidTableNameError: the name is not allowed.
        """
        options = self._options
        view_options = check_view(name, storage_mode, options.pickle_allow, options.max_value_bytes)
        codec = make_view_codec(storage_mode or self._codec.storage_mode, view_options)
        view: Self = type(self).__new__(type(self), backend=self.backend)
        if type(self) is not getattr(self._source.factory, "store_class", AsyncDictSQLite):  # of a subclass
            view.__dict__.update((field, value) for field, value in self.__dict__.items() if field[0] != "_")
        view._set_up(self._source, view_options, codec, is_root=False)
        file = self._source.file
        if file is not None and storage_mode is None and name in file.tables:
            view._codec = make_view_codec(file.tables[name].storage_mode, view_options)
            view._is_mode_known = True
        return view

    @coroutine_function
    def atables(self) -> Async[List[str]]:
        """Name the tables of the file, in order."""
        return self._tables()

    def tables(self) -> List[str]:
        """Name the tables of the file, in order."""
        return self._tables().wait()

    @coroutine_function
    def adrop_table(self, name: str) -> Async[bool]:
        """Drop a table with all its keys; return whether it was there. Its views raise ClosedError from then on."""
        return self._drop(check_table_name(name))

    def drop_table(self, name: str) -> bool:
        """Drop a table with all its keys; see `adrop_table`."""
        return self._drop(check_table_name(name)).wait()

    @coroutine_function
    def aflush(self) -> Async[None]:
        """Make all that was acknowledged before durable.

        Raises:
            FlushFailedError: lazy: it did not apply; what is unsaved is kept and tried again.
        """
        return self._do(lambda engine: engine.flush())

    def flush(self) -> None:
        """Make all that was acknowledged before durable; see `aflush`."""
        self._do(lambda engine: engine.flush()).wait()

    @coroutine_function
    def abackup(self, path: Union[str, os.PathLike[str]]) -> Async[None]:
        """Write a consistent, synced copy to a new file, which may be inspected freely.

        Raises:
            FileExistsError: `path` is there already.
            ConfigError: memory mode has no file to copy.
        """
        target = check_path(path)
        return self._do(lambda engine: engine.backup(target))

    def backup(self, path: Union[str, os.PathLike[str]]) -> None:
        """Write a consistent, synced copy to a new file; see `abackup`."""
        target = check_path(path)
        self._do(lambda engine: engine.backup(target)).wait()

    def stats(self) -> Dict[str, Any]:
        """Tell the counters of the engine: hits, misses, entries, bytes, unsaved, commits, writes_per_commit, ...

        ``state`` is "unopened", "open", "stopped" (a sync failed) or "closed"; waits for nothing.
        """
        engine = self._engine
        idle = "closed" if self._closed is not None else "unopened"
        stats: Dict[str, Any] = {"state": idle} if engine is None else dict(engine.stats())
        source = self._source
        stats.update(backend=self.backend, table=self._table, storage_mode=self._codec.storage_mode)
        stats.update(exclusive=source.options.exclusive, exclusive_because=source.reason)
        if engine is not None:
            stats["capabilities"] = sorted(capability.value for capability in engine.capabilities)
        return stats

    @coroutine_function
    def set_async(self, key: str, value: Any) -> Async[None]:
        """Do `aset`, under its name of v4.1."""
        warnings.warn("set_async is the old name of aset", DeprecationWarning, stacklevel=2)
        return self.aset(key, value)

    @coroutine_function
    def get_async(self, key: str, default: Any = None) -> Async[Any]:
        """Do `aget`, under its name of v4.1."""
        warnings.warn("get_async is the old name of aget", DeprecationWarning, stacklevel=2)
        return self.aget(key, default)

    # ---- over the seam ---------------------------------------------------------------------------------

    def _unopened(self, name: str, args: Tuple[Any, ...], keywords: Optional[Dict[str, Any]] = None) -> Any:
        """Do what a backend's own method cannot while the view is not bound: park the call, or tell why not."""
        return getattr(AsyncDictSQLite, name)(self, *args, **(keywords or {}))

    def _tables(self) -> AnyOp[List[str]]:
        def call(engine: Engine) -> AnyOp[Any]:
            every = 2**31
            return engine.scan(
                "adsq_meta", start="", end=None, reverse=False, rows=every, size_bytes=every, values=False
            )

        return Mapped(self._do(call), lambda rows: [row[0] for row in rows])

    def _drop(self, name: str) -> AnyOp[bool]:
        if self._closed is not None:
            raise ClosedError(f"{self._source.path}: {self._closed}")
        return Mapped(self._do(lambda engine: self._hand_over_drop(engine, name)), lambda was: was[0].there)

    def _hand_over_drop(self, engine: Engine, name: str) -> AnyOp[List[Was]]:
        """Close the views of the table, and drop it; where that surely did not apply they open again."""
        change, file = Change(Kind.DROP, name), self._source.file
        if file is None or file.readonly:
            return engine.commit([change])
        known = file.tables.pop(name, None)
        why = f"was dropped by adrop_table({name!r})"
        views = [view for view in (self, *opening.members(file.bound)) if view._table == name]
        for view in views:
            view._shut(why)
        dropped = engine.commit([change])

        def outcome() -> List[Was]:
            try:
                return dropped.wait()
            except DurabilityUnknownError:
                raise
            except Exception:
                if known is not None:
                    file.tables.setdefault(name, known)
                for view in views:
                    view._unshut(why)
                raise

        return in_thread(outcome)
