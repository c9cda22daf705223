"""A view of a table: how it opens at its first use, parks calls until then, and closes."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
import weakref
from functools import partial
from typing import Any, Callable, Coroutine, List, Optional, Tuple, TypeVar

from . import opening
from .codec import Codec, make_codec
from .errors import ClosedError, ForkedError, InvalidTableNameError, ReadOnlyError, StorageModeMismatchError
from .op import Mapped, Op, Parked, copy_of, coroutine_function, in_thread
from .options import EngineOptions, ViewOptions
from .protocol import Change, Engine, EngineFactory, Kind, TableInfo
from .protocol import Op as AnyOp

T = TypeVar("T")
Self = TypeVar("Self", bound="View")

CLOSED = "is closed"
CLOSED_WITH_STORE = "is closed, with its store"

_sources: weakref.WeakSet[Source] = weakref.WeakSet()

SQLITE_MAX_VALUE = 10**9 - 2**17  # a row of SQLite holds at most 10**9 bytes, its key included


class Source:
    """A store and its views: their path, their options and, once opened, their file."""

    def __init__(self, path: str, options: EngineOptions, factory: EngineFactory, reason: str) -> None:
        self.path = path
        self.options = options
        self.factory = factory
        self.reason = reason  # why `options.exclusive` is what it is
        self.file: Optional[opening.OpenFile] = None
        self.used = False  # whether a view has come to use the file
        self.closed = False
        self.closing: Optional[Op[None]] = None  # the last close that had to wait for a view to open
        self.views: weakref.WeakSet[View] = weakref.WeakSet()
        self._lock = threading.Lock()  # for opener threads only: held while the file opens

        _sources.add(self)

    def open(self) -> Tuple[opening.OpenFile, bool]:
        """Return the open file, and whether this call made its engine; blocks."""
        with self._lock:
            if self.file is not None:
                return self.file, False
            file, fresh = opening.acquire(self.path, self.options, self.factory)
            if self.file is file:  # a close that failed has kept it meanwhile
                opening.give_back(file)
            self.file, self.used = file, False
            return file, fresh

    def give_up(self) -> None:
        """Let go of a file that no view came to use: a store whose open failed holds nothing."""
        with self._lock:
            if self.used or any(view._opening for view in opening.members(self.views)):
                return
            file, self.file = self.file, None
        if file is not None:
            opening.release(file, lambda: None)

    def after_fork(self) -> None:
        """In a forked child: what was in use is the parent's, and its threads may have held the locks."""
        self._lock = threading.Lock()
        self.closing = None
        views = opening.members(self.views)
        in_use = self.file is not None or any(view._opening for view in views)
        for view in views:
            view._after_fork(in_use)

    def __del__(self) -> None:
        if self.file is not None and not self.file.closed.is_set():
            message = f"{self.path}: store was collected without close; its engine stays open until exit"
            warnings.warn(message, ResourceWarning, stacklevel=1)


