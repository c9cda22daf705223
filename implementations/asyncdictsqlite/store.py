"""AsyncDictSQLite: the dictionary, written once for every backend over the Engine seam."""

from __future__ import annotations

import copy
import os
import warnings
from dataclasses import replace
from typing import (
    Any,
    AsyncIterator,
    Callable,
    Coroutine,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Type,
    TypeVar,
    Union,
)

from . import opening, registry
from .errors import ClosedError, ConfigError, InvalidValueError, ValueEncodingError
from .iteration import Pages
from .keys import check_key
from .op import Mapped, coroutine_function
from .options import check_engine, check_path, check_table_name, check_view
from .protocol import Change, Engine, Kind, Was
from .protocol import Op as AnyOp
from .view import Source, View, make_view_codec

T = TypeVar("T")
Self = TypeVar("Self", bound="AsyncDictSQLite")
Async = Coroutine[Any, Any, T]
Items = Union[Mapping[str, Any], Iterable[Tuple[str, Any]]]

_MISSING: Any = object()
_concrete: Dict[Tuple[type, type], type] = {}


class AsyncDictSQLite(View):
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
            promise, reason = True, "memory is private to its process"
        else:
            promise, reason = opening.promise(exclusive, factory)
            opening.warn_of_wal_reset(path, exclusive, factory, stacklevel=2)
        source = Source(path, replace(options, exclusive=promise), factory, reason)
        self._set_up(source, view, make_view_codec(storage_mode, view), is_root=True)

    @property
    def backend(self) -> str:
        """The name of the backend in use; what "auto" chose."""
        return self._source.options.backend

    def __repr__(self) -> str:
        state = "open" if self._engine is not None else self._closed or "not open yet"
        return f"<AsyncDictSQLite {self._source.path!r} table={self._table!r} backend={self.backend!r}: {state}>"

    # ---- one key ---------------------------------------------------------------------------------------

    @coroutine_function
    def aget(self, key: str, default: Any = None) -> Async[Any]:
        """Return the value of a key, or the default; never a KeyError.

        Guarantee: the newest acknowledged value (lazy, memory: the newest written one).
        Cost: a hit touches neither disk nor thread.
        """
        return self._get(check_key(key), default)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default; see `aget`."""
        return self._get(check_key(key), default).wait()

    @coroutine_function
    def aset(self, key: str, value: Any) -> Async[None]:
        """Set a key; the value is encoded, and so snapshotted, at the call.

        Guarantee: as the persist mode says: writethrough returns when committed (and synced).

        Raises:
            InvalidKeyError, InvalidValueError: at the call; nothing changed.
            StorageError: the write did not apply (`applied` False) or nobody knows (None).
        """
        return self._commit([self._put(key, value)], _nothing)

    def set(self, key: str, value: Any) -> None:
        """Set a key; see `aset`."""
        self._commit([self._put(key, value)], _nothing).wait()

    @coroutine_function
    def adelete(self, key: str) -> Async[bool]:
        """Delete a key; return whether it was there."""
        return self._commit([self._delete(key)], _was_there)

    def delete(self, key: str) -> bool:
        """Delete a key; return whether it was there."""
        return self._commit([self._delete(key)], _was_there).wait()

    @coroutine_function
    def apop(self, key: str, default: Any = _MISSING) -> Async[Any]:
        """Delete a key and return its value.

        Guarantee: of many that pop one key, one gets the value; decided inside the write transaction.

        Raises:
            KeyError: the key is missing and no default was given.
        """
        return self._pop(key, default)

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Delete a key and return its value; see `apop`."""
        return self._pop(key, default).wait()

    @coroutine_function
    def acontains(self, key: str) -> Async[bool]:
        """Tell whether a key is there; its value is not decoded."""
        return self._contains(check_key(key))

    @coroutine_function
    def asetdefault(self, key: str, default: Any = None) -> Async[Any]:
        """Return the value of a key; where it is missing, set it to the default first. Atomic, as `apop` is."""
        return self._setdefault(key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of a key; where it is missing, set it to the default first."""
        return self._setdefault(key, default).wait()

    def __getitem__(self, key: str) -> Any:
        value = self._get(check_key(key), _MISSING).wait()
        if value is _MISSING:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self.set(key, value)

    def __delitem__(self, key: str) -> None:
        if not self.delete(key):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return self._contains(check_key(key)).wait()

    # ---- many keys -------------------------------------------------------------------------------------

    @coroutine_function
    def abatch_get(self, keys: Iterable[str], default: Any = None) -> Async[List[Any]]:
        """Return the values in the order given, the default where missing; duplicates are allowed."""
        return self._batch_get(keys, default)

    def batch_get(self, keys: Iterable[str], default: Any = None) -> List[Any]:
        """Return the values in the order given, the default where missing."""
        return self._batch_get(keys, default).wait()

    @coroutine_function
    def abatch_set(self, items: Items) -> Async[None]:
        """Set many keys, all or none; of duplicates the last wins.

        Args:
            items: a mapping, or (key, value) pairs.
        """
        return self._commit(self._puts(items), _nothing)

    def batch_set(self, items: Items) -> None:
        """Set many keys, all or none; of duplicates the last wins."""
        self._commit(self._puts(items), _nothing).wait()

    @coroutine_function
    def abatch_delete(self, keys: Iterable[str]) -> Async[int]:
        """Delete many keys, all or none; return how many were there."""
        return self._commit([self._delete(key) for key in _not_str(keys)], _how_many)

    def batch_delete(self, keys: Iterable[str]) -> int:
        """Delete many keys, all or none; return how many were there."""
        return self._commit([self._delete(key) for key in _not_str(keys)], _how_many).wait()

    @coroutine_function
    def aupdate(self, items: Items = (), /, **more: Any) -> Async[None]:
        """Set many keys as dict.update does, all or none."""
        return self._commit(self._puts(items) + self._puts(more), _nothing)

    def update(self, items: Items = (), /, **more: Any) -> None:
        """Set many keys as dict.update does, all or none."""
        self._commit(self._puts(items) + self._puts(more), _nothing).wait()

    @coroutine_function
    def aclear(self) -> Async[None]:
        """Delete every key of the table."""
        return self._commit([Change(Kind.CLEAR, self._table)], _nothing)

    def clear(self) -> None:
        """Delete every key of the table."""
        self._commit([Change(Kind.CLEAR, self._table)], _nothing).wait()

    @coroutine_function
    def alen(self) -> Async[int]:
        """Count the keys.

        Cost: O(n) in the file; lazy flushes first.
        """
        return self._do(lambda engine: engine.count(self._table))

    def __len__(self) -> int:
        return self._do(lambda engine: engine.count(self._table)).wait()

    # ---- iteration -------------------------------------------------------------------------------------

    def akeys(self, prefix: Optional[str] = None, start: Optional[str] = None, end: Optional[str] = None,
              reverse: bool = False, limit: Optional[int] = None) -> AsyncIterator[str]:  # fmt: skip
        """Iterate over the keys in key order (code points), start <= key < end, in constant memory.

        Guarantee: a key that is there throughout appears exactly once; one that changes meanwhile may or may not.
        Cost: pages of at most 1000 rows or 1 MiB, each its own short transaction; lazy flushes first.
        """
        return self._pages(prefix, start, end, reverse, limit, values=False).asynchronous(_key)

    def avalues(self, prefix: Optional[str] = None, start: Optional[str] = None, end: Optional[str] = None,
                reverse: bool = False, limit: Optional[int] = None) -> AsyncIterator[Any]:  # fmt: skip
        """Iterate over the values in key order; see `akeys`."""
        return self._pages(prefix, start, end, reverse, limit, values=True).asynchronous(self._decode_value)

    def aitems(self, prefix: Optional[str] = None, start: Optional[str] = None, end: Optional[str] = None,
               reverse: bool = False, limit: Optional[int] = None) -> AsyncIterator[Tuple[str, Any]]:  # fmt: skip
        """Iterate over (key, value) in key order; see `akeys`."""
        return self._pages(prefix, start, end, reverse, limit, values=True).asynchronous(self._decode_item)

    def keys(self, prefix: Optional[str] = None, start: Optional[str] = None, end: Optional[str] = None,
             reverse: bool = False, limit: Optional[int] = None) -> Iterator[str]:  # fmt: skip
        """Iterate over the keys; see `akeys`."""
        return self._pages(prefix, start, end, reverse, limit, values=False).synchronous(_key)

    def values(self, prefix: Optional[str] = None, start: Optional[str] = None, end: Optional[str] = None,
               reverse: bool = False, limit: Optional[int] = None) -> Iterator[Any]:  # fmt: skip
        """Iterate over the values in key order; see `akeys`."""
        return self._pages(prefix, start, end, reverse, limit, values=True).synchronous(self._decode_value)

    def items(self, prefix: Optional[str] = None, start: Optional[str] = None, end: Optional[str] = None,
              reverse: bool = False, limit: Optional[int] = None) -> Iterator[Tuple[str, Any]]:  # fmt: skip
        """Iterate over (key, value) in key order; see `akeys`."""
        return self._pages(prefix, start, end, reverse, limit, values=True).synchronous(self._decode_item)

    def __aiter__(self) -> AsyncIterator[str]:
        return self.akeys()

    def __iter__(self) -> Iterator[str]:
        return self.keys()

    def _pages(self, prefix: Optional[str], start: Optional[str], end: Optional[str], reverse: bool,
               limit: Optional[int], *, values: bool) -> Pages:  # fmt: skip
        return Pages(self._do, self._table, prefix, start, end, reverse, limit, values=values)

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

    def _get(self, key: str, default: Any) -> AnyOp[Any]:
        def value(found: List[Optional[bytes]]) -> Any:
            return default if found[0] is None else self._decode(key, found[0])

        return Mapped(self._do(lambda engine: engine.read(self._table, (key,))), value)

    def _contains(self, key: str) -> AnyOp[bool]:
        return Mapped(self._do(lambda engine: engine.read(self._table, (key,))), lambda found: found[0] is not None)

    def _batch_get(self, keys: Iterable[str], default: Any) -> AnyOp[List[Any]]:
        wanted = [check_key(key) for key in _not_str(keys)]

        def values(found: List[Optional[bytes]]) -> List[Any]:
            return [default if data is None else self._decode(key, data) for key, data in zip(wanted, found)]

        return Mapped(self._do(lambda engine: engine.read(self._table, wanted)), values)

    def _pop(self, key: str, default: Any) -> AnyOp[Any]:
        change = self._delete(key)

        def value(was: List[Was]) -> Any:
            if was[0].old is not None:
                return self._decode(key, was[0].old)
            if default is _MISSING:
                raise KeyError(key)
            return default

        return self._commit([change], value, old=True)

    def _setdefault(self, key: str, default: Any) -> AnyOp[Any]:
        change = self._put(key, default, Kind.PUT_IF_ABSENT)

        def value(was: List[Was]) -> Any:
            old = was[0].old
            return self._decode(key, self._encoded(change).value or b"" if old is None else old)

        return self._commit([change], value, old=True)

    def _commit(self, changes: List[Change], result: Callable[[List[Was]], T], *, old: bool = False) -> AnyOp[T]:
        if not any(isinstance(change.value, _Snapshot) for change in changes):
            return Mapped(self._do(lambda engine: engine.commit(changes, old=old)), result)
        # The view opens first, and then knows how to encode.
        return Mapped(self._do(lambda engine: engine.commit(list(map(self._encoded, changes)), old=old)), result)

    def _put(self, key: str, value: Any, kind: Kind = Kind.PUT) -> Change:
        name = check_key(key)
        encoded: Any = self._encode(name, value) if self._is_mode_known else _Snapshot(value)
        return Change(kind, self._table, name, encoded)

    def _encode(self, key: str, value: Any) -> bytes:
        try:
            return self._codec.encode(value)
        except InvalidValueError as error:
            error.args = (f"key {key!r:.80}: {error}", *error.args[1:])
            raise

    def _encoded(self, change: Change) -> Change:
        value: Any = change.value
        return change._replace(value=self._codec.encode(value.value)) if isinstance(value, _Snapshot) else change

    def _puts(self, items: Items) -> List[Change]:
        pairs = items.items() if isinstance(items, Mapping) else items
        return [self._put(key, value) for key, value in pairs]

    def _delete(self, key: str) -> Change:
        return Change(Kind.DELETE, self._table, check_key(key))

    def _decode(self, key: str, data: bytes) -> Any:
        try:
            return self._codec.decode(data)
        except ValueError as error:
            error.args = (f"{self._source.path}, table {self._table!r}, key {key!r:.80}: {error}", *error.args[1:])
            raise

    def _decode_value(self, row: Tuple[str, Optional[bytes]]) -> Any:
        return self._decode(row[0], row[1] or b"")

    def _decode_item(self, row: Tuple[str, Optional[bytes]]) -> Tuple[str, Any]:
        return row[0], self._decode(row[0], row[1] or b"")

    def _tables(self) -> AnyOp[List[str]]:
        def call(engine: Engine) -> AnyOp[Any]:
            every = 2**31
            return engine.scan(
                "adsq_meta", start="", end=None, reverse=False, rows=every, size_bytes=every, values=False
            )

        return Mapped(self._do(call), lambda rows: [row[0] for row in rows])

    def _drop(self, name: str) -> AnyOp[bool]:
        def call(engine: Engine) -> AnyOp[List[Was]]:
            file = self._source.file
            if file is not None and not file.readonly:
                file.tables.pop(name, None)
                for view in [view for view in (self, *opening.members(file.bound)) if view._table == name]:
                    view._shut(f"was dropped by adrop_table({name!r})")
            return engine.commit([Change(Kind.DROP, name)])

        if self._closed is not None:
            raise ClosedError(f"{self._source.path}: {self._closed}")
        return Mapped(self._do(call), _was_there)


class _Snapshot:
    """A copy of a value for a table whose storage mode only the file can tell."""

    def __init__(self, value: Any) -> None:
        try:
            self.value = copy.deepcopy(value)
        except Exception as error:
            raise ValueEncodingError(f"a {type(value).__name__} cannot be copied: {error}") from error


def _not_str(keys: Iterable[str]) -> Iterable[str]:
    if isinstance(keys, str):
        raise TypeError(f"keys must be an iterable of str, not one str: {keys!r:.80}")
    return keys


def _key(row: Tuple[str, Optional[bytes]]) -> str:
    return row[0]


def _nothing(was: List[Was]) -> None:
    return None


def _was_there(was: List[Was]) -> bool:
    return was[0].there


def _how_many(was: List[Was]) -> int:
    return sum(one.there for one in was)
