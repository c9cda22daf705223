"""The dictionary: keys, batches and iteration over one table, written once for every backend over the Engine seam."""

from __future__ import annotations

import copy
from operator import itemgetter
from typing import (
    Any,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Tuple,
    TypeVar,
    Union,
)

from .errors import InvalidValueError, ValueEncodingError
from .iteration import Pages
from .keys import check_key
from .op import Mapped, coroutine_function
from .protocol import Change, Kind, Row, Was
from .protocol import Op as AnyOp
from .view import View

T = TypeVar("T")
Async = Coroutine[Any, Any, T]
Items = Union[Mapping[str, Any], Iterable[Tuple[str, Any]]]

_MISSING: Any = object()


class Table(View):
    """A table as a dictionary; each async method has a sync twin."""

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
        return self._pages(prefix, start, end, reverse, limit, values=False).asynchronous(_keys_of)

    def avalues(self, prefix: Optional[str] = None, start: Optional[str] = None, end: Optional[str] = None,
                reverse: bool = False, limit: Optional[int] = None) -> AsyncIterator[Any]:  # fmt: skip
        """Iterate over the values in key order; see `akeys`."""
        return self._pages(prefix, start, end, reverse, limit, values=True).asynchronous(self._values_of)

    def aitems(self, prefix: Optional[str] = None, start: Optional[str] = None, end: Optional[str] = None,
               reverse: bool = False, limit: Optional[int] = None) -> AsyncIterator[Tuple[str, Any]]:  # fmt: skip
        """Iterate over (key, value) in key order; see `akeys`."""
        return self._pages(prefix, start, end, reverse, limit, values=True).asynchronous(self._items_of)

    def keys(self, prefix: Optional[str] = None, start: Optional[str] = None, end: Optional[str] = None,
             reverse: bool = False, limit: Optional[int] = None) -> Iterator[str]:  # fmt: skip
        """Iterate over the keys; see `akeys`."""
        return self._pages(prefix, start, end, reverse, limit, values=False).synchronous(_keys_of)

    def values(self, prefix: Optional[str] = None, start: Optional[str] = None, end: Optional[str] = None,
               reverse: bool = False, limit: Optional[int] = None) -> Iterator[Any]:  # fmt: skip
        """Iterate over the values in key order; see `akeys`."""
        return self._pages(prefix, start, end, reverse, limit, values=True).synchronous(self._values_of)

    def items(self, prefix: Optional[str] = None, start: Optional[str] = None, end: Optional[str] = None,
              reverse: bool = False, limit: Optional[int] = None) -> Iterator[Tuple[str, Any]]:  # fmt: skip
        """Iterate over (key, value) in key order; see `akeys`."""
        return self._pages(prefix, start, end, reverse, limit, values=True).synchronous(self._items_of)

    def __aiter__(self) -> AsyncIterator[str]:
        return self.akeys()

    def __iter__(self) -> Iterator[str]:
        return self.keys()

    def _pages(self, prefix: Optional[str], start: Optional[str], end: Optional[str], reverse: bool,
               limit: Optional[int], *, values: bool) -> Pages:  # fmt: skip
        return Pages(self._do, self._table, prefix, start, end, reverse, limit, values=values)

    # ---- over the seam ---------------------------------------------------------------------------------

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

    def _values_of(self, page: List[Row]) -> Iterable[Any]:
        return map(self._decode_value, page)

    def _items_of(self, page: List[Row]) -> Iterable[Tuple[str, Any]]:
        return map(self._decode_item, page)

    def _decode_value(self, row: Row) -> Any:
        return self._decode(row[0], row[1] or b"")

    def _decode_item(self, row: Row) -> Tuple[str, Any]:
        return row[0], self._decode(row[0], row[1] or b"")


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


def _keys_of(page: List[Row]) -> Iterable[str]:
    return map(itemgetter(0), page)


def _nothing(was: List[Was]) -> None:
    return None


def _was_there(was: List[Was]) -> bool:
    return was[0].there


def _how_many(was: List[Was]) -> int:
    return sum(one.there for one in was)