class View:
    """What a store is before it is a dictionary: a table of a source, unopened, open or closed.

    A view is bound to the engine (`_engine` is set) while it is open; every other state is seen by the slow path
    only. The view that the constructor makes is its source's root: closing it closes the others.
    """

    _engine: Optional[Engine]

    _FIELDS = (
        "_closed", "_codec", "_engine", "_forked", "_is_mode_known", "_is_root",
        "_lock", "_opening", "_options", "_parked", "_source", "_table",
    )  # fmt: skip

    def _set_up(self, source: Source, options: ViewOptions, codec: Codec, *, is_root: bool) -> None:
        self._engine = None
        self._source = source
        self._options = options
        self._table = options.table_name
        self._codec = codec  # of a table whose mode is not known yet: the parent's
        self._is_mode_known = options.storage_mode is not None
        self._is_root = is_root
        self._lock = threading.RLock()  # guards the four below, and binding; a finalizer may call meanwhile
        self._parked: List[Parked[Any]] = []
        self._opening = False
        self._closed: Optional[str] = None  # why, once it is
        self._forked = False
        source.views.add(self)

    # ---- opening ---------------------------------------------------------------------------------------

    @coroutine_function
    def aopen(self: Self) -> Coroutine[Any, Any, Self]:
        """Open the file now (the first use does it anyway); after a failed sync or a close, open it again.

        Raises:
            NotADatabaseError, SchemaMismatchError, StorageModeMismatchError, LockedError, AlreadyOpenError,
            FileNotFoundError, ...: the file stays as it was, and the next use tries again.
        """
        return self._open()

    def open(self: Self) -> Self:
        """Open the file now and return the store; see `aopen`."""
        return self._open().wait()

    def _open(self: Self) -> AnyOp[Self]:
        source = self._source
        if self._is_root and source.closing is not None and not source.closing.done():
            return Mapped(in_thread(partial(self._open_after, source.closing)), lambda _: self)
        with self._lock:
            if self._is_root:
                source.closed = False
            if not source.closed:
                self._closed = None
            self._check_usable()
        file = source.file
        if file is not None and file.engine.stats()["state"] != "open":
            return Mapped(in_thread(partial(self._reopen, file)), lambda _: self)
        return Mapped(self._do(_nothing), lambda _: self)

    def _open_after(self, closing: Op[None]) -> None:
        """Open once a close under way has ended: until then the file is there, but not to stay."""
        ended = threading.Event()
        closing.then(ended.set)
        ended.wait()
        self._open().wait()

    def _reopen(self, file: opening.OpenFile) -> None:
        file.reopen()
        self._do(_nothing).wait()

    def _do(self, call: Callable[[Engine], AnyOp[T]]) -> AnyOp[T]:
        """Hand a call over to the engine, or park it until the view is open."""
        engine = self._engine
        return self._park(call) if engine is None else call(engine)

    def _park(self, call: Callable[[Engine], AnyOp[T]]) -> AnyOp[T]:
        with self._lock:
            self._check_usable()
            engine = self._engine
            if engine is None:
                if not self._opening:
                    handed_over = threading.Event()
                    _thread(_open_then_serve, [self], handed_over)
                    opening.starting.add(handed_over)
                    self._opening = True
                parked: Parked[T] = Parked(call)
                self._parked.append(parked)
                return parked
        return call(engine)

    def _check_usable(self) -> None:
        if self._forked:
            raise ForkedError(f"{self._source.path} was opened before the fork: open a store of its own in the child")
        if self._closed is not None or self._source.closed:
            why = self._closed or CLOSED_WITH_STORE
            raise ClosedError(f"{self._source.path}, table {self._table!r}: {why}")

    def _open_and_replay(self) -> Optional[opening.OpenFile]:
        """Open, then make the parked calls in their order; on a thread of its own, which may block.

        Returns:
            The file, if it is this thread that has to serve it.
        """
        file, fresh = None, False
        try:
            file, fresh = self._source.open()
            self._choose_mode(file)
            self._replay(file)
        except BaseException as error:
            with self._lock:
                parked, self._parked, self._opening = self._parked, [], False
            self._source.give_up()
            for one in parked:
                one.fail(copy_of(error))
        return file if fresh else None

    def _replay(self, file: opening.OpenFile) -> None:
        """Make the parked calls, bind, and only then let the callers go on: they find the view open."""
        replayed: List[Parked[Any]] = []
        while True:
            with self._lock:
                parked, self._parked = self._parked, []
                if not parked:
                    self._opening = False
                    if self._closed is None:
                        self._attach(file)
                    break
            for one in parked:
                one.hand_over(file.engine)
            replayed += parked
        for one in replayed:
            one.release()

    def _choose_mode(self, file: opening.OpenFile) -> None:
        """Create the table if it is not there, and take its storage mode."""
        wanted = self._options.storage_mode
        known = file.tables.get(self._table)
        mode = known.storage_mode if known is not None else self._create_table(file)
        if wanted is not None and mode != wanted:
            raise StorageModeMismatchError(
                f"{self._source.path}, table {self._table!r} is kept in storage_mode={mode!r}, not {wanted!r}: "
                f"open it with storage_mode={mode!r}, or choose another table"
            )
        if self._codec.storage_mode != mode:
            self._codec = make_view_codec(mode, self._options)
        self._is_mode_known = True

    def _create_table(self, file: opening.OpenFile) -> str:
        name, mode = self._table, self._codec.storage_mode
        for other in list(file.tables):
            if other.lower() == name.lower():
                raise InvalidTableNameError(f"table name {name!r} differs from the existing {other!r} only in case")
        if file.readonly:
            raise ReadOnlyError(f"{self._source.path} has no table {name!r}, and the store only reads")
        was = file.engine.commit([Change(Kind.CREATE, name, value=mode.encode())], old=True).wait()[0]
        if was.there and was.old is not None:  # another process was quicker
            mode = was.old.decode()
        file.tables[name] = TableInfo(name, mode)
        return mode

    # ---- binding ---------------------------------------------------------------------------------------

    def _attach(self, file: opening.OpenFile) -> None:
        self._source.used = True
        file.bound.add(self)
        self._bind(file.engine, self._table, self._codec)
        self._engine = file.engine

    def _bind(self, engine: Engine, table: str, codec: Codec) -> None:
        """Let a backend's own methods reach the engine; overridden by them."""

    def _unbind(self) -> None:
        """Let no method reach the engine any more; overridden likewise."""

    def _detach(self) -> None:
        self._engine = None
        self._unbind()

    def _rebind(self, engine: Engine) -> None:
        """Go on with a new engine of the same file."""
        with self._lock:
            if self._engine is not None:
                self._bind(engine, self._table, self._codec)
                self._engine = engine

    def _after_fork(self, in_use: bool) -> None:
        """In a forked child: a view of what was in use is the parent's."""
        self._lock = threading.RLock()
        if in_use:
            self._forked = True
            self._detach()

    # ---- closing ---------------------------------------------------------------------------------------

    @coroutine_function
    def aclose(self) -> Coroutine[Any, Any, None]:
        """Flush and close; closing twice is fine. The engine closes with the last store that uses it.

        Raises:
            FlushFailedError: lazy: the last flush did not apply; the store stays open and keeps what is unsaved.
        """
        return self._close()

    def close(self) -> None:
        """Flush and close; see `aclose`."""
        self._close().wait()

    def _close(self) -> AnyOp[None]:
        with self._lock:
            # A root whose table was dropped has yet to close its source.
            if self._forked or self._closed == CLOSED or (self._closed is not None and not self._is_root):
                return Op.of(None)
            self._closed = CLOSED
            used = self._engine is not None or self._opening
        self._source.closed = self._source.closed or self._is_root
        views = opening.members(self._source.views) if self._is_root else [self]
        earlier = [calls for calls in (view._shut(CLOSED_WITH_STORE) for view in views) if calls is not None]
        if earlier:
            closing = in_thread(lambda: self._release_after(earlier, used))
            if self._is_root:
                self._source.closing = closing
            return closing
        return self._release(used)

    def _shut(self, why: str) -> Optional[Parked[None]]:
        """Close for itself only; while it opens, return an op that ends once its parked calls are handed over."""
        with self._lock:
            if self._closed is None:
                self._closed = why
            self._detach()
            if not self._opening:
                return None
            handed_over: Parked[None] = Parked(_nothing)
            self._parked.append(handed_over)
            return handed_over

    def _unshut(self, why: str) -> None:
        """Take back a `_shut`; the next use opens the view."""
        with self._lock:
            if self._closed == why:
                self._closed = None

    def _release_after(self, earlier: List[Parked[None]], used: bool) -> None:
        for calls in earlier:
            with contextlib.suppress(Exception):  # the open failed: its callers know
                calls.wait()
        self._release(used).wait()

    def _release(self, used: bool) -> AnyOp[None]:
        source = self._source
        if not self._is_root:
            return source.file.engine.flush() if used and source.file is not None else Op.of(None)
        file, source.file = source.file, None
        if file is None:
            return Op.of(None)
        return opening.release(file, lambda: self._revive(file))

    def _revive(self, file: opening.OpenFile) -> None:
        """Open again what closed, since the engine did not."""
        self._source.file, self._source.closed = file, False
        for view in opening.members(self._source.views):
            with view._lock:
                if view is self or view._closed == CLOSED_WITH_STORE:
                    view._closed = None
                    if view in file.bound and not view._opening:  # the others have yet to open
                        view._attach(file)

    def __enter__(self: Self) -> Self:
        return self.open()

    def __exit__(self, *exception: Any) -> None:
        self.close()

    async def __aenter__(self: Self) -> Self:
        return await self.aopen()

    async def __aexit__(self, *exception: Any) -> None:
        await self.aclose()

    def __reduce__(self) -> Any:
        raise TypeError("a store cannot be pickled: it is an open file of this process; pickle its path instead")


def make_view_codec(storage_mode: str, options: ViewOptions) -> Codec:
    """Make the codec of a view."""
    most = min(options.max_value_bytes, SQLITE_MAX_VALUE)
    return make_codec(storage_mode, pickle_allow=options.pickle_allow, max_value_bytes=most)


def _after_fork() -> None:
    for source in opening.members(_sources):
        source.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def _thread(target: Callable[..., None], *args: Any) -> None:
    threading.Thread(target=target, args=args, name="asyncdictsqlite-opener", daemon=True).start()


def _open_then_serve(views: List[View], handed_over: threading.Event) -> None:
    try:
        file = views.pop()._open_and_replay()  # popped: this thread must not keep a forgotten store alive
    finally:
        opening.starting.discard(handed_over)
        handed_over.set()
    if file is not None:
        file.serve()


def _nothing(engine: Engine) -> AnyOp[None]:
    return Op.of(None)
